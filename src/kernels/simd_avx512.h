// AVX-512 (F, BW, DQ, VL) as 16 lanes. The operations and their meaning are the same in every simd_<isa>.h.
#pragma once

// gcc 12 takes the undefined operands inside its own intrinsics for mistakes (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include "kernels/simd.h"

namespace fewbits {
namespace {

struct Simd {
  static constexpr size_t kLanes = 16;
  static constexpr size_t kRegisters = 32;
  using F32 = __m512;
  using I32 = __m512i;

  static FB_INLINE __mmask16 first(size_t count) { return static_cast<__mmask16>((1u << count) - 1); }

  static FB_INLINE F32 zero() { return _mm512_setzero_ps(); }
  static FB_INLINE F32 set(float x) { return _mm512_set1_ps(x); }
  static FB_INLINE I32 set(int32_t x) { return _mm512_set1_epi32(x); }

  // The partial forms touch the first `count` elements only, at most kLanes; other lanes load as 0.
  static FB_INLINE F32 load(const float* p) { return _mm512_loadu_ps(p); }
  static FB_INLINE I32 load(const int32_t* p) { return _mm512_loadu_si512(p); }
  static FB_INLINE F32 load(const float* p, size_t count) { return _mm512_maskz_loadu_ps(first(count), p); }
  static FB_INLINE I32 load(const int32_t* p, size_t count) { return _mm512_maskz_loadu_epi32(first(count), p); }
  static FB_INLINE void store(float* p, F32 x) { _mm512_storeu_ps(p, x); }
  static FB_INLINE void store(int32_t* p, I32 x) { _mm512_storeu_si512(p, x); }
  static FB_INLINE void store(float* p, F32 x, size_t count) { _mm512_mask_storeu_ps(p, first(count), x); }
  static FB_INLINE void store(int32_t* p, I32 x, size_t count) { _mm512_mask_storeu_epi32(p, first(count), x); }

  // Bytes and shorts, widened to 32 bits on loading; a store keeps the low bits. Bytes are xor-ed with flip.
  static FB_INLINE I32 load_s8(const int8_t* p, uint8_t flip) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtepi8_epi32(_mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
  }
  static FB_INLINE I32 load_s8(const int8_t* p, uint8_t flip, size_t count) {
    const __m128i bytes = _mm_maskz_loadu_epi8(first(count), p);
    return _mm512_cvtepi8_epi32(_mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
  }
  static FB_INLINE void store_s8(int8_t* p, I32 x, uint8_t flip, size_t count) {
    const __m128i bytes = _mm_xor_si128(_mm512_cvtepi32_epi8(x), _mm_set1_epi8(static_cast<char>(flip)));
    _mm_mask_storeu_epi8(p, first(count), bytes);
  }
  // 4 * kLanes numbers that fit a byte.
  static FB_INLINE void store_s8(int8_t* p, I32 a, I32 b, I32 c, I32 d, uint8_t flip) {
    const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    // Packing went by lanes of 128 bits: dword 4 * lane + v holds four numbers of vector v.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i natural = _mm512_permutexvar_epi32(order, bytes);
    _mm512_storeu_si512(p, _mm512_xor_si512(natural, _mm512_set1_epi8(static_cast<char>(flip))));
  }
  static FB_INLINE I32 load_s16(const int16_t* p, size_t count) {
    return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(first(count), p));
  }
  static FB_INLINE void store_s16(int16_t* p, I32 x, size_t count) {
    _mm256_mask_storeu_epi16(p, first(count), _mm512_cvtepi32_epi16(x));
  }

  static FB_INLINE F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
  static FB_INLINE F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
  static FB_INLINE F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
  static FB_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }  // a * b + c
  // Where one operand is NaN the result is b.
  static FB_INLINE F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
  static FB_INLINE F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
  static FB_INLINE F32 abs(F32 x) { return _mm512_abs_ps(x); }
  static FB_INLINE F32 copy_sign(F32 x, F32 sign) {  // where a bit of the mask is set, that of sign; else that of x
    const __m512i mask = _mm512_set1_epi32(INT32_MIN);
    return as_real(_mm512_ternarylogic_epi32(mask, as_bits(sign), as_bits(x), 0xca));
  }
  static FB_INLINE F32 select_less(F32 a, F32 b, F32 yes, F32 no) {  // a < b ? yes : no
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), yes);
  }
  static FB_INLINE float reduce_min(F32 x) { return _mm512_reduce_min_ps(x); }
  static FB_INLINE float reduce_max(F32 x) { return _mm512_reduce_max_ps(x); }

  static FB_INLINE I32 add(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
  static FB_INLINE I32 sub(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
  static FB_INLINE I32 mul(I32 a, I32 b) { return _mm512_mullo_epi32(a, b); }

  static FB_INLINE I32 bit_and(I32 a, I32 b) { return _mm512_and_si512(a, b); }
  template <int kBits>
  static FB_INLINE I32 shift_left(I32 x) {
    return _mm512_slli_epi32(x, kBits);
  }
  template <int kBits>
  static FB_INLINE I32 shift_right(I32 x) {  // copies of the sign come in
    return _mm512_srai_epi32(x, kBits);
  }
  static FB_INLINE I32 as_bits(F32 x) { return _mm512_castps_si512(x); }
  static FB_INLINE F32 as_real(I32 x) { return _mm512_castsi512_ps(x); }
  // table[index % 16]; the table is aligned to 64 bytes.
  static FB_INLINE F32 lookup16(const float* table, I32 index) {
    return _mm512_permutexvar_ps(index, _mm512_load_ps(table));
  }

  static FB_INLINE F32 to_float(I32 x) { return _mm512_cvtepi32_ps(x); }
  static FB_INLINE I32 to_int_nearest_even(F32 x) { return _mm512_cvtps_epi32(x); }
  // |x| < 2^31; ties away from zero: the largest number below a half, with x's sign, lifts exactly the ties and what lies
  // beyond them to the next whole number.
  static FB_INLINE I32 to_int_half_away(F32 x) {
    const __m512i almost_half = _mm512_set1_epi32(0x3effffff), sign = _mm512_set1_epi32(INT32_MIN);
    const __m512i signed_half = _mm512_ternarylogic_epi32(_mm512_castps_si512(x), sign, almost_half, 0xea);
    return _mm512_cvttps_epi32(_mm512_add_ps(x, _mm512_castsi512_ps(signed_half)));
  }

  // Lane i holds bytes p[i] and q[i], each as 16 bits: what add_pair_products() multiplies with.
  static FB_INLINE I32 load_pairs_s8(const int8_t* p, const int8_t* q, uint8_t flip) {
    return pairs_of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)),
                    _mm_loadu_si128(reinterpret_cast<const __m128i*>(q)), flip);
  }
  static FB_INLINE I32 load_pairs_s8(const int8_t* p, const int8_t* q, uint8_t flip, size_t count) {
    return pairs_of(_mm_maskz_loadu_epi8(first(count), p), _mm_maskz_loadu_epi8(first(count), q), flip);
  }
  static FB_INLINE I32 pairs_of(__m128i p, __m128i q, uint8_t flip) {
    const __m256i bytes =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(p, q)), _mm_unpackhi_epi8(p, q), 1);
    return _mm512_cvtepi8_epi16(_mm256_xor_si256(bytes, _mm256_set1_epi8(static_cast<char>(flip))));
  }
  // acc + a0 * b0 + a1 * b1, of the two 16-bit numbers in each lane.
  static FB_INLINE I32 add_pair_products(I32 acc, I32 a, I32 b) {
    return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
  }

  static FB_INLINE void store_s64(int64_t* sums, I32 x) {
    _mm512_storeu_si512(sums, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(x)));
    _mm512_storeu_si512(sums + 8, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(x, 1)));
  }
  // Lane i holds the numbers p[i] and q[i], as add_pair_products() wants them.
  static FB_INLINE I32 load_pairs_s16(const int16_t* p, const int16_t* q) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(q)));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
  }
  static FB_INLINE I32 load_pairs_s16(const int16_t* p, const int16_t* q, size_t count) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first(count), p));
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first(count), q));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
  }
  // sums[i] += x[i], in 64 bits.
  static FB_INLINE void add_to_s64(int64_t* sums, I32 x) {
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(x));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(x, 1));
    _mm512_storeu_si512(sums, _mm512_add_epi64(_mm512_loadu_si512(sums), low));
    _mm512_storeu_si512(sums + 8, _mm512_add_epi64(_mm512_loadu_si512(sums + 8), high));
  }
};

// Sums of products of int8 weights and activations widened to int16, two at a time: exact.
struct PairDot {
  using Staged = int16_t;
  using Packed = int8_t;
  using Vector = __m512i;
  static constexpr size_t kGroup = 2;
  static constexpr int32_t kOffset = 0;  // of staged activations

  static FB_INLINE void stage(const int8_t* in, int16_t* out, size_t count, uint8_t flip) {
    size_t i = 0;
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(flip));
    for (; i + 32 <= count; i += 32) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
      _mm512_storeu_si512(out + i, _mm512_cvtepi8_epi16(_mm256_xor_si256(bytes, mask)));
    }
    if (i == count) return;
    const __mmask32 rest = static_cast<__mmask32>((uint32_t{1} << (count - i)) - 1);
    const __m256i bytes = _mm256_maskz_loadu_epi8(rest, in + i);
    _mm512_mask_storeu_epi16(out + i, rest, _mm512_cvtepi8_epi16(_mm256_xor_si256(bytes, mask)));
  }
  static FB_INLINE __m512i zero() { return Simd::set(0); }
  static FB_INLINE __m512i broadcast(const int16_t* a) {
    int32_t pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    return _mm512_set1_epi32(pair);
  }
  static FB_INLINE __m512i load(const int8_t* b) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
  }
  static FB_INLINE __m512i dot(__m512i acc, __m512i a, __m512i b) { return Simd::add_pair_products(acc, a, b); }
};

}  // namespace
}  // namespace fewbits
