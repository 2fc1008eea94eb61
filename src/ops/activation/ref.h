// The functions of activations: of real numbers, and of stored values in LiteRT's fixed point
// (kernels/internal/reference/{gelu,hard_swish,leaky_relu}.h, kernels/activations.cc).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "kernels/fixed_point.h"
#include "ops/support.h"

namespace fewbits::ops {

inline float gelu_exact(float x) noexcept {
  // erfc of the negative argument keeps its precision where 1 + erf would cancel.
  return 0.5f * x * std::erfc(x * static_cast<float>(-std::numbers::sqrt2 / 2));
}
inline constexpr float kSqrtTwoOverPi = static_cast<float>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
inline float gelu_approximate(float x) noexcept {
  return 0.5f * x * (1.0f + std::tanh(kSqrtTwoOverPi * (x + 0.044715f * x * x * x)));
}

// x on another scale, shifted and clamped.
struct RescaleArgs {
  int32_t in_zero = 0, out_zero = 0;
  IntRange clamp{0, 0};
};

// RELU and its relatives: a rescale and a clamp.
struct QuantizedRelu {
  RescaleArgs args;
  FixedMultiplier multiplier;
  int32_t operator()(int32_t q) const noexcept {
    const int32_t value = args.out_zero + multiply_by_quantized_multiplier(q - args.in_zero, multiplier);
    return std::min(std::max(value, args.clamp.lo), args.clamp.hi);
  }
};

// A negative slope multiplies by its magnitude and negates, so that ties round the other way.
struct QuantizedLeakyRelu {
  RescaleArgs args;
  FixedMultiplier identity, slope;
  bool negative_slope;

  QuantizedLeakyRelu(RescaleArgs rescale, float in_scale, float alpha, float out_scale) noexcept
      : args(rescale),
        identity(quantize_multiplier(static_cast<double>(in_scale / out_scale))),
        slope(quantize_multiplier(static_cast<double>(std::abs(in_scale * alpha / out_scale)))),
        negative_slope(alpha < 0) {}
  int32_t operator()(int32_t q) const noexcept {
    const int32_t x = q - args.in_zero;
    const int64_t scaled = multiply_by_quantized_multiplier(x, x >= 0 ? identity : slope);
    const int64_t value = (x < 0 && negative_slope ? -scaled : scaled) + args.out_zero;
    return static_cast<int32_t>(std::clamp<int64_t>(value, args.clamp.lo, args.clamp.hi));
  }
};

// The slope is the operand a.
struct QuantizedPrelu {
  RescaleArgs args;
  int32_t slope_zero = 0;
  FixedMultiplier identity, product;
  int32_t operator()(int32_t q, int32_t a) const noexcept {
    const int32_t x = q - args.in_zero;
    const int32_t value = x >= 0 ? multiply_by_quantized_multiplier(x, identity)
                                 : multiply_by_quantized_multiplier(x * (a - slope_zero), product);
    return static_cast<int32_t>(std::clamp<int64_t>(int64_t{value} + args.out_zero, args.clamp.lo, args.clamp.hi));
  }
};

inline int16_t saturating_left_shift(int16_t value, int amount) noexcept {
  return static_cast<int16_t>(
      std::clamp<int64_t>(int64_t{value} * (int64_t{1} << std::min(amount, 31)), -32768, 32767));
}

// x * relu6(x + 3) / 6 in 16 bits: x with 7 more bits on the output's scale, times a "relu-ish" factor that grows from
// 0 to 1 while x goes from -3 to 3.
struct QuantizedHardSwish {
  RescaleArgs args;
  int16_t output_multiplier = 0, reluish_multiplier = 0;
  int output_exponent = 0, reluish_exponent = 0;  // output_exponent <= 0

  QuantizedHardSwish(RescaleArgs rescale, float in_scale, float out_scale) noexcept : args(rescale) {
    const float fine_scale = (1.0f / 128.0f) * in_scale;
    const FixedMultiplier output = quantize_multiplier(static_cast<double>(fine_scale / out_scale));
    const FixedMultiplier reluish = quantize_multiplier(static_cast<double>(fine_scale / (3.0f / 32768.0f)));
    output_exponent = output.shift;
    reluish_exponent = reluish.shift;
    output_multiplier = halve(output.value);
    reluish_multiplier = halve(reluish.value);
  }
  int32_t operator()(int32_t q) const noexcept {
    const auto fine = static_cast<int16_t>((q - args.in_zero) * 128);
    const int16_t on_output_scale = saturating_rounding_doubling_high_mul(fine, output_multiplier);
    int16_t reluish = fine;
    if (reluish_exponent > 0) reluish = saturating_left_shift(reluish, reluish_exponent - 1);
    reluish = saturating_rounding_doubling_high_mul(reluish, reluish_multiplier);
    if (reluish_exponent > 0) reluish = saturating_left_shift(reluish, 1);
    if (reluish_exponent < 0) reluish = rounding_divide_by_pot(reluish, std::min(-reluish_exponent, 31));
    reluish = static_cast<int16_t>((reluish + (1 << 15)) >> 1);
    // Truncating, unlike the products above: their biases cancel.
    const auto product = static_cast<int16_t>(int32_t{reluish} * on_output_scale / (1 << 15));
    const int32_t value = rounding_divide_by_pot(product, std::min(-output_exponent, 31)) + args.out_zero;
    return std::clamp(value, args.clamp.lo, args.clamp.hi);
  }

 private:
  static int16_t halve(int32_t multiplier) noexcept {
    constexpr int32_t kHalf = 1 << 15;
    if (multiplier >= std::numeric_limits<int32_t>::max() - kHalf) return std::numeric_limits<int16_t>::max();
    return static_cast<int16_t>((multiplier + kHalf) >> 16);
  }
};

}  // namespace fewbits::ops
