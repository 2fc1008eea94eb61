// requantize() of requantize.h up to its limits, over a simd_<isa>.h. Include after one of those.
#pragma once

#include "kernels/requantize.h"
#include "kernels/simd.h"

namespace fewbits {
namespace {

template <class S>
struct SplitMultipliers {
  using F32 = typename S::F32;
  using I32 = typename S::I32;
  F32 fraction, power, offset;

  FB_INLINE SplitMultipliers() = default;
  explicit FB_INLINE SplitMultipliers(F32 multiplier) {
    const F32 one = S::set(1.0f);
    const I32 bits = S::as_bits(multiplier);
    const I32 mantissa = S::bit_and(bits, S::set(int32_t{0x007fffff}));
    const I32 exponent = S::bit_and(bits, S::set(int32_t{0x7f800000}));
    const F32 small = S::as_real(S::add(mantissa, S::set(int32_t{0x3f000000})));
    const F32 small_power = S::as_real(S::add(exponent, S::set(int32_t{0x00800002})));
    fraction = S::select_less(multiplier, one, small, multiplier);
    power = S::select_less(multiplier, one, small_power, S::as_real(S::set(int32_t{0x3f800002})));
    offset = S::mul(S::set(-kWholeNumbers), power);
  }

  FB_INLINE F32 operator()(I32 sums) const {
    return S::fma(S::fma(S::to_float(sums), fraction, S::set(kWholeNumbers)), power, offset);
  }
};

// Either rounding.
template <class S>
struct Requantization {
  using F32 = typename S::F32;
  using I32 = typename S::I32;

  FB_INLINE Requantization(F32 multiplier, Rounding rounding)
      : whole(multiplier), split(multiplier), once(rounding == Rounding::kOnce) {}
  FB_INLINE F32 operator()(I32 sums) const { return once ? S::mul(S::to_float(sums), whole) : split(sums); }

  F32 whole;
  SplitMultipliers<S> split;
  bool once;
};

}  // namespace
}  // namespace fewbits
