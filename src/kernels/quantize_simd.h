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

  // out[i] = the byte that q(vector of in from i, count) makes, xor-ed with flip; four vectors at a time while they last. gate:
  // what in is multiplied by, or null.
  template <class ToInt>
  static FB_INLINE void to_bytes(const float* in, int8_t* out, size_t count, uint8_t flip, const ToInt& q,
                                 const float* gate = nullptr) {
    const auto value = [&](size_t i, size_t n) FB_LAMBDA {
      return gate == nullptr ? load(in + i, n) : Simd::mul(load(in + i, n), load(gate + i, n));
    };
    size_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
      const I32 a = q(value(i, kLanes)), b = q(value(i + kLanes, kLanes));
      const I32 c = q(value(i + 2 * kLanes, kLanes)), d = q(value(i + 3 * kLanes, kLanes));
      Simd::store_s8(out + i, a, b, c, d, flip);
    }
    by_vectors(count, [&](size_t at, size_t n) FB_LAMBDA { Simd::store_s8(out + at, q(value(at, n)), flip, n); }, i);
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

  // Two ranges side by side, so that no vector waits for the one before it. Lanes beyond the end load as 0, which a range holds
  // anyway.
  struct Ranges {
    F32 least = Simd::zero(), most = Simd::zero(), other_least = Simd::zero(), other_most = Simd::zero();

    // value(i, count): `count` values from the i-th of `width` on.
    template <class Value>
    FB_INLINE void add(size_t width, const Value& value) {
      size_t begin = 0;
      for (; begin + 2 * kLanes <= width; begin += 2 * kLanes) {
        const F32 x = value(begin, kLanes), y = value(begin + kLanes, kLanes);
        least = Simd::min(x, least);
        most = Simd::max(x, most);
        other_least = Simd::min(y, other_least);
        other_most = Simd::max(y, other_most);
      }
      by_vectors(
          width,
          [&](size_t i, size_t n) FB_LAMBDA {
            const F32 x = value(i, n);
            least = Simd::min(x, least);
            most = Simd::max(x, most);
          },
          begin);
    }
  };

  static DynamicRange dynamic_range(const DynamicInput& in) noexcept {
    Ranges ranges;
    if (in.gate == nullptr) {
      ranges.add(in.rows * in.width, [&](size_t i, size_t n) FB_LAMBDA { return load(in.data + i, n); });
    } else {
      const float* row = in.data;
      for (size_t r = 0; r < in.rows; ++r, row += in.width) {
        ranges.add(in.width,
                   [&](size_t i, size_t n) FB_LAMBDA { return Simd::mul(load(row + i, n), load(in.gate + i, n)); });
      }
    }
    return {Simd::reduce_min(Simd::min(ranges.other_least, ranges.least)),
            Simd::reduce_max(Simd::max(ranges.other_most, ranges.most))};
  }

  static void dynamic_to_s8(const DynamicInput& in, const DynamicPlan& plan, int8_t* out) noexcept {
    if (plan.zero) {
      __builtin_memset(out, 0, in.rows * in.width);
      return;
    }
    const F32 inverse = Simd::set(plan.inverse_scale), offset = Simd::set(static_cast<float>(plan.params.zero_point));
    const F32 lo = Simd::set(static_cast<float>(plan.lo)), hi = Simd::set(127.0f);
    const auto q = [&](F32 x) FB_LAMBDA { return to_int(Simd::add(offset, Simd::mul(x, inverse)), lo, hi); };
    if (in.gate == nullptr) return to_bytes(in.data, out, in.rows * in.width, 0, q);
    const float* row = in.data;
    for (size_t r = 0; r < in.rows; ++r, row += in.width, out += in.width) {
      to_bytes(row, out, in.width, 0, q, in.gate);
    }
  }

  static constexpr QuantizeKernels kernels(const char* name, Isa isa) {
    return {name, isa, &f32_to_s8, &f32_to_s16, &s8_to_f32, &s16_to_f32, &dynamic_range, &dynamic_to_s8};
  }
};

}  // namespace
}  // namespace fewbits
