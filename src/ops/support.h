// Small pieces that prepare() and infer() of every family share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "ir/op_def.h"

namespace tflite {
enum class ActivationFunctionType : int8_t;
}

namespace fewbits::ops {

// Any callable as a kernel. One class for all of them: a class for each of the 700 would be a quarter of the library, and
// so would be code that copies and destroys each, which few need.
class BodyKernel final : public Kernel {
 public:
  using Run = void (*)(const void* body, const RunArgs& args) noexcept;

  template <class Body>
  static std::unique_ptr<Kernel> make(Body&& body) {
    const Run call = [](const void* self, const RunArgs& args) noexcept { (*static_cast<const Body*>(self))(args); };
    static_assert(alignof(Body) <= alignof(std::max_align_t));
    if constexpr (std::is_trivially_copyable_v<Body>) {
      return copy(&body, sizeof body, call);
    } else {
      const auto destroy = [](void* self) noexcept { delete static_cast<Body*>(self); };
      return own({new Body(std::move(body)), destroy}, call);
    }
  }
  void run(const RunArgs& args) const noexcept override { run_(body_.get(), args); }

 private:
  using Owned = std::unique_ptr<void, void (*)(void*) noexcept>;
  BodyKernel(Owned body, Run call) noexcept : body_(std::move(body)), run_(call) {}
  static std::unique_ptr<Kernel> own(Owned body, Run call);
  static std::unique_ptr<Kernel> copy(const void* body, size_t bytes, Run call);

  Owned body_;
  Run run_;
};
Prepared prepared_kernel(std::unique_ptr<Kernel> kernel, std::string choice, size_t workspace);

// A kernel from a noexcept-safe callable `void(const RunArgs&)` that holds its argument struct by value.
template <class Body>
Prepared make_kernel(Body body, std::string choice, size_t workspace = 0) {
  return prepared_kernel(BodyKernel::make(std::move(body)), std::move(choice), workspace);
}

// A dynamic kernel from a callable `Status(DynamicArgs&)`.
template <class Body>
Prepared make_dynamic_kernel(Body body, std::string choice) {
  struct Lambda final : DynamicKernel {
    explicit Lambda(Body&& b) : body(std::move(b)) {}
    Status run(DynamicArgs& args) const override { return body(args); }
    Body body;
  };
  Prepared prepared;
  prepared.dynamic_kernel = std::make_unique<const Lambda>(std::move(body));
  prepared.choice = std::move(choice);
  return prepared;
}

// Sets output i of a dynamic kernel to a copy of `value`, whose type is the output's.
Status copy_to_output(DynamicArgs& args, size_t i, const TensorView& value);

// Typed operand access inside kernels.
template <class T>
const T* in(const RunArgs& args, size_t i) noexcept {
  return static_cast<const T*>(args.in[i]);
}
template <class T>
T* out(const RunArgs& args, size_t i = 0) noexcept {
  return static_cast<T*>(args.out[i]);
}

// ---- shapes ----

// output 0 has the shape of input 0.
Status infer_same_as_input(OpContext& context);
// The activation that ADD, SUB, MUL or DIV ends with; NONE of other operators.
tflite::ActivationFunctionType fused_activation(const Node& node);
// output 0 is the broadcast of inputs 0 and 1; an error names both shapes when they do not fit.
Status infer_broadcast(OpContext& context);
// Marks every output as dynamic.
Status infer_dynamic(OpContext& context);
// The broadcast of two static shapes; nothing when they do not fit.
std::optional<Shape> broadcast_shapes(const Shape& a, const Shape& b);
// axis in [-rank, rank) to [0, rank); an error otherwise.
Result<int> normalize_axis(const OpContext& context, int64_t axis, int rank);
// The values of integer operand i (int32 or int64; also int16, int8, uint8) as int64, when they are known (`data` is there).
// Empty optional: not known yet. An error: another type.
Result<std::optional<std::vector<int64_t>>> int_values(const OpContext& context, size_t i);
// True when any present input is dynamic or has a size that is not known: then every output is marked dynamic.
bool any_dynamic(OpContext& context);

// ---- types and parameters ----

// An error unless the operand's type is one of `types`; the message lists them.
Status require_type(const OpContext& context, const TensorInfo& tensor, const char* what,
                    std::initializer_list<DType> types);
// "no kernel for these types: float32, int8 -> float32".
tl::unexpected<Error> unsupported_types(const OpContext& context);
// An error unless the operand has exactly one scale (> 0, finite) and a zero point within its type.
Status require_per_tensor(const OpContext& context, const TensorInfo& tensor, const char* what);

struct FloatRange {
  float lo, hi;
};
struct IntRange {
  int32_t lo, hi;
};
// The clamp of a fused activation in real numbers; an error for TANH and SIGN_BIT, which no kernel fuses.
Result<FloatRange> activation_range(const OpContext& context, tflite::ActivationFunctionType activation);
// The same in the output's quantized domain: RELU6 gives [max(qmin, zp), min(qmax, zp + round(6 / scale))].
Result<IntRange> activation_range_quantized(const OpContext& context, tflite::ActivationFunctionType activation,
                                            const TensorInfo& output);
// The limits of int8, uint8, int16.
IntRange type_range(DType type);

// ---- versions ----

// The "1 float, 2 int8, 3 int16" pattern of most operators, by the type of input 0.
int32_t version_by_type(const OpContext& context);

}  // namespace fewbits::ops
