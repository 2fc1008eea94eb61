// The requantization of products: the one definition that every convolution, fully connected and matmul kernel follows.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/fixed_point.h"

namespace fewbits {

// An accumulator as an output of scale s_out: multiplier is float32(s_in * s_weight / s_out); lo and hi are the limits
// of the output type narrowed by the fused activation. As XNNPACK's fp32 requantization: one rounding to float32 of the
// accumulator, one of the product (never an fma), clamped, rounded to nearest even. The SIMD form is cvt, mul, max,
// min, cvt, add.
inline int32_t requantize(int32_t acc, float multiplier, int32_t zero_point, int32_t lo, int32_t hi) noexcept {
  const float least = static_cast<float>(lo - zero_point);
  const float most = static_cast<float>(hi - zero_point);
  float value = static_cast<float>(acc) * multiplier;
  value = value > least ? value : least;
  value = value < most ? value : most;
  return static_cast<int32_t>(std::lrintf(value)) + zero_point;
}

// The same for 16x8: TFLite's rule for 64-bit sums, or, where a model's bias is int32, its rule for 32-bit ones.
inline int16_t requantize_s16(int64_t sum, FixedMultiplier multiplier, bool int32_accumulator, int32_t zero_point,
                              int32_t lo, int32_t hi) noexcept {
  const int32_t scaled = int32_accumulator ? multiply_by_quantized_multiplier(static_cast<int32_t>(sum), multiplier)
                                           : multiply_by_quantized_multiplier(sum, multiplier);
  const int64_t value = static_cast<int64_t>(scaled) + zero_point;
  return static_cast<int16_t>(value < lo ? lo : value > hi ? hi : value);
}

}  // namespace fewbits
