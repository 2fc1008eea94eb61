// prepare() of MAXIMUM, MINIMUM, POW, FLOOR_DIV, FLOOR_MOD, ATAN2, BITWISE_XOR, RIGHT_SHIFT and ADD_N.
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/half.h"
#include "ops/binary/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class T, class F>
Prepared kernel(const Broadcast<2>& plan, F f, std::string choice, size_t grain = kCheapGrain) {
  return make_kernel(
      [plan, f, grain](const RunArgs& args) noexcept {
        map_broadcast(plan, in<T>(args, 0), in<T>(args, 1), out<T>(args), args.pool, grain, f);
      },
      std::move(choice));
}

Result<Broadcast<2>> plan_same_types(const OpContext& context) {
  if (context.inputs[0].dtype != context.outputs[0].dtype) return unsupported_types(context);
  return plan_operands(context);
}

// The larger or the smaller one; the second operand where they do not compare (NaN), as LiteRT's `a > b ? a : b`.
template <bool kLarger, class T>
T pick(T a, T b) noexcept {
  return (kLarger ? a > b : a < b) ? a : b;
}

template <bool kLarger, float (*kToFloat)(uint16_t) noexcept>
uint16_t pick_16bit_float(uint16_t a, uint16_t b) noexcept {
  const float x = kToFloat(a), y = kToFloat(b);
  return (kLarger ? x > y : x < y) ? a : b;
}

template <bool kLarger>
Result<Prepared> prepare_pick(const OpContext& context) {
  FB_ASSIGN(const Broadcast<2> plan, plan_same_types(context));
  const std::string name = kLarger ? "maximum_" : "minimum_";
  const auto of = [&]<class T>(T, const char* suffix) {
    return kernel<T>(plan, [](T a, T b) noexcept { return pick<kLarger>(a, b); }, name + suffix);
  };
  switch (context.outputs[0].dtype) {
    case DType::kFloat32: return of(float(), "f32");
    case DType::kInt8: return of(int8_t(), "s8");
    case DType::kUInt8: return of(uint8_t(), "u8");
    case DType::kInt16: return of(int16_t(), "s16");
    case DType::kInt32: return of(int32_t(), "s32");
    case DType::kInt64: return of(int64_t(), "s64");
    case DType::kFloat16: return kernel<uint16_t>(plan, pick_16bit_float<kLarger, half_to_float>, name + "f16");
    case DType::kBFloat16: return kernel<uint16_t>(plan, pick_16bit_float<kLarger, bfloat16_to_float>, name + "bf16");
    default: return unsupported_types(context);
  }
}

// base^exponent, wrapping; a negative exponent gives the truncated reciprocal.
int32_t integer_power(int32_t base, int32_t exponent) noexcept {
  if (exponent < 0) {
    if (base == 1 || base == -1) return exponent % 2 == 0 ? 1 : base;
    return 0;
  }
  uint32_t result = 1, factor = static_cast<uint32_t>(base);
  for (auto rest = static_cast<uint32_t>(exponent); rest != 0; rest >>= 1, factor *= factor) {
    if (rest & 1) result *= factor;
  }
  return static_cast<int32_t>(result);
}

template <class T>
T floor_divide(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::floor(a / b);
  } else {
    if (b == 0) return 0;
    if (b == -1) return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
    const T quotient = static_cast<T>(a / b);
    return static_cast<T>(a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient);
  }
}

template <class T>
T floor_modulo(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    const T rest = std::fmod(a, b);
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
  } else {
    if (b == 0 || b == -1) return 0;
    const T rest = static_cast<T>(a % b);
    return static_cast<T>(rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest);
  }
}

template <class T>
T shift_right(T x, T by) noexcept {
  constexpr T kMost = static_cast<T>(8 * sizeof(T) - 1);
  const T bits = by < 0 ? T{0} : by > kMost ? kMost : by;
  return static_cast<T>(x >> bits);
}

// What a sum is computed in: integers wrap.
inline float wide(float x) noexcept { return x; }
inline uint32_t wide(int32_t x) noexcept { return static_cast<uint32_t>(x); }

template <class T>
Result<Prepared> add_n(const OpContext& context, const char* choice) {
  return make_kernel(
      [count = context.outputs[0].count(), operands = context.inputs.size()](const RunArgs& args) noexcept {
        parallel_for(args.pool, count, kCheapGrain, [&](size_t begin, size_t end) {
          T* sum = out<T>(args);
          const T *first = in<T>(args, 0), *second = in<T>(args, operands > 1 ? 1 : 0);
          // The first two at once: the output may lie over either of them, and over no later one.
          for (size_t i = begin; i < end; ++i) {
            sum[i] = operands > 1 ? static_cast<T>(wide(first[i]) + wide(second[i])) : first[i];
          }
          for (size_t k = 2; k < operands; ++k) {
            const T* next = in<T>(args, k);
            for (size_t i = begin; i < end; ++i) sum[i] = static_cast<T>(wide(sum[i]) + wide(next[i]));
          }
        });
      },
      choice);
}

}  // namespace

Result<Prepared> prepare_maximum_minimum(const OpContext& context) {
  return context.node->op == Op::MAXIMUM ? prepare_pick<true>(context) : prepare_pick<false>(context);
}

Result<Prepared> prepare_power(const OpContext& context) {
  FB_ASSIGN(const Broadcast<2> plan, plan_same_types(context));
  switch (context.outputs[0].dtype) {
    case DType::kFloat32:
      return kernel<float>(plan, [](float a, float b) noexcept { return std::pow(a, b); }, "pow_f32", kCostlyGrain);
    case DType::kInt32: return kernel<int32_t>(plan, integer_power, "pow_s32", kCostlyGrain);
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_floor(const OpContext& context) {
  FB_ASSIGN(const Broadcast<2> plan, plan_same_types(context));
  const bool divides = context.node->op == Op::FLOOR_DIV;
  const auto of = [&]<class T>(T, const char* suffix) {
    return divides
               ? kernel<T>(
                     plan, [](T a, T b) noexcept { return floor_divide(a, b); }, std::string("floor_div_") + suffix)
               : kernel<T>(
                     plan, [](T a, T b) noexcept { return floor_modulo(a, b); }, std::string("floor_mod_") + suffix);
  };
  switch (context.outputs[0].dtype) {
    case DType::kFloat32: return of(float(), "f32");
    case DType::kInt8: return of(int8_t(), "s8");
    case DType::kInt16: return of(int16_t(), "s16");
    case DType::kInt32: return of(int32_t(), "s32");
    case DType::kInt64: return of(int64_t(), "s64");
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_atan2(const OpContext& context) {
  FB_ASSIGN(const Broadcast<2> plan, plan_same_types(context));
  switch (context.outputs[0].dtype) {
    case DType::kFloat32:
      return kernel<float>(plan, [](float y, float x) noexcept { return std::atan2(y, x); }, "atan2_f32", kCostlyGrain);
    case DType::kFloat64:
      return kernel<double>(
          plan, [](double y, double x) noexcept { return std::atan2(y, x); }, "atan2_f64", kCostlyGrain);
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_bits(const OpContext& context) {
  FB_ASSIGN(const Broadcast<2> plan, plan_same_types(context));
  const bool is_xor = context.node->op == Op::BITWISE_XOR;
  const auto of = [&]<class T>(T, const char* suffix) {
    return is_xor
               ? kernel<T>(
                     plan, [](T a, T b) noexcept { return static_cast<T>(a ^ b); }, std::string("xor_") + suffix)
               : kernel<T>(
                     plan, [](T a, T b) noexcept { return shift_right(a, b); }, std::string("shift_right_") + suffix);
  };
  switch (context.outputs[0].dtype) {
    case DType::kInt8: return of(int8_t(), "s8");
    case DType::kUInt8: return of(uint8_t(), "u8");
    case DType::kInt16: return of(int16_t(), "s16");
    case DType::kUInt16: return of(uint16_t(), "u16");
    case DType::kInt32: return of(int32_t(), "s32");
    case DType::kUInt32: return of(uint32_t(), "u32");
    case DType::kBool:
      if (!is_xor) return unsupported_types(context);
      return kernel<uint8_t>(
          plan, [](uint8_t a, uint8_t b) noexcept { return static_cast<uint8_t>((a != 0) != (b != 0)); }, "xor_bool");
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_add_n(const OpContext& context) {
  for (const TensorInfo& input : context.inputs) {
    if (!input.present || input.dtype != context.outputs[0].dtype) return unsupported_types(context);
  }
  switch (context.outputs[0].dtype) {
    case DType::kFloat32: return add_n<float>(context, "add_n_f32");
    case DType::kInt32: return add_n<int32_t>(context, "add_n_s32");
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
