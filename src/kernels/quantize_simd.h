// The array kernels of quantize.h over vectors. Include after a simd_<isa>.h.
#pragma once

#include "kernels/quantize_kernels.h"
#include "kernels/simd.h"

namespace fewbits {
namespace {

struct Quantize {
  static constexpr size_t kLanes = Simd::kLanes;
  using F32 = Simd::F32;
  using I32 = Simd::I32;

  // body(i, count) for whole vectors and then for what is left, from `i` on.
  template <class Body>
  static FB_INLINE void by_vectors(size_t count, const Body& body, size_t i = 0) {
    for (; i + kLanes <= count; i += kLanes) body(i, kLanes);
    if (i < count) body(i, count - i);
  }

  // out[i] = the byte that q(vector of in from i, count) makes, xor-ed with flip; four vectors at a time while they last.
  template <class ToInt>
  static FB_INLINE void to_bytes(const float* in, int8_t* out, size_t count, uint8_t flip, const ToInt& q) {
    size_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
      const I32 a = q(Simd::load(in + i)), b = q(Simd::load(in + i + kLanes));
      const I32 c = q(Simd::load(in + i + 2 * kLanes)), d = q(Simd::load(in + i + 3 * kLanes));
      Simd::store_s8(out + i, a, b, c, d, flip);
    }
    by_vectors(
        count, [&](size_t at, size_t n) FB_LAMBDA { Simd::store_s8(out + at, q(load(in + at, n)), flip, n); }, i);
  }

  static FB_INLINE F32 load(const float* in, size_t count) {
    return count == kLanes ? Simd::load(in) : Simd::load(in, count);
  }

  static FB_INLINE I32 to_int(F32 x, F32 lo, F32 hi) { return Simd::to_int_half_away(Simd::min(Simd::max(x, lo), hi)); }

  static void f32_to_s8(const float* in, int8_t* out, size_t count, float scale, int32_t zero_point, int32_t lo,
                        int32_t hi, uint8_t flip) noexcept {
    const F32 least = Simd::set(static_cast<float>(lo - zero_point)),
              most = Simd::set(static_cast<float>(hi - zero_point));
    const F32 divisor = Simd::set(scale);
    const I32 zero = Simd::set(zero_point);
    to_bytes(in, out, count, flip,
             [&](F32 x) FB_LAMBDA { return Simd::add(to_int(Simd::div(x, divisor), least, most), zero); });
  }

  static void f32_to_s16(const float* in, int16_t* out, size_t count, float scale, int32_t zero_point, int32_t lo,
                         int32_t hi) noexcept {
    const F32 least = Simd::set(static_cast<float>(lo - zero_point)),
              most = Simd::set(static_cast<float>(hi - zero_point));
    const F32 divisor = Simd::set(scale);
    const I32 zero = Simd::set(zero_point);
    by_vectors(count, [&](size_t i, size_t n) FB_LAMBDA {
      const I32 q = to_int(Simd::div(load(in + i, n), divisor), least, most);
      Simd::store_s16(out + i, Simd::add(q, zero), n);
    });
  }

  static void s8_to_f32(const int8_t* in, float* out, size_t count, float scale, int32_t zero_point,
                        uint8_t flip) noexcept {
    const F32 factor = Simd::set(scale);
    const I32 zero = Simd::set(zero_point);
    by_vectors(count, [&](size_t i, size_t n) FB_LAMBDA {
      const I32 q = n == kLanes ? Simd::load_s8(in + i, flip) : Simd::load_s8(in + i, flip, n);
      Simd::store(out + i, Simd::mul(factor, Simd::to_float(Simd::sub(q, zero))), n);
    });
  }

  static void s16_to_f32(const int16_t* in, float* out, size_t count, float scale, int32_t zero_point) noexcept {
    const F32 factor = Simd::set(scale);
    const I32 zero = Simd::set(zero_point);
    by_vectors(count, [&](size_t i, size_t n) FB_LAMBDA {
      const I32 q = Simd::load_s16(in + i, n);
      Simd::store(out + i, Simd::mul(factor, Simd::to_float(Simd::sub(q, zero))), n);
    });
  }

  static DynamicParams f32_to_s8_dynamic(const float* in, int8_t* out, size_t count, bool symmetric) noexcept {
    F32 least = Simd::zero(), most = Simd::zero();  // lanes beyond the end load as 0, which the range holds anyway
    F32 other_least = least, other_most = most;     // so that no vector waits for the one before it
    size_t begin = 0;
    for (; begin + 2 * kLanes <= count; begin += 2 * kLanes) {
      const F32 x = Simd::load(in + begin), y = Simd::load(in + begin + kLanes);
      least = Simd::min(x, least);
      most = Simd::max(x, most);
      other_least = Simd::min(y, other_least);
      other_most = Simd::max(y, other_most);
    }
    least = Simd::min(other_least, least);
    most = Simd::max(other_most, most);
    by_vectors(
        count,
        [&](size_t i, size_t n) FB_LAMBDA {
          const F32 x = load(in + i, n);
          least = Simd::min(x, least);
          most = Simd::max(x, most);
        },
        begin);
    const DynamicPlan plan = plan_dynamic(Simd::reduce_min(least), Simd::reduce_max(most), symmetric);
    if (plan.zero) {
      __builtin_memset(out, 0, count);
      return plan.params;
    }
    const F32 inverse = Simd::set(plan.inverse_scale), offset = Simd::set(static_cast<float>(plan.params.zero_point));
    const F32 lo = Simd::set(static_cast<float>(plan.lo)), hi = Simd::set(127.0f);
    to_bytes(in, out, count, 0,
             [&](F32 x) FB_LAMBDA { return to_int(Simd::add(offset, Simd::mul(x, inverse)), lo, hi); });
    return plan.params;
  }

  static constexpr QuantizeKernels kernels(const char* name, Isa isa) {
    return {name, isa, &f32_to_s8, &f32_to_s16, &s8_to_f32, &s16_to_f32, &f32_to_s8_dynamic};
  }
};

}  // namespace
}  // namespace fewbits
