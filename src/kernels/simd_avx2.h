// AVX2 and FMA as 8 lanes. The operations and their meaning are those of simd_avx512.h.
#pragma once

#include <immintrin.h>

#include "kernels/simd.h"

namespace fewbits {
namespace {

struct Simd {
  static constexpr size_t kLanes = 8;
  static constexpr size_t kRegisters = 16;
  using F32 = __m256;
  using I32 = __m256i;

  static FB_INLINE __m256i first(size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  static FB_INLINE F32 zero() { return _mm256_setzero_ps(); }
  static FB_INLINE F32 set(float x) { return _mm256_set1_ps(x); }
  static FB_INLINE I32 set(int32_t x) { return _mm256_set1_epi32(x); }

  static FB_INLINE F32 load(const float* p) { return _mm256_loadu_ps(p); }
  static FB_INLINE I32 load(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static FB_INLINE F32 load(const float* p, size_t count) {
    return count == kLanes ? load(p) : _mm256_maskload_ps(p, first(count));
  }
  static FB_INLINE I32 load(const int32_t* p, size_t count) {
    return count == kLanes ? load(p) : _mm256_maskload_epi32(p, first(count));
  }
  static FB_INLINE void store(float* p, F32 x) { _mm256_storeu_ps(p, x); }
  static FB_INLINE void store(int32_t* p, I32 x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  // A masked store takes some 50 cycles on AMD.
  static FB_INLINE void store(float* p, F32 x, size_t count) {
    if (count == kLanes) return store(p, x);
    _mm256_maskstore_ps(p, first(count), x);
  }
  static FB_INLINE void store(int32_t* p, I32 x, size_t count) {
    if (count == kLanes) return store(p, x);
    _mm256_maskstore_epi32(p, first(count), x);
  }

  static FB_INLINE I32 load_s8(const int8_t* p, uint8_t flip) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepi8_epi32(_mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
  }
  static FB_INLINE I32 load_s8(const int8_t* p, uint8_t flip, size_t count) {
    int8_t bytes[kLanes] = {};
    for (size_t i = 0; i < count; ++i) bytes[i] = p[i];
    return load_s8(bytes, flip);
  }
  static FB_INLINE void store_s8(int8_t* p, I32 x, uint8_t flip, size_t count) {
    const __m128i shorts = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    const __m128i bytes = _mm_xor_si128(_mm_packs_epi16(shorts, shorts), _mm_set1_epi8(static_cast<char>(flip)));
    if (count == kLanes) return _mm_storel_epi64(reinterpret_cast<__m128i*>(p), bytes);
    int8_t local[kLanes];
    _mm_storel_epi64(reinterpret_cast<__m128i*>(local), bytes);
    for (size_t i = 0; i < count; ++i) p[i] = local[i];
  }
  static FB_INLINE void store_s8(int8_t* p, I32 a, I32 b, I32 c, I32 d, uint8_t flip) {
    store_s8(p, a, flip, kLanes);
    store_s8(p + kLanes, b, flip, kLanes);
    store_s8(p + 2 * kLanes, c, flip, kLanes);
    store_s8(p + 3 * kLanes, d, flip, kLanes);
  }
  static FB_INLINE I32 load_s16(const int16_t* p, size_t count) {
    if (count == kLanes) return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    int16_t local[kLanes] = {};
    for (size_t i = 0; i < count; ++i) local[i] = p[i];
    return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(local)));
  }
  static FB_INLINE void store_s16(int16_t* p, I32 x, size_t count) {
    const __m128i shorts = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    if (count == kLanes) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), shorts);
    int16_t local[kLanes];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(local), shorts);
    for (size_t i = 0; i < count; ++i) p[i] = local[i];
  }

  static FB_INLINE F32 add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
  static FB_INLINE F32 mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
  static FB_INLINE F32 div(F32 a, F32 b) { return _mm256_div_ps(a, b); }
  static FB_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
  static FB_INLINE F32 min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
  static FB_INLINE F32 max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
  static FB_INLINE F32 abs(F32 x) { return _mm256_andnot_ps(set(-0.0f), x); }
  static FB_INLINE F32 copy_sign(F32 x, F32 sign) { return _mm256_or_ps(abs(x), _mm256_and_ps(set(-0.0f), sign)); }
  static FB_INLINE F32 select_less(F32 a, F32 b, F32 yes, F32 no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
  }
  static FB_INLINE float reduce_min(F32 x) {
    __m128 half = _mm_min_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_min_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_min_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  static FB_INLINE float reduce_max(F32 x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
  }

  static FB_INLINE I32 add(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
  static FB_INLINE I32 sub(I32 a, I32 b) { return _mm256_sub_epi32(a, b); }
  static FB_INLINE I32 mul(I32 a, I32 b) { return _mm256_mullo_epi32(a, b); }

  static FB_INLINE I32 bit_and(I32 a, I32 b) { return _mm256_and_si256(a, b); }
  template <int kBits>
  static FB_INLINE I32 shift_left(I32 x) {
    return _mm256_slli_epi32(x, kBits);
  }
  template <int kBits>
  static FB_INLINE I32 shift_right(I32 x) {
    return _mm256_srai_epi32(x, kBits);
  }
  static FB_INLINE I32 as_bits(F32 x) { return _mm256_castps_si256(x); }
  static FB_INLINE F32 as_real(I32 x) { return _mm256_castsi256_ps(x); }
  static FB_INLINE F32 lookup16(const float* table, I32 index) {
    const F32 low = _mm256_permutevar8x32_ps(_mm256_load_ps(table), index);
    const F32 high = _mm256_permutevar8x32_ps(_mm256_load_ps(table + 8), index);
    return _mm256_blendv_ps(low, high, as_real(shift_left<28>(index)));
  }

  static FB_INLINE F32 to_float(I32 x) { return _mm256_cvtepi32_ps(x); }
  static FB_INLINE I32 to_int_nearest_even(F32 x) { return _mm256_cvtps_epi32(x); }
  static FB_INLINE I32 to_int_half_away(F32 x) {
    const F32 rest = _mm256_sub_ps(x, _mm256_round_ps(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
    const __m256i up = _mm256_castps_si256(_mm256_cmp_ps(rest, set(0.5f), _CMP_GE_OQ));  // -1 where true
    const __m256i down = _mm256_castps_si256(_mm256_cmp_ps(rest, set(-0.5f), _CMP_LE_OQ));
    return _mm256_add_epi32(_mm256_sub_epi32(_mm256_cvttps_epi32(x), up), down);
  }

  static FB_INLINE I32 load_pairs_s8(const int8_t* p, const int8_t* q, uint8_t flip) {
    const __m128i bytes = _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)),
                                            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(q)));
    return _mm256_cvtepi8_epi16(_mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
  }
  static FB_INLINE I32 load_pairs_s8(const int8_t* p, const int8_t* q, uint8_t flip, size_t count) {
    int8_t local[2][kLanes] = {};
    for (size_t i = 0; i < count; ++i) {
      local[0][i] = p[i];
      local[1][i] = q[i];
    }
    return load_pairs_s8(local[0], local[1], flip);
  }
  static FB_INLINE I32 add_pair_products(I32 acc, I32 a, I32 b) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
  }

  static FB_INLINE void store_s64(int64_t* sums, I32 x) {
    auto* out = reinterpret_cast<__m256i*>(sums);
    _mm256_storeu_si256(out, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(x)));
    _mm256_storeu_si256(out + 1, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(x, 1)));
  }
  static FB_INLINE void add_to_s64(int64_t* sums, I32 x) {
    auto* out = reinterpret_cast<__m256i*>(sums);
    const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(x));
    const __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(x, 1));
    _mm256_storeu_si256(out, _mm256_add_epi64(_mm256_loadu_si256(out), low));
    _mm256_storeu_si256(out + 1, _mm256_add_epi64(_mm256_loadu_si256(out + 1), high));
  }
};

// Sums of products of int8 weights and activations widened to int16, two at a time: exact, where maddubs would
// saturate.
struct PairDot {
  using Staged = int16_t;
  using Packed = int8_t;
  using Vector = __m256i;
  static constexpr size_t kGroup = 2;
  static constexpr int32_t kOffset = 0;

  static FB_INLINE void stage(const int8_t* in, int16_t* out, size_t count, uint8_t flip) {
    size_t i = 0;
    const __m128i mask = _mm_set1_epi8(static_cast<char>(flip));
    for (; i + 16 <= count; i += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_cvtepi8_epi16(_mm_xor_si128(bytes, mask)));
    }
    for (; i < count; ++i) out[i] = static_cast<int8_t>(in[i] ^ flip);
  }
  static FB_INLINE __m256i zero() { return Simd::set(0); }
  static FB_INLINE __m256i broadcast(const int16_t* a) {
    int32_t pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    return _mm256_set1_epi32(pair);
  }
  static FB_INLINE __m256i load(const int8_t* b) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
  }
  static FB_INLINE __m256i dot(__m256i acc, __m256i a, __m256i b) { return Simd::add_pair_products(acc, a, b); }
};

}  // namespace
}  // namespace fewbits
