// exp, tanh, logistic and gelu in float32, without branches or calls: over one number, or over the vectors of an ISA. Every
// multiplication with an addition is rounded once and the operations are the same everywhere, so that all machines compute the
// same bits; a processor without such an instruction has it from the C library, slowly.
//
// S is ScalarMath or an ISA's Simd. All is inlined or local: nothing here is a symbol that objects of several ISAs share.
#pragma once

#include <cstddef>
#include <cstdint>

#define FB_ALWAYS_INLINE inline __attribute__((always_inline))

namespace fewbits {
namespace {

// What FloatMath needs, on one number.
struct ScalarMath {
  static constexpr size_t kLanes = 1;
  using F32 = float;
  using I32 = uint32_t;

  static FB_ALWAYS_INLINE float load(const float* p) { return *p; }
  static FB_ALWAYS_INLINE void store(float* p, float x) { *p = x; }
  static FB_ALWAYS_INLINE float load(const float* p, size_t) { return *p; }
  static FB_ALWAYS_INLINE void store(float* p, float x, size_t) { *p = x; }
  static FB_ALWAYS_INLINE float set(float x) { return x; }
  static FB_ALWAYS_INLINE uint32_t set(int32_t x) { return static_cast<uint32_t>(x); }
  static FB_ALWAYS_INLINE float add(float a, float b) { return a + b; }
  static FB_ALWAYS_INLINE float mul(float a, float b) { return a * b; }
  static FB_ALWAYS_INLINE float div(float a, float b) { return a / b; }
  static FB_ALWAYS_INLINE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static FB_ALWAYS_INLINE float min(float a, float b) { return a < b ? a : b; }
  static FB_ALWAYS_INLINE float max(float a, float b) { return a > b ? a : b; }
  static FB_ALWAYS_INLINE float abs(float x) { return __builtin_fabsf(x); }
  static FB_ALWAYS_INLINE float copy_sign(float x, float sign) { return __builtin_copysignf(x, sign); }
  static FB_ALWAYS_INLINE float select_less(float a, float b, float yes, float no) { return a < b ? yes : no; }
  static FB_ALWAYS_INLINE uint32_t add(uint32_t a, uint32_t b) { return a + b; }
  static FB_ALWAYS_INLINE uint32_t sub(uint32_t a, uint32_t b) { return a - b; }
  static FB_ALWAYS_INLINE uint32_t bit_and(uint32_t a, uint32_t b) { return a & b; }
  template <int kBits>
  static FB_ALWAYS_INLINE uint32_t shift_left(uint32_t x) {
    return x << kBits;
  }
  template <int kBits>
  static FB_ALWAYS_INLINE uint32_t shift_right(uint32_t x) {  // copies of the sign come in
    return static_cast<uint32_t>(static_cast<int32_t>(x) >> kBits);
  }
  static FB_ALWAYS_INLINE uint32_t as_bits(float x) { return __builtin_bit_cast(uint32_t, x); }
  static FB_ALWAYS_INLINE float as_real(uint32_t x) { return __builtin_bit_cast(float, x); }
  static FB_ALWAYS_INLINE float lookup16(const float* table, uint32_t index) { return table[index & 15]; }
};

// 2^(j / 16).
alignas(64) constexpr float kSixteenthPowers[16] = {
    1.0f,        1.04427378f, 1.09050773f, 1.13878864f, 1.18920712f, 1.24185781f, 1.29683955f, 1.35425555f,
    1.41421356f, 1.47682615f, 1.54221083f, 1.61049033f, 1.68179283f, 1.75625216f, 1.83400809f, 1.91520656f};

template <class S>
struct FloatMath {
  using F32 = typename S::F32;
  using I32 = typename S::I32;

  static FB_ALWAYS_INLINE F32 set(float x) { return S::set(x); }
  static FB_ALWAYS_INLINE F32 fma(F32 a, F32 b, float c) { return S::fma(a, b, set(c)); }

  // e^x = 2^(k / 16) * p: k is the nearest integer to 16 x / ln 2, p a polynomial for what is left.
  struct ExpParts {
    I32 k;  // in two's complement in the low bits; those above 22 hold something else
    F32 p;
  };
  static FB_ALWAYS_INLINE ExpParts exp_parts(F32 x) {
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which the low bits then hold
    const F32 shifted = fma(x, set(16 * 1.44269504f), kRound);
    const F32 k = S::add(shifted, set(-kRound));
    const F32 r = S::fma(k, set(1.90465421e-9f / 16), S::fma(k, set(-0.693147182f / 16), x));
    F32 p = fma(set(1.0f / 6), r, 0.5f);
    p = fma(p, r, 1.0f);
    p = fma(p, r, 1.0f);
    return {S::as_bits(shifted), p};
  }
  // 2^(k / 16), which must be a normal number.
  static FB_ALWAYS_INLINE F32 sixteenth_power(I32 k) {
    const I32 exponent = S::template shift_left<19>(S::bit_and(k, S::set(int32_t{-16})));
    return S::as_real(S::add(S::as_bits(S::lookup16(kSixteenthPowers, k)), exponent));
  }

  // e^x within 2 units in the last place; infinity above 88.73, subnormal and zero below, NaN for NaN. The power in two
  // factors, so that neither overflows.
  static FB_ALWAYS_INLINE F32 exp(F32 x) {
    const ExpParts parts = exp_parts(S::max(set(-104.0f), S::min(set(89.0f), x)));
    const I32 k = S::template shift_right<10>(S::template shift_left<10>(parts.k));
    const I32 half = S::bit_and(S::template shift_right<1>(k), S::set(int32_t{-16}));  // whole powers of 2
    const F32 factor = S::as_real(S::template shift_left<19>(S::add(half, S::set(int32_t{127 * 16}))));
    return S::mul(S::mul(parts.p, sixteenth_power(S::sub(k, half))), factor);
  }
  // e^x for x up to 88; 0 below -87.
  static FB_ALWAYS_INLINE F32 exp_or_zero(F32 x) {
    const ExpParts parts = exp_parts(S::max(set(-87.0f), x));
    return S::select_less(x, set(-87.0f), set(0.0f), S::mul(parts.p, sixteenth_power(parts.k)));
  }

  // 1 / (1 + e^-x) within 3 units in the last place, 0 below -87; NaN for NaN.
  static FB_ALWAYS_INLINE F32 logistic(F32 x) {
    const F32 near = S::max(set(-87.0f), S::min(set(87.0f), x));
    const ExpParts parts = exp_parts(S::mul(near, set(-1.0f)));
    const F32 quotient = S::div(set(1.0f), fma(sixteenth_power(parts.k), parts.p, 1.0f));
    return S::select_less(x, set(-87.0f), set(0.0f), quotient);
  }

  static FB_ALWAYS_INLINE F32 swish(F32 x) { return S::mul(x, logistic(x)); }

  // Cephes' tanhf: an odd polynomial below 0.625, else through e^2x.
  static FB_ALWAYS_INLINE F32 tanh(F32 x) {
    const F32 magnitude = S::abs(x), z = S::mul(x, x);
    F32 p = set(-5.70498872745e-3f);
    p = fma(p, z, 2.06390887954e-2f);
    p = fma(p, z, -5.37397155531e-2f);
    p = fma(p, z, 1.33314422036e-1f);
    p = fma(p, z, -3.33332819422e-1f);
    const F32 small = S::fma(S::mul(p, z), x, x);
    const ExpParts parts = exp_parts(S::min(set(87.0f), S::add(magnitude, magnitude)));
    const F32 e = fma(sixteenth_power(parts.k), parts.p, 1.0f);
    const F32 large = S::copy_sign(S::add(set(1.0f), S::div(set(-2.0f), e)), x);
    return S::select_less(magnitude, set(0.625f), small, large);
  }

  // e^x - 1 for x < 0: by its series near 0, where the difference would cancel.
  static FB_ALWAYS_INLINE F32 expm1_of_negative(F32 x) {
    F32 p = set(1.0f / 5040);
    p = fma(p, x, 1.0f / 720);
    p = fma(p, x, 1.0f / 120);
    p = fma(p, x, 1.0f / 24);
    p = fma(p, x, 1.0f / 6);
    p = fma(p, x, 0.5f);
    const F32 near = S::fma(p, S::mul(x, x), x), far = S::add(exp_or_zero(x), set(-1.0f));
    return S::select_less(set(-0.35f), x, near, far);
  }
  static FB_ALWAYS_INLINE F32 elu(F32 x) { return S::select_less(x, set(0.0f), expm1_of_negative(x), x); }

  // erfc(x) / 2 for x >= 0, by the Chebyshev fit of Numerical Recipes' erfcc, whose relative error is below 1.2e-7
  // everywhere.
  static FB_ALWAYS_INLINE F32 half_erfc(F32 x) {
    const F32 t = S::div(set(1.0f), fma(set(0.5f), x, 1.0f));
    F32 p = set(0.17087277f);
    p = fma(p, t, -0.82215223f);
    p = fma(p, t, 1.48851587f);
    p = fma(p, t, -1.13520398f);
    p = fma(p, t, 0.27886807f);
    p = fma(p, t, -0.18628806f);
    p = fma(p, t, 0.09678418f);
    p = fma(p, t, 0.37409196f);
    p = fma(p, t, 1.00002368f);
    p = fma(p, t, -1.26551223f);
    const F32 exponent = S::fma(S::mul(x, set(-1.0f)), x, p);
    return S::mul(S::mul(set(0.5f), t), exp_or_zero(exponent));
  }
  // x * (1 + erf(x / sqrt 2)) / 2. The tail is computed as such: nothing cancels for negative x.
  static FB_ALWAYS_INLINE F32 gelu(F32 x) {
    const F32 magnitude = S::abs(x);
    const F32 product = S::mul(magnitude, half_erfc(S::mul(magnitude, set(0.70710678f))));
    const F32 tail = S::select_less(set(15.0f), magnitude, set(0.0f), product);  // 0 there, not infinity times 0
    const F32 below = S::mul(tail, set(-1.0f));
    return S::select_less(x, set(0.0f), below, S::add(x, below));
  }
  // Its approximation x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2.
  static FB_ALWAYS_INLINE F32 gelu_approximate(F32 x) {
    const F32 cubic = S::fma(S::mul(S::mul(set(0.044715f), x), x), x, x), half = S::mul(set(0.5f), x);
    return S::fma(half, tanh(S::mul(set(0.79788456f), cubic)), half);
  }
};

FB_ALWAYS_INLINE float exp_f32(float x) noexcept { return FloatMath<ScalarMath>::exp(x); }
FB_ALWAYS_INLINE float tanh_f32(float x) noexcept { return FloatMath<ScalarMath>::tanh(x); }
FB_ALWAYS_INLINE float logistic_f32(float x) noexcept { return FloatMath<ScalarMath>::logistic(x); }

}  // namespace
}  // namespace fewbits
