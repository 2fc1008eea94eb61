// exp, tanh and logistic in float32 without branches or calls, so that loops over them become SIMD code.
#pragma once

#include <bit>
#include <cstdint>

namespace fewbits {

// e^x within 2 units in the last place; infinity above 88.73, subnormal and zero below, NaN for NaN. As Cephes: x = n
// ln 2 + r, a polynomial for e^r, and 2^n in two factors so that neither overflows.
inline float exp_f32(float x) noexcept {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which the low bits then hold
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  const int32_t half = exponent >> 1;
  const auto power = [](int32_t e) { return std::bit_cast<float>(static_cast<uint32_t>(e + 127) << 23); };
  return p * power(half) * power(exponent - half);
}

// 1 / (1 + e^-x).
inline float logistic_f32(float x) noexcept { return 1.0f / (1.0f + exp_f32(-x)); }

// Cephes' tanhf: an odd polynomial below 0.625, else through e^2x.
inline float tanh_f32(float x) noexcept {
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

}  // namespace fewbits
