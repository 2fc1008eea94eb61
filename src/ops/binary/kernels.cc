// prepare() of ADD, SUB, MUL, DIV and SQUARED_DIFFERENCE on floats and plain integers.
#include <complex>
#include <limits>
#include <type_traits>

#include "base/half.h"
#include "ops/binary/f32_rows.h"
#include "ops/binary/op.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// A float16 that computes in float32.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  explicit Half(float value) noexcept : bits(float_to_half(value)) {}
  operator float() const noexcept { return half_to_float(bits); }
};

// In what a type computes: itself, unsigned integers that wrap, float32.
template <class T>
struct Compute {
  using type = T;
};
template <>
struct Compute<int32_t> {
  using type = uint32_t;
};
template <>
struct Compute<int64_t> {
  using type = uint64_t;
};
template <>
struct Compute<int16_t> {
  using type = uint32_t;
};
template <>
struct Compute<Half> {
  using type = float;
};

template <class T>
struct Sum {
  T operator()(T a, T b) const noexcept { return static_cast<T>(wide(a) + wide(b)); }
  static auto wide(T x) noexcept { return static_cast<typename Compute<T>::type>(x); }
};
template <class T>
struct Difference {
  T operator()(T a, T b) const noexcept { return static_cast<T>(Sum<T>::wide(a) - Sum<T>::wide(b)); }
};
template <class T>
struct Product {
  T operator()(T a, T b) const noexcept { return static_cast<T>(Sum<T>::wide(a) * Sum<T>::wide(b)); }
};
template <class T>
struct SquaredDifference {
  T operator()(T a, T b) const noexcept {
    const auto difference = Sum<T>::wide(a) - Sum<T>::wide(b);
    return static_cast<T>(difference * difference);
  }
};
template <class T>
struct Quotient {
  T operator()(T a, T b) const noexcept {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) return 0;
      if (b == -1) return static_cast<T>(0 - Sum<T>::wide(a));  // the least integer has no negative: it wraps
      return a / b;
    } else {
      return static_cast<T>(Sum<T>::wide(a) / Sum<T>::wide(b));
    }
  }
};

template <class T, class F>
Prepared plain_kernel(const Broadcast<2>& plan, FloatRange range, F f, std::string choice) {
  using Limits = std::numeric_limits<T>;
  constexpr bool kWhole = std::is_integral_v<T>;
  constexpr float kMax = std::numeric_limits<float>::max();
  if (kWhole && range.lo == -kMax && range.hi == kMax) {
    return make_kernel(
        [plan, f](const RunArgs& args) noexcept {
          map_broadcast(plan, in<T>(args, 0), in<T>(args, 1), out<T>(args), args.pool, kCheapGrain, f);
        },
        std::move(choice));
  }
  T lo, hi;
  if constexpr (kWhole) {
    lo =
        range.lo == -kMax ? Limits::lowest() : static_cast<T>(std::max(range.lo, static_cast<float>(Limits::lowest())));
    hi = range.hi == kMax ? Limits::max() : static_cast<T>(range.hi);
  } else if constexpr (std::is_same_v<T, Half>) {
    lo = Half(std::max(range.lo, -65504.0f));
    hi = Half(std::min(range.hi, 65504.0f));
  } else {
    lo = range.lo;
    hi = range.hi;
  }
  return make_kernel(
      [plan, f, lo, hi](const RunArgs& args) noexcept {
        map_broadcast(plan, in<T>(args, 0), in<T>(args, 1), out<T>(args), args.pool, kCheapGrain,
                      [f, lo, hi](T a, T b) noexcept {
                        const T x = f(a, b);
                        const T y = x < lo ? lo : x;  // NaN stays
                        return y > hi ? hi : y;
                      });
      },
      std::move(choice));
}

template <template <class> class F, class... Types>
Result<Prepared> choose(const OpContext& context, const Broadcast<2>& plan, FloatRange range, const std::string& name) {
  const DType type = context.outputs[0].dtype;
  std::optional<Prepared> chosen;
  const auto attempt = [&]<class T>(DType candidate, const char* suffix, T) {
    if (!chosen && type == candidate && (std::is_same_v<T, Types> || ...)) {
      if constexpr ((std::is_same_v<T, Types> || ...)) chosen = plain_kernel<T>(plan, range, F<T>(), name + suffix);
    }
  };
  attempt(DType::kFloat32, "_f32", float());
  attempt(DType::kFloat16, "_f16", Half());
  attempt(DType::kInt16, "_s16 plain", int16_t());
  attempt(DType::kInt32, "_s32", int32_t());
  attempt(DType::kUInt32, "_u32", uint32_t());
  attempt(DType::kInt64, "_s64", int64_t());
  if (!chosen) return unsupported_types(context);
  return *std::move(chosen);
}

// float32 sums, differences and products have rows for every ISA; nothing for others, and where there is no such row.
std::optional<Prepared> f32_rows_kernel(const OpContext& context, const Broadcast<2>& plan, FloatRange range) {
  const F32Rows* rows = select_f32_rows();
  if (rows == nullptr || context.outputs[0].dtype != DType::kFloat32) return std::nullopt;
  F32Row row = nullptr;
  std::string name;
  switch (context.node->op) {
    case Op::ADD: row = rows->sum, name = "add_f32 rows "; break;
    case Op::SUB: row = rows->difference, name = "sub_f32 rows "; break;
    case Op::MUL: row = rows->product, name = "mul_f32 rows "; break;
    default: return std::nullopt;
  }
  return make_kernel(
      [plan, row, limits = F32RowArgs{range.lo, range.hi}](const RunArgs& args) noexcept {
        for_each_row(plan, args.pool, kCheapGrain, [&](const std::array<size_t, 2>& offsets, size_t at, size_t length) {
          row(limits, in<float>(args, 0) + offsets[0], plan.row_stride(0), in<float>(args, 1) + offsets[1],
              plan.row_stride(1), out<float>(args) + at, length);
        });
      },
      name + rows->name);
}

Prepared complex_product(const Broadcast<2>& plan) {
  using Complex = std::complex<float>;
  return make_kernel(
      [plan](const RunArgs& args) noexcept {
        map_broadcast(plan, in<Complex>(args, 0), in<Complex>(args, 1), out<Complex>(args), args.pool, kCheapGrain,
                      [](Complex a, Complex b) noexcept {
                        return Complex(a.real() * b.real() - a.imag() * b.imag(),
                                       a.real() * b.imag() + a.imag() * b.real());
                      });
      },
      "mul_c64");
}

}  // namespace

Result<Broadcast<2>> plan_operands(const OpContext& context) {
  const TensorInfo &a = context.inputs[0], &b = context.inputs[1];
  if (a.dtype != b.dtype) return unsupported_types(context);
  const auto plan = plan_broadcast<2>({a.shape, b.shape}, context.outputs[0].shape);
  if (!plan) {
    return context.fail(ErrorCode::kUnsupported, "broadcasting {} with {} alternates between the operands too often",
                        shape_text(a.shape), shape_text(b.shape));
  }
  return *plan;
}

Result<Prepared> prepare_arithmetic(const OpContext& context) {
  FB_ASSIGN(const Broadcast<2> plan, plan_operands(context));
  const DType type = context.outputs[0].dtype;
  if (type == DType::kInt8 || type == DType::kUInt8 || (type == DType::kInt16 && is_quantized(context))) {
    return prepare_quantized_arithmetic(context, plan);
  }
  if (context.inputs[0].dtype != type) return unsupported_types(context);
  FB_ASSIGN(const FloatRange range, activation_range(context, fused_activation(*context.node)));
  if (auto rows = f32_rows_kernel(context, plan, range)) return *std::move(rows);
  switch (context.node->op) {
    case Op::ADD: return choose<Sum, float, Half, int16_t, int32_t, int64_t>(context, plan, range, "add");
    case Op::SUB: return choose<Difference, float, Half, int32_t, int64_t>(context, plan, range, "sub");
    case Op::DIV: return choose<Quotient, float, Half, int32_t>(context, plan, range, "div");
    case Op::SQUARED_DIFFERENCE:
      return choose<SquaredDifference, float, int32_t>(context, plan, range, "squared_difference");
    default: break;
  }
  if (type == DType::kComplex64) {
    if (fused_activation(*context.node) != tflite::ActivationFunctionType::NONE) {
      return context.fail(ErrorCode::kInvalidModel, "complex numbers have no fused activation");
    }
    return complex_product(plan);
  }
  return choose<Product, float, Half, int16_t, int32_t, uint32_t, int64_t>(context, plan, range, "mul");
}

}  // namespace fewbits::ops
