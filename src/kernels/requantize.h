// The requantization of products: the one definition that every convolution, fully connected and matmul kernel follows.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/fixed_point.h"

namespace fewbits {

// How often LiteRT's reference kernels round on the way from a sum to an output: twice, except where an operator says so.
enum class Rounding : uint8_t { kTwice, kOnce };

// 1.5 * 2^23: float32 numbers around it are whole, so that adding it rounds.
constexpr float kWholeNumbers = 12582912.0f;

constexpr float kSlightlyMore = 1.0f + 0x1p-22f;  // than 1

// A multiplier below 1 as fraction * power: fraction in [1/2, 1), power a power of two that is 2^-22 of itself too large.
// One of 1 or more is its own fraction, and power is 1, likewise too large. offset is -kWholeNumbers * power, exactly.
struct SplitMultiplier {
  explicit SplitMultiplier(float multiplier) noexcept {
    const auto bits = std::bit_cast<uint32_t>(multiplier);
    const bool below_one = multiplier < 1.0f;
    fraction = below_one ? std::bit_cast<float>((bits & 0x007fffff) + 0x3f000000) : multiplier;
    power = std::bit_cast<float>(below_one ? (bits & 0x7f800000) + 0x00800002 : 0x3f800002);
    offset = -kWholeNumbers * power;
  }
  float fraction, power, offset;
};

// An accumulator as an output of scale s_out: multiplier is float32(s_in * s_weight / s_out); lo and hi are the limits
// of the output type narrowed by the fused activation.
//
// Rounding twice, TFLite's reference takes the accumulator times a fraction to a whole number, and that by a power of two
// to the output, halves away from zero; the second meets halves often, 1 in 2^shift. So does this, in float32: an fma
// rounds to a whole number, another takes off what made it round and multiplies with a power that is a little too large,
// which moves halves away from zero and nothing else, and the conversion rounds. It differs from the reference, by one,
// where the first rounding differs: float32 has 24 bits where the reference has 31, and halves go to even, not up. That
// is one output in 10^5, more where fraction * accumulator is often a half (powers of two). Rounding once is a product
// and the conversion, halves to even. The SIMD form is cvt, fma, fma (or mul), max, min, cvt, add (requantize_simd.h).
inline int32_t requantize(int32_t acc, float multiplier, Rounding rounding, int32_t zero_point, int32_t lo,
                          int32_t hi) noexcept {
  const float least = static_cast<float>(lo - zero_point);
  const float most = static_cast<float>(hi - zero_point);
  float value = static_cast<float>(acc) * multiplier;
  if (rounding == Rounding::kTwice) {
    const SplitMultiplier split(multiplier);
    const float whole = std::fma(static_cast<float>(acc), split.fraction, kWholeNumbers);
    value = std::fma(whole, split.power, split.offset);
  }
  value = value > least ? value : least;
  value = value < most ? value : most;
  return static_cast<int32_t>(std::lrintf(value)) + zero_point;
}

// How LiteRT's kernels scale the sums of 16x8 operators: with 16 of a multiplier's 31 bits; where a convolution's bias is
// int32, after wrapping to 32 bits and in two roundings; or with all bits and one rounding, halves up.
enum class ShortRule : uint8_t { kReduced, kInt32, kOnce };

inline int16_t requantize_s16(int64_t sum, FixedMultiplier multiplier, ShortRule rule, int32_t zero_point, int32_t lo,
                              int32_t hi) noexcept {
  int64_t scaled = 0;
  switch (rule) {
    case ShortRule::kReduced: scaled = multiply_by_quantized_multiplier(sum, multiplier); break;
    case ShortRule::kInt32: scaled = multiply_by_quantized_multiplier(static_cast<int32_t>(sum), multiplier); break;
    case ShortRule::kOnce: {  // double has 53 bits, of which the result takes 16
      const double real = std::ldexp(static_cast<double>(sum) * multiplier.value, multiplier.shift - 31);
      scaled = static_cast<int64_t>(std::floor(std::clamp(real, -1e9, 1e9) + 0.5));
    }
  }
  return static_cast<int16_t>(std::clamp<int64_t>(scaled + zero_point, lo, hi));
}

}  // namespace fewbits
