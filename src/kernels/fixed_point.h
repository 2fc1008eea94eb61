// TFLite's reference fixed-point arithmetic, for the operators that are not products: multiplication by a real number
// written as a 32-bit fraction and a shift, and exp, logistic, tanh and reciprocals on fixed-point numbers. Formulas:
// tflite/kernels/internal/{quantization_util,common}.cc and gemmlowp's fixedpoint.h; the code is our own.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace fewbits {

// A real multiplier as value * 2^(shift - 31); value is 0 or in [2^30, 2^31), shift at most 30: larger ones saturate.
struct FixedMultiplier {
  int32_t value = 0;
  int shift = 0;
};

inline FixedMultiplier quantize_multiplier(double real) noexcept {
  if (real == 0.0 || std::isnan(real)) return {};
  constexpr FixedMultiplier kLargest{std::numeric_limits<int32_t>::max(), 30};
  if (std::isinf(real)) return kLargest;
  int shift = 0;
  const double fraction = std::frexp(real, &shift);
  int64_t value = static_cast<int64_t>(std::round(fraction * 2147483648.0));
  if (value == int64_t{1} << 31) {
    value /= 2;
    ++shift;
  }
  if (shift < -31) return {};
  if (shift > 30) return kLargest;
  return {static_cast<int32_t>(value), shift};
}

// a * b / 2^31, rounded to nearest with ties away from zero (to the nudge of gemmlowp, for negative ties: up).
inline int32_t saturating_rounding_doubling_high_mul(int32_t a, int32_t b) noexcept {
  if (a == b && a == std::numeric_limits<int32_t>::min()) return std::numeric_limits<int32_t>::max();
  const int64_t product = static_cast<int64_t>(a) * b;
  const int64_t nudge = product >= 0 ? (int64_t{1} << 30) : 1 - (int64_t{1} << 30);
  return static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
}
inline int16_t saturating_rounding_doubling_high_mul(int16_t a, int16_t b) noexcept {
  if (a == b && a == std::numeric_limits<int16_t>::min()) return std::numeric_limits<int16_t>::max();
  const int32_t product = static_cast<int32_t>(a) * b;
  const int32_t nudge = product >= 0 ? (1 << 14) : 1 - (1 << 14);
  return static_cast<int16_t>((product + nudge) / (1 << 15));
}

// x / 2^exponent, rounded to nearest with ties away from zero; exponent in [0, 31].
template <class Int>
constexpr Int rounding_divide_by_pot(Int x, int exponent) noexcept {
  const int64_t mask = (int64_t{1} << exponent) - 1;
  const int64_t remainder = x & mask;
  const int64_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return static_cast<Int>((x >> exponent) + (remainder > threshold ? 1 : 0));
}

// x * 2^exponent, saturated; a negative exponent divides with rounding.
template <class Int>
constexpr Int saturating_rounding_multiply_by_pot(Int x, int exponent) noexcept {
  if (exponent <= 0) return rounding_divide_by_pot(x, -exponent);
  constexpr int kBits = 8 * sizeof(Int);
  const int64_t threshold = (int64_t{1} << (kBits - 1 - exponent)) - 1;
  if (x > threshold) return std::numeric_limits<Int>::max();
  if (x < -threshold) return std::numeric_limits<Int>::min();
  return static_cast<Int>(static_cast<int64_t>(x) << exponent);
}

// x * m with TFLite's default double rounding. The left shift wraps, as there.
inline int32_t multiply_by_quantized_multiplier(int32_t x, FixedMultiplier m) noexcept {
  const int left = m.shift > 0 ? m.shift : 0;
  const int right = m.shift > 0 ? 0 : -m.shift;
  const int32_t shifted = left > 31 ? 0 : static_cast<int32_t>(static_cast<uint32_t>(x) << left);
  return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(shifted, m.value), right);
}

// The multiplier of 16x8 operators: 16 of the 32 bits.
constexpr int32_t reduced_multiplier(int32_t value) noexcept {
  return value < 0x7fff0000 ? (value + (1 << 15)) >> 16 : 0x7fff;
}

// x * m for the 64-bit accumulators of 16x8 operators: |x| < 2^47, shift in [-31, 7], ties towards plus infinity. What
// does not fit in 32 bits wraps.
inline int32_t multiply_by_quantized_multiplier(int64_t x, FixedMultiplier m) noexcept {
  const int total_shift = 15 - m.shift;
  const uint64_t product = static_cast<uint64_t>(x) * static_cast<uint64_t>(reduced_multiplier(m.value));
  const uint64_t rounded = product + (uint64_t{1} << (total_shift - 1));
  return static_cast<int32_t>(static_cast<int64_t>(rounded) >> total_shift);
}

// A number of [-2^kIntegerBits, 2^kIntegerBits) in Raw: value = raw / 2^kFractionalBits.
template <class Raw, int kIntegerBitsOf>
struct FixedPoint {
  static constexpr int kTotalBits = 8 * sizeof(Raw);
  static constexpr int kIntegerBits = kIntegerBitsOf;
  static constexpr int kFractionalBits = kTotalBits - 1 - kIntegerBits;

  Raw raw = 0;

  static constexpr FixedPoint one() noexcept {
    if constexpr (kIntegerBits == 0) return {std::numeric_limits<Raw>::max()};
    return {static_cast<Raw>(int64_t{1} << kFractionalBits)};
  }
  // 2^exponent.
  template <int exponent>
  static constexpr FixedPoint power_of_two() noexcept {
    return {static_cast<Raw>(Raw{1} << (kFractionalBits + exponent))};
  }
  // A constant given by its 32-bit raw value.
  static constexpr FixedPoint constant(int32_t raw32) noexcept {
    const int64_t rounded = rounding_divide_by_pot<int64_t>(raw32, 32 - kTotalBits);
    return {static_cast<Raw>(rounded > std::numeric_limits<Raw>::max() ? std::numeric_limits<Raw>::max() : rounded)};
  }

  friend constexpr FixedPoint operator+(FixedPoint a, FixedPoint b) noexcept { return {wrap(int64_t{a.raw} + b.raw)}; }
  friend constexpr FixedPoint operator-(FixedPoint a, FixedPoint b) noexcept { return {wrap(int64_t{a.raw} - b.raw)}; }
  constexpr FixedPoint operator-() const noexcept { return {wrap(-int64_t{raw})}; }

 private:
  static constexpr Raw wrap(int64_t value) noexcept { return static_cast<Raw>(value); }
};

template <class Raw, int kA, int kB>
inline FixedPoint<Raw, kA + kB> operator*(FixedPoint<Raw, kA> a, FixedPoint<Raw, kB> b) noexcept {
  return {saturating_rounding_doubling_high_mul(a.raw, b.raw)};
}

template <int kTo, class Raw, int kFrom>
constexpr FixedPoint<Raw, kTo> rescale(FixedPoint<Raw, kFrom> x) noexcept {
  return {saturating_rounding_multiply_by_pot(x.raw, kFrom - kTo)};
}

namespace fixed_point_detail {

template <class Raw>
constexpr Raw saturate(int64_t value) noexcept {
  constexpr int64_t kLeast = std::numeric_limits<Raw>::min(), kMost = std::numeric_limits<Raw>::max();
  return static_cast<Raw>(value < kLeast ? kLeast : value > kMost ? kMost : value);
}

// exp(a) for a in [-1/4, 0): a Taylor expansion around -1/8.
template <class Raw>
inline FixedPoint<Raw, 0> exp_on_last_quarter(FixedPoint<Raw, 0> a) noexcept {
  using F = FixedPoint<Raw, 0>;
  const F exp_of_minus_eighth = F::constant(1895147668);
  const F third = F::constant(715827883);
  const F x = a + F::template power_of_two<-3>();
  const F x2 = x * x;
  const F x3 = x2 * x;
  const F x4 = x2 * x2;
  const F x4_over_4{saturating_rounding_multiply_by_pot(x4.raw, -2)};
  const F tail{saturating_rounding_multiply_by_pot((((x4_over_4 + x3) * third) + x2).raw, -1)};
  const F product = exp_of_minus_eighth * (x + tail);
  return {saturate<Raw>(int64_t{exp_of_minus_eighth.raw} + product.raw)};
}

// Three Newton steps towards 1 / ((1 + a) / 2) for a in [0, 1].
template <class Raw>
inline FixedPoint<Raw, 2> two_over_one_plus(FixedPoint<Raw, 0> a) noexcept {
  using F0 = FixedPoint<Raw, 0>;
  using F2 = FixedPoint<Raw, 2>;
  const int64_t sum = int64_t{a.raw} + F0::one().raw;
  const F0 half_denominator{static_cast<Raw>((sum + (sum >= 0 ? 1 : -1)) / 2)};
  F2 x = F2::constant(1515870810) + half_denominator * F2::constant(-1010580540);  // 48/17 - 32/17 d
  for (int i = 0; i < 3; ++i) {
    const F2 rest = F2::one() - half_denominator * x;
    x = x + rescale<2>(x * rest);
  }
  return x;
}

}  // namespace fixed_point_detail

// exp(a) for a <= 0.
template <class Raw, int kIntegerBits>
inline FixedPoint<Raw, 0> exp_on_negative_values(FixedPoint<Raw, kIntegerBits> a) noexcept {
  using In = FixedPoint<Raw, kIntegerBits>;
  using Out = FixedPoint<Raw, 0>;
  constexpr In kQuarter = In::template power_of_two<-2>();
  if (a.raw == 0) return Out::one();
  if constexpr (kIntegerBits > 5) {
    if (a.raw < -(int64_t{1} << (In::kFractionalBits + 5))) return Out{};  // below -32
  }
  const In last_quarter{static_cast<Raw>((a.raw & (kQuarter.raw - 1)) - kQuarter.raw)};
  Out result = fixed_point_detail::exp_on_last_quarter(rescale<0>(last_quarter));
  const Raw remainder = static_cast<Raw>(int64_t{last_quarter.raw} - a.raw);
  // exp(-2^i) for i = -2 .. 4: one factor for each bit of what is left of a.
  constexpr int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  for (int i = -2; i <= 4 && i < kIntegerBits; ++i) {
    if (remainder & (int64_t{1} << (In::kFractionalBits + i))) result = result * Out::constant(kFactors[i + 2]);
  }
  return result;
}

// 1 / (1 + a) for a in [0, 1].
template <class Raw>
inline FixedPoint<Raw, 0> one_over_one_plus_x(FixedPoint<Raw, 0> a) noexcept {
  const auto x = fixed_point_detail::two_over_one_plus(a);
  return rescale<0>(FixedPoint<Raw, 1>{x.raw});  // half of it: the same bits read with one integer bit less
}

// (1 - a) / (1 + a) for a in [0, 1].
template <class Raw>
inline FixedPoint<Raw, 0> one_minus_x_over_one_plus_x(FixedPoint<Raw, 0> a) noexcept {
  return rescale<0>(fixed_point_detail::two_over_one_plus(a) - FixedPoint<Raw, 2>::one());
}

template <class Raw, int kIntegerBits>
inline FixedPoint<Raw, 0> logistic(FixedPoint<Raw, kIntegerBits> a) noexcept {
  using Out = FixedPoint<Raw, 0>;
  if (a.raw == 0) return Out::constant(1 << 30);
  const Out of_magnitude = one_over_one_plus_x(exp_on_negative_values(a.raw > 0 ? -a : a));
  return a.raw > 0 ? of_magnitude : Out::one() - of_magnitude;
}

template <class Raw, int kIntegerBits>
inline FixedPoint<Raw, 0> tanh(FixedPoint<Raw, kIntegerBits> a) noexcept {
  if (a.raw == 0) return {};
  const auto negative = a.raw < 0 ? a : -a;
  const FixedPoint<Raw, kIntegerBits + 1> twice{negative.raw};
  const auto of_magnitude = one_minus_x_over_one_plus_x(exp_on_negative_values(twice));
  return a.raw < 0 ? -of_magnitude : of_magnitude;
}

// The reciprocal of x, a positive fixed-point number of `integer_digits` integer bits: returns r with
// 1 / x = r / 2^31 / 2^bits_over_unit. Used by SOFTMAX.
inline int32_t get_reciprocal(int32_t x, int integer_digits, int* bits_over_unit) noexcept {
  const int headroom_plus_one = std::countl_zero(static_cast<uint32_t>(x));
  *bits_over_unit = integer_digits - headroom_plus_one;
  const uint32_t shifted = headroom_plus_one > 31 ? 0 : static_cast<uint32_t>(x) << headroom_plus_one;
  return one_over_one_plus_x(FixedPoint<int32_t, 0>{static_cast<int32_t>(shifted - (uint32_t{1} << 31))}).raw;
}

// 1 / sqrt(x) as a multiplier, by five Newton steps; shift is a left shift. Used by L2_NORMALIZATION.
inline FixedMultiplier inverse_sqrt_multiplier(int32_t x) noexcept {
  using F3 = FixedPoint<int32_t, 3>;
  if (x <= 1) return {std::numeric_limits<int32_t>::max(), 0};
  int right_shift = 11;
  for (; x >= (1 << 29); x /= 4) ++right_shift;
  const int pairs = (std::countl_zero(static_cast<uint32_t>(x)) - 1) / 2 - 1;
  right_shift -= pairs;
  x <<= 2 * pairs;
  const F3 input{x >> 1};
  const F3 half_input{saturating_rounding_multiply_by_pot(input.raw, -1)};
  const F3 one_and_half{(1 << 28) + (1 << 27)};
  F3 root = F3::one();
  for (int i = 0; i < 5; ++i) root = rescale<3>(one_and_half * root - half_input * rescale<3>(root * root * root));
  const int32_t value = (root * FixedPoint<int32_t, 0>{1518500250}).raw;  // sqrt(1/2)
  if (right_shift < 0) return {static_cast<int32_t>(static_cast<uint32_t>(value) << -right_shift), 0};
  return {value, -right_shift};
}

}  // namespace fewbits
