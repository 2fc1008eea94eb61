// The order in which the AVX-512 VNNI kernels keep up to 64 neighbouring channels in vectors of 16 sums, and their way
// from there to bytes: packing narrows within 128-bit lanes, so channels are dealt to the vectors four by four and
// packing brings them back in order. Include after simd_avx512.h.
#pragma once

#include "kernels/requantize_simd.h"
#include "kernels/simd_avx512.h"

namespace fewbits {
namespace {

// The channel that lane `i` of vector `v` holds, of a block of 1, 2 or 4 vectors.
constexpr size_t natural_channel(size_t vectors, size_t v, size_t i) noexcept {
  return i / 4 * 4 * vectors + v * 4 + i % 4;
}

FB_INLINE __mmask64 first_bytes(size_t count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

// From natural to accumulator order. Four vectors: a transposition of 4 x 4 lanes of 128 bits, its own inverse.
FB_INLINE void to_accumulator_order(__m512i (&)[1]) {}
FB_INLINE void to_accumulator_order(__m512i (&x)[2]) {
  const __m512i even = _mm512_shuffle_i32x4(x[0], x[1], 0x88), odd = _mm512_shuffle_i32x4(x[0], x[1], 0xdd);
  x[0] = even;
  x[1] = odd;
}
FB_INLINE void to_accumulator_order(__m512i (&x)[4]) {
  const __m512i a = _mm512_shuffle_i32x4(x[0], x[1], 0x44), b = _mm512_shuffle_i32x4(x[0], x[1], 0xee);
  const __m512i c = _mm512_shuffle_i32x4(x[2], x[3], 0x44), d = _mm512_shuffle_i32x4(x[2], x[3], 0xee);
  x[0] = _mm512_shuffle_i32x4(a, c, 0x88);
  x[1] = _mm512_shuffle_i32x4(a, c, 0xdd);
  x[2] = _mm512_shuffle_i32x4(b, d, 0x88);
  x[3] = _mm512_shuffle_i32x4(b, d, 0xdd);
}

// And back.
FB_INLINE void to_natural_order(__m512i (&)[1]) {}
FB_INLINE void to_natural_order(__m512i (&x)[2]) {
  const __m512i low = _mm512_shuffle_i32x4(x[0], x[1], 0x44), high = _mm512_shuffle_i32x4(x[0], x[1], 0xee);
  x[0] = _mm512_shuffle_i32x4(low, low, 0xd8);
  x[1] = _mm512_shuffle_i32x4(high, high, 0xd8);
}
FB_INLINE void to_natural_order(__m512i (&x)[4]) { to_accumulator_order(x); }

// `count` of the numbers of a block of channels, the rest 0, or all 0 where p is null; in accumulator order.
template <size_t kVectors>
FB_INLINE void load_channels(const int32_t* p, size_t count, __m512i* to) {
  __m512i x[kVectors];
  unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
    const bool any = p != nullptr && count > 16 * v;
    x[v] = any ? Simd::load(p + 16 * v, smaller(count - 16 * v, 16)) : Simd::set(0);
  });
  to_accumulator_order(x);
  unroll<kVectors>([&]<size_t v>() FB_LAMBDA { to[v] = x[v]; });
}
template <size_t kVectors>
FB_INLINE void load_channels(const float* p, size_t count, __m512* to) {
  __m512i x[kVectors];
  load_channels<kVectors>(reinterpret_cast<const int32_t*>(p), count, x);
  unroll<kVectors>([&]<size_t v>() FB_LAMBDA { to[v] = _mm512_castsi512_ps(x[v]); });
}

// Vector `x` to elements [begin, begin + 16) of `to`, of which only the first `count` exist.
template <class T, class Vector>
FB_INLINE void store_some(T* to, size_t begin, size_t count, Vector x) {
  if (count >= begin + 16) {
    Simd::store(to + begin, x);
  } else if (count > begin) {
    Simd::store(to + begin, x, count - begin);
  }
}

struct ByteOutput {
  int32_t zero_point, lo, hi;
  uint8_t flip;
};

// `count` bytes of a register.
FB_INLINE void store_bytes(int8_t* out, __m512i bytes, size_t count) {
  if (count >= 64) {
    _mm512_storeu_si512(out, bytes);
  } else {
    _mm512_mask_storeu_epi8(out, first_bytes(count), bytes);
  }
}

// How the sums of a block of channels become int8.
struct ByteScaling {
  SplitMultipliers<Simd> scale[4];
  __m512 whole[4];
  bool once = false;
  bool may_overflow = false;  // a multiplier above 1/2: a scaled sum may be past the int32

  template <size_t kVectors>
  FB_INLINE void open(const __m512* multiplier, Rounding rounding) {
    once = rounding == Rounding::kOnce;
    may_overflow = false;
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
      whole[v] = multiplier[v];
      scale[v] = SplitMultipliers<Simd>(multiplier[v]);
      may_overflow |= _mm512_cmp_ps_mask(multiplier[v], Simd::set(0.5f), _CMP_GT_OQ) != 0;
    });
  }

  // requantize() of requantize.h for rows of the block, up to its limits and its zero point.
  template <size_t kRows, size_t kVectors>
  FB_INLINE void operator()(__m512i (&sums)[kRows][kVectors]) const {
    if (once) {
      multiply(sums, [&]<size_t v>(__m512i x) FB_LAMBDA { return _mm512_mul_ps(Simd::to_float(x), whole[v]); });
    } else {
      multiply(sums, [&]<size_t v>(__m512i x) FB_LAMBDA { return scale[v](x); });
    }
    if (may_overflow) [[unlikely]] {
      each(sums, [](__m512 x) FB_LAMBDA { return _mm512_castps_si512(Simd::min(x, Simd::set(65536.0f))); });
    }
    each(sums, [](__m512 x) FB_LAMBDA { return Simd::to_int_nearest_even(x); });
  }

 private:
  // Vector by vector, so that what a vector is multiplied with is loaded once for all rows.
  template <size_t kRows, size_t kVectors, class Multiply>
  static FB_INLINE void multiply(__m512i (&x)[kRows][kVectors], const Multiply& multiplied) {
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
      unroll<kRows>([&]<size_t r>()
                        FB_LAMBDA { x[r][v] = _mm512_castps_si512(multiplied.template operator()<v>(x[r][v])); });
    });
  }
  template <size_t kRows, size_t kVectors, class Change>
  static FB_INLINE void each(__m512i (&x)[kRows][kVectors], const Change& change) {
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA { x[r][v] = change(_mm512_castsi512_ps(x[r][v])); });
    });
  }
};

// Scaled sums as bytes. The limits hold as bytes, where they cost a quarter: packing saturates as they do. kWhole: they are
// those of int8, and flip is 0.
template <bool kWhole = false, size_t kVectors>
FB_INLINE auto as_bytes(const __m512i (&x)[kVectors], const ByteOutput& output) {
  const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(output.zero_point));
  const auto least = static_cast<char>(output.lo), most = static_cast<char>(output.hi);
  const auto flip = static_cast<char>(output.flip);
  if constexpr (kVectors == 4) {
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(x[0], x[1]), zero_point);
    const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(x[2], x[3]), zero_point);
    const __m512i saturated = _mm512_packs_epi16(low, high);
    if constexpr (kWhole) return saturated;
    const __m512i bytes = _mm512_max_epi8(saturated, _mm512_set1_epi8(least));
    return _mm512_xor_si512(_mm512_min_epi8(bytes, _mm512_set1_epi8(most)), _mm512_set1_epi8(flip));
  } else if constexpr (kVectors == 2) {
    const __m512i shorts = _mm512_adds_epi16(_mm512_packs_epi32(x[0], x[1]), zero_point);
    const __m256i saturated = _mm512_cvtsepi16_epi8(shorts);
    if constexpr (kWhole) return saturated;
    const __m256i bytes = _mm256_max_epi8(saturated, _mm256_set1_epi8(least));
    return _mm256_xor_si256(_mm256_min_epi8(bytes, _mm256_set1_epi8(most)), _mm256_set1_epi8(flip));
  } else {
    const __m256i shorts = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(x[0]), _mm512_castsi512_si256(zero_point));
    const __m128i saturated = _mm256_cvtsepi16_epi8(shorts);
    if constexpr (kWhole) return saturated;
    const __m128i bytes = _mm_max_epi8(saturated, _mm_set1_epi8(least));
    return _mm_xor_si128(_mm_min_epi8(bytes, _mm_set1_epi8(most)), _mm_set1_epi8(flip));
  }
}

// The same, stored.
template <bool kWhole = false, size_t kVectors>
FB_INLINE void store_as_bytes(const __m512i (&x)[kVectors], const ByteOutput& output, int8_t* out, size_t count) {
  const auto bytes = as_bytes<kWhole>(x, output);
  if constexpr (kVectors == 4) {
    store_bytes(out, bytes, count);
  } else if constexpr (kVectors == 2) {
    _mm256_mask_storeu_epi8(out, static_cast<__mmask32>(first_bytes(smaller(count, 32))), bytes);
  } else {
    _mm_mask_storeu_epi8(out, static_cast<__mmask16>(first_bytes(smaller(count, 16))), bytes);
  }
}

}  // namespace
}  // namespace fewbits
