// What the operators that multiply by weights share: convolutions, fully connected and matrix products. From operands
// to the argument structs of kernels/gemm.h and kernels/depthwise.h, with every check on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/depthwise.h"
#include "kernels/gemm.h"
#include "ops/packs.h"
#include "ops/support.h"

namespace fewbits::ops {

// The ways to compute a product, by the types of input, weights and output.
enum class Scheme : uint8_t {
  kFloat,   // float32, float32 -> float32
  kInt8,    // int8, int8 or int4 -> int8
  kUInt8,   // uint8, uint8 -> uint8: legacy, weights with a zero point
  kInt16,   // int16, int8 or int4 -> int16
  kHybrid,  // float32, int8 or int4 -> float32: the input is quantized on the fly
};

struct ProductOperands {
  const TensorInfo& input;
  const TensorInfo& weights;
  const TensorInfo* bias;  // null where absent
  const TensorInfo& output;
  int32_t channels;  // of the output
  int32_t axis;      // dimension of the weights that their scales may lie along; -1: one scale only
  tflite::ActivationFunctionType activation;
  bool weights_may_be_asymmetric;  // int8 weights may have a zero point (weights that are activations)
};

// Everything about a product but shapes and addresses. Zero points and limits are those of the int8 form (see
// kernels/gemm.h).
struct ProductSpec {
  Scheme scheme = Scheme::kFloat;
  uint8_t flip = 0;
  int32_t in_zero_point = 0, weight_zero_point = 0, out_zero_point = 0;
  IntRange limits = {0, 0};
  FloatRange float_limits = {0, 0};
  std::vector<float> scales;             // [channels]: int8 and uint8 the multipliers, hybrid the scales of the weights
  std::vector<FixedMultiplier> fixed;    // [channels]: int16
  Rounding rounding = Rounding::kTwice;  // of int8 and uint8
  ShortRule short_rule = ShortRule::kReduced;  // of int16
  bool channel_first = false;                  // of hybrid ones: as in GemmS8Args
  bool fast_float = false;                     // as OpContext has it
  bool has_bias = false, narrow_bias = false;  // narrow: int32 under int16 activations
};

Result<Scheme> product_scheme(const OpContext& context, const TensorInfo& input, const TensorInfo& weights,
                              const TensorInfo& output);
// Checks types, parameters and bias of the operands, and computes the spec.
Result<ProductSpec> product_spec(const OpContext& context, const ProductOperands& operands);

// Fills what the spec says about a run: zero points, limits, multipliers (which the args then point to).
void fill_args(const ProductSpec& spec, GemmF32Args& args) noexcept;
void fill_args(const ProductSpec& spec, GemmS8Args& args) noexcept;
void fill_args(const ProductSpec& spec, GemmS16S8Args& args) noexcept;
void fill_args(const ProductSpec& spec, DepthwiseF32Args& args) noexcept;
void fill_args(const ProductSpec& spec, DepthwiseS8Args& args) noexcept;
void fill_args(const ProductSpec& spec, DepthwiseS16S8Args& args) noexcept;

// Weights as kernels take them: constant int4, int2 and sparse ones are unpacked.
struct WeightData {
  const void* data = nullptr;  // null: not constant, known in a run only
  size_t count = 0, bits = 0;  // of the operand's elements
  std::vector<std::byte> storage;
  Packs* packs = nullptr;
  bool lasting = false;  // as PackSource has it
};
Result<WeightData> weight_data(const OpContext& context, const TensorInfo& weights);

// Packed weights, aligned for kernels. Plans of one model share them (ops/packs.h).
class PackedBytes {
 public:
  PackedBytes() = default;  // none: weights that are not constant
  // `bytes` bytes that pack(to) writes from constant weights. how: as PackSource has it.
  PackedBytes(const WeightData& weights, std::string how, size_t bytes, const std::function<void(std::byte*)>& pack);
  // Of this kernel alone.
  explicit PackedBytes(size_t bytes) : bytes_(allocate_pack(bytes)) {}
  const std::byte* data() const noexcept { return bytes_.get(); }

 private:
  std::shared_ptr<const std::byte> bytes_;
};

// The part of `how` that tells a gemm kernel's layouts apart.
template <class Kernel>
std::string pack_layout(const Kernel& kernel, const GemmWeights<typename Kernel::Weight>& w) {
  return fmt::format("{} {} {} {} {} {} {}", kernel.name, w.n, w.taps, w.tap_k, w.n_stride, w.k_stride, w.flip);
}

// Hands out aligned parts of a kernel's workspace.
class WorkspaceLayout {
 public:
  // The offset of a new part of `bytes`.
  size_t add(size_t bytes) noexcept {
    const size_t at = size_;
    size_ += (bytes + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
    return at;
  }
  size_t size() const noexcept { return size_; }

 private:
  size_t size_ = 0;
};

// Constant int4 weights in blocks along their last dimension, each with a float16 scale.
struct BlockwiseWeights {
  size_t block = 0;
  const uint16_t* scales = nullptr;  // [n, k / block], of the model
};
// Whether the weights are quantized so (BlockwiseQuantization, with anything in it).
bool is_blockwise(const TensorInfo& weights) noexcept;
// The blocks of weights [units, depth]; an error says what is not as LiteRT runs it.
Result<BlockwiseWeights> blockwise_weights(const OpContext& context, const TensorInfo& weights, size_t units,
                                           size_t depth);

// Weights that are not constant: int4 and int2 are unpacked into workspace in every run.
class LiveWeights {
 public:
  LiveWeights() = default;
  LiveWeights(const WeightData& weights, WorkspaceLayout& layout) noexcept
      : count_(weights.count),
        bits_(weights.bits),
        at_(layout.add(weights.data == nullptr && bits_ < 8 ? count_ : 0)) {}
  const void* elements(const void* operand, std::byte* workspace) const noexcept;

 private:
  size_t count_ = 0, bits_ = 8, at_ = 0;
};

// The element type of A by kernel.
template <class Kernel>
struct ProductTypes;
template <>
struct ProductTypes<GemmF32Kernel> {
  using Row = float;
  using Out = float;
};
template <>
struct ProductTypes<GemmS8Kernel> {
  using Row = int8_t;
  using Out = int8_t;
};
template <>
struct ProductTypes<GemmS16S8Kernel> {
  using Row = int16_t;
  using Out = int16_t;
};
template <>
struct ProductTypes<DepthwiseF32Kernel> : ProductTypes<GemmF32Kernel> {};
template <>
struct ProductTypes<DepthwiseS8Kernel> : ProductTypes<GemmS8Kernel> {};
template <>
struct ProductTypes<DepthwiseS16S8Kernel> : ProductTypes<GemmS16S8Kernel> {};

// The kernel for a product of m rows, n columns and a depth of k.
template <class Kernel>
const Kernel& select_gemm(const ProductSpec& spec, size_t m, size_t n, size_t k) noexcept {
  if constexpr (std::is_same_v<Kernel, GemmF32Kernel>) {
    return spec.fast_float ? select_fast_gemm_f32(isa(), m, n, k) : select_gemm_f32(isa());
  } else if constexpr (std::is_same_v<Kernel, GemmS8Kernel>) {
    return select_gemm_s8(isa());
  } else {
    return select_gemm_s16s8(isa());
  }
}

// The bias of a run from channel `first` on: `data` is the operand (or what widen_bias() made of it), or null.
template <class Args>
void set_bias(Args& args, const void* data, size_t first = 0) noexcept {
  using Bias = decltype(args.bias);
  args.bias = data == nullptr ? nullptr : static_cast<Bias>(data) + first;
}
inline void set_bias(GemmS8Args& args, const void* data, size_t first = 0) noexcept {
  const bool hybrid = args.output == GemmS8Output::kFloat;
  args.bias = hybrid || data == nullptr ? nullptr : static_cast<const int32_t*>(data) + first;
  args.float_bias = !hybrid || data == nullptr ? nullptr : static_cast<const float*>(data) + first;
}
inline void set_bias(DepthwiseS8Args& args, const void* data) noexcept {
  const bool hybrid = args.output == GemmS8Output::kFloat;
  args.bias = hybrid ? nullptr : static_cast<const int32_t*>(data);
  args.float_bias = hybrid ? static_cast<const float*>(data) : nullptr;
}

// Moves what fill_args() set for each channel on to the channels from `first` on.
inline void skip_channels(const ProductSpec&, GemmF32Args&, size_t) noexcept {}
inline void skip_channels(const ProductSpec& spec, GemmS8Args& args, size_t first) noexcept {
  args.multiplier = spec.scales.data() + first;
  args.channel_scale = spec.scales.data() + first;
}
inline void skip_channels(const ProductSpec& spec, GemmS16S8Args& args, size_t first) noexcept {
  args.multiplier = spec.fixed.data() + first;
}

// Bytes of workspace that the bias needs, and the bias as the kernels of the scheme take it: int32 under int16
// activations is widened into `space`.
size_t bias_space(const ProductSpec& spec, size_t channels) noexcept;
const void* widen_bias(const ProductSpec& spec, const void* bias, size_t channels, void* space) noexcept;

}  // namespace fewbits::ops
