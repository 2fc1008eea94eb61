// exp, tanh, logistic and gelu in float32 without branches or calls, so that loops over them become SIMD code. Always
// inlined: ISA files may use them and leave no symbol behind.
#pragma once

#include <cstdint>

#define FB_ALWAYS_INLINE inline __attribute__((always_inline))

namespace fewbits {

// 2^e for e in [-126, 127].
FB_ALWAYS_INLINE float power_of_two_f32(int32_t e) noexcept {
  return __builtin_bit_cast(float, static_cast<uint32_t>(e + 127) << 23);
}

// e^r for r in [-ln 2 / 2, ln 2 / 2].
FB_ALWAYS_INLINE float exp_of_remainder_f32(float r) noexcept {
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * (r * r) + r + 1.0f;
}

// e^x within 2 units in the last place; infinity above 88.73, subnormal and zero below, NaN for NaN. As Cephes: x = n
// ln 2 + r, a polynomial for e^r, and 2^n in two factors so that neither overflows.
FB_ALWAYS_INLINE float exp_f32(float x) noexcept {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which the low bits then hold
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  const float p = exp_of_remainder_f32(r);
  const int32_t exponent = __builtin_bit_cast(int32_t, shifted) - __builtin_bit_cast(int32_t, kRound);
  const int32_t half = exponent >> 1;
  return p * power_of_two_f32(half) * power_of_two_f32(exponent - half);
}

// 1 / (1 + e^-x) within 3 units in the last place, 0 below -87; NaN for NaN. Of e^-|x|, which cannot overflow: cheaper
// than exp_f32(), and just as exact for large negative x.
FB_ALWAYS_INLINE float logistic_f32(float x) noexcept {
  constexpr float kRound = 12582912.0f;
  constexpr float kLeast = -87.0f;
  const float of_magnitude = -__builtin_fabsf(x);
  const float m = of_magnitude < kLeast ? kLeast : of_magnitude;
  const float shifted = m * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (m - n * 0.693359375f) - n * -2.12194440e-4f;
  const float p = exp_of_remainder_f32(r);
  const int32_t exponent = __builtin_bit_cast(int32_t, shifted) - __builtin_bit_cast(int32_t, kRound);
  const float e = of_magnitude < kLeast ? 0.0f : p * power_of_two_f32(exponent);
  return (x < 0 ? e : 1.0f) / (1.0f + e);
}

// Cephes' tanhf: an odd polynomial below 0.625, else through e^2x.
FB_ALWAYS_INLINE float tanh_f32(float x) noexcept {
  const float magnitude = x < 0 ? -x : x;
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float small = p * z * x + x;
  const float large = 1.0f - 2.0f / (exp_f32(magnitude + magnitude) + 1.0f);
  const float signed_large = x < 0 ? -large : large;
  return magnitude < 0.625f ? small : signed_large;
}

// erfc(x) / 2 for x >= 0, by the Chebyshev fit of Numerical Recipes' erfcc, whose relative error is below 1.2e-7
// everywhere.
FB_ALWAYS_INLINE float half_erfc_f32(float x) noexcept {
  const float t = 1.0f / (1.0f + 0.5f * x);
  float p = 0.17087277f;
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  return 0.5f * t * exp_f32(p - x * x);
}

// x * (1 + erf(x / sqrt 2)) / 2. The tail is computed as such: nothing cancels for negative x.
FB_ALWAYS_INLINE float gelu_f32(float x) noexcept {
  const float magnitude = x < 0 ? -x : x;
  const float product = magnitude * half_erfc_f32(magnitude * 0.70710678f);
  const float tail = magnitude > 15.0f ? 0.0f : product;  // below the least float, and not infinity times 0
  return x < 0 ? -tail : x - tail;
}
// Its approximation x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2.
FB_ALWAYS_INLINE float gelu_approximate_f32(float x) noexcept {
  return 0.5f * x * (1.0f + tanh_f32(0.79788456f * (x + 0.044715f * x * x * x)));
}

}  // namespace fewbits
