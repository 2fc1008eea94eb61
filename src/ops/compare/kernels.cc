// prepare() of the six comparisons.
#include "base/half.h"
#include "kernels/broadcast.h"
#include "kernels/fixed_point.h"
#include "ops/compare/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

// How a type is read before it is compared.
template <class T>
struct Plain {
  T operator()(T x) const noexcept { return x; }
};
struct HalfValue {
  float operator()(uint16_t x) const noexcept { return half_to_float(x); }
};
struct BFloat16Value {
  float operator()(uint16_t x) const noexcept { return bfloat16_to_float(x); }
};
struct Scaled {
  int32_t zero = 0;
  FixedMultiplier multiplier;
  int32_t operator()(int32_t x) const noexcept {
    return multiply_by_quantized_multiplier((x - zero) * 256, multiplier);
  }
};

struct Equal {
  bool operator()(auto a, auto b) const noexcept { return a == b; }
};
struct Less {
  bool operator()(auto a, auto b) const noexcept { return a < b; }
};
struct LessEqual {
  bool operator()(auto a, auto b) const noexcept { return a <= b; }
};

// Operand `left` compared with the other one; the answer xor-ed with `flip`.
template <class T, class Compare, class Read>
Prepared compare_kernel(const Broadcast<2>& plan, const Read (&reads)[2], size_t left, uint8_t flip,
                        std::string choice) {
  Broadcast<2> turned = plan;
  if (left == 1) std::swap(turned.strides[0], turned.strides[1]);
  return make_kernel(
      [turned, a = reads[left], b = reads[1 - left], left, flip](const RunArgs& args) noexcept {
        map_broadcast(turned, in<T>(args, left), in<T>(args, 1 - left), out<uint8_t>(args), args.pool, kCheapGrain,
                      [&](T x, T y) noexcept { return static_cast<uint8_t>(Compare()(a(x), b(y)) ^ flip); });
      },
      std::move(choice));
}

// A kernel for the node's comparison: six of three, by turning the operands or the answer round.
template <class T, class Read>
Prepared choose(const OpContext& context, const Broadcast<2>& plan, const Read& a, const Read& b,
                const std::string& type) {
  const Read reads[2] = {a, b};
  switch (context.node->op) {
    case Op::EQUAL: return compare_kernel<T, Equal>(plan, reads, 0, 0, "equal_" + type);
    case Op::NOT_EQUAL: return compare_kernel<T, Equal>(plan, reads, 0, 1, "not_equal_" + type);
    case Op::LESS: return compare_kernel<T, Less>(plan, reads, 0, 0, "less_" + type);
    case Op::LESS_EQUAL: return compare_kernel<T, LessEqual>(plan, reads, 0, 0, "less_equal_" + type);
    case Op::GREATER: return compare_kernel<T, Less>(plan, reads, 1, 0, "greater_" + type);
    default: return compare_kernel<T, LessEqual>(plan, reads, 1, 0, "greater_equal_" + type);
  }
}

template <class T>
Result<Prepared> choose_integer(const OpContext& context, const Broadcast<2>& plan, const std::string& type) {
  const TensorInfo &a = context.inputs[0], &b = context.inputs[1];
  if (!a.quant->quantized() && !b.quant->quantized()) return choose<T>(context, plan, Plain<T>(), Plain<T>(), type);
  FB_TRY(require_per_tensor(context, a, "the first operand"));
  FB_TRY(require_per_tensor(context, b, "the second operand"));
  return choose<T>(context, plan, Scaled{a.zero_point(), quantize_multiplier(a.scale())},
                   Scaled{b.zero_point(), quantize_multiplier(b.scale())}, type + " scaled");
}

template <class T>
Result<Prepared> choose_plain(const OpContext& context, const Broadcast<2>& plan, const std::string& type) {
  return choose<T>(context, plan, Plain<T>(), Plain<T>(), type);
}

}  // namespace

Result<Prepared> prepare_comparison(const OpContext& context) {
  const TensorInfo &a = context.inputs[0], &b = context.inputs[1];
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kBool}));
  if (a.dtype != b.dtype) return unsupported_types(context);
  const bool equality = context.node->op == Op::EQUAL || context.node->op == Op::NOT_EQUAL;
  if (a.dtype == DType::kString && equality) return prepare_string_comparison(context);
  const auto plan = plan_broadcast<2>({a.shape, b.shape}, context.outputs[0].shape);
  if (!plan)
    return context.fail(ErrorCode::kUnsupported, "broadcasting {} with {}", shape_text(a.shape), shape_text(b.shape));
  switch (a.dtype) {
    case DType::kFloat32: return choose_plain<float>(context, *plan, "f32");
    case DType::kFloat16: return choose<uint16_t>(context, *plan, HalfValue(), HalfValue(), "f16");
    case DType::kBFloat16: return choose<uint16_t>(context, *plan, BFloat16Value(), BFloat16Value(), "bf16");
    case DType::kInt32: return choose_plain<int32_t>(context, *plan, "s32");
    case DType::kInt64: return choose_plain<int64_t>(context, *plan, "s64");
    case DType::kInt16: return choose_integer<int16_t>(context, *plan, "s16");
    case DType::kInt8: return choose_integer<int8_t>(context, *plan, "s8");
    case DType::kUInt8: return choose_integer<uint8_t>(context, *plan, "u8");
    case DType::kBool:
      if (equality) return choose_plain<uint8_t>(context, *plan, "bool");
      return unsupported_types(context);
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
