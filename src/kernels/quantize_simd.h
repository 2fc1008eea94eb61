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

  // body(i, count) for whole vectors and then for what is left.
  template <class Body>
  static FB_INLINE void by_vectors(size_t count, const Body& body) {
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) body(i, kLanes);
    if (i < count) body(i, count - i);
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
    by_vectors(count, [&](size_t i, size_t n) FB_LAMBDA {
      const I32 q = to_int(Simd::div(load(in + i, n), divisor), least, most);
      Simd::store_s8(out + i, Simd::add(q, zero), flip, n);
    });
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
    by_vectors(count, [&](size_t i, size_t n) FB_LAMBDA {
      const F32 x = load(in + i, n);
      least = Simd::min(x, least);
      most = Simd::max(x, most);
    });
    const DynamicPlan plan = plan_dynamic(Simd::reduce_min(least), Simd::reduce_max(most), symmetric);
    if (plan.zero) {
      __builtin_memset(out, 0, count);
      return plan.params;
    }
    const F32 inverse = Simd::set(plan.inverse_scale), offset = Simd::set(static_cast<float>(plan.params.zero_point));
    const F32 lo = Simd::set(static_cast<float>(plan.lo)), hi = Simd::set(127.0f);
    by_vectors(count, [&](size_t i, size_t n) FB_LAMBDA {
      const F32 x = Simd::add(offset, Simd::mul(load(in + i, n), inverse));
      Simd::store_s8(out + i, to_int(x, lo, hi), 0, n);
    });
    return plan.params;
  }

  static constexpr QuantizeKernels kernels(const char* name, Isa isa) {
    return {name, isa, &f32_to_s8, &f32_to_s16, &s8_to_f32, &s16_to_f32, &f32_to_s8_dynamic};
  }
};

}  // namespace
}  // namespace fewbits
