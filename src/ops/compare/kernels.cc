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
struct NotEqual {
  bool operator()(auto a, auto b) const noexcept { return a != b; }
};
struct Less {
  bool operator()(auto a, auto b) const noexcept { return a < b; }
};
struct LessEqual {
  bool operator()(auto a, auto b) const noexcept { return a <= b; }
};
struct Greater {
  bool operator()(auto a, auto b) const noexcept { return a > b; }
};
struct GreaterEqual {
  bool operator()(auto a, auto b) const noexcept { return a >= b; }
};

template <class T, class Compare, class Read>
Prepared compare_kernel(const Broadcast<2>& plan, const Read& read_a, const Read& read_b, std::string choice) {
  return make_kernel(
      [plan, read_a, read_b](const RunArgs& args) noexcept {
        map_broadcast(plan, in<T>(args, 0), in<T>(args, 1), out<uint8_t>(args), args.pool, kCheapGrain,
                      [&](T a, T b) noexcept { return static_cast<uint8_t>(Compare()(read_a(a), read_b(b))); });
      },
      std::move(choice));
}

// A kernel for the node's comparison.
template <class T, class Read>
Prepared choose(const OpContext& context, const Broadcast<2>& plan, const Read& a, const Read& b,
                const std::string& type) {
  switch (context.node->op) {
    case Op::EQUAL: return compare_kernel<T, Equal>(plan, a, b, "equal_" + type);
    case Op::NOT_EQUAL: return compare_kernel<T, NotEqual>(plan, a, b, "not_equal_" + type);
    case Op::LESS: return compare_kernel<T, Less>(plan, a, b, "less_" + type);
    case Op::LESS_EQUAL: return compare_kernel<T, LessEqual>(plan, a, b, "less_equal_" + type);
    case Op::GREATER: return compare_kernel<T, Greater>(plan, a, b, "greater_" + type);
    default: return compare_kernel<T, GreaterEqual>(plan, a, b, "greater_equal_" + type);
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
