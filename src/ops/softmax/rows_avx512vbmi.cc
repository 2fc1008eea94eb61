// Rows of 8-bit softmax for AVX-512 VBMI: what a byte becomes is a table of 256, looked up 64 bytes at a time.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "ops/softmax/byte_rows.h"

namespace fewbits::ops {
namespace {

struct Table {
  __m512i quarter[4];

  explicit FB_INLINE Table(const uint8_t* bytes) {
    unroll<4>([&]<size_t i>() FB_LAMBDA { quarter[i] = _mm512_loadu_si512(bytes + 64 * i); });
  }
  // The highest bit of a byte says which half it looks into, the others where.
  FB_INLINE __m512i operator[](__m512i x) const {
    const __m512i low = _mm512_permutex2var_epi8(quarter[0], x, quarter[1]);
    const __m512i high = _mm512_permutex2var_epi8(quarter[2], x, quarter[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
  }
};

FB_INLINE __mmask64 present_bytes(size_t left) { return left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1; }

FB_INLINE __m512i load_flipped(const uint8_t* in, __mmask64 present, uint8_t flip) {
  return _mm512_xor_si512(_mm512_maskz_loadu_epi8(present, in), _mm512_set1_epi8(static_cast<char>(flip)));
}

FB_INLINE uint8_t largest(__m512i bytes) {
  alignas(64) uint8_t all[64];
  __m256i x = _mm256_max_epu8(_mm512_castsi512_si256(bytes), _mm512_extracti64x4_epi64(bytes, 1));
  __m128i y = _mm_max_epu8(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_store_si128(reinterpret_cast<__m128i*>(all), y);
  uint8_t most = 0;
  for (size_t i = 0; i < 16; ++i) most = all[i] > most ? all[i] : most;
  return most;
}

}  // namespace

uint8_t softmax_maximum_avx512vbmi(const uint8_t* in, size_t depth, uint8_t flip) noexcept {
  __m512i most = _mm512_setzero_si512();
  for (size_t i = 0; i < depth; i += 64) {
    const __mmask64 present = present_bytes(depth - i);
    most = _mm512_max_epu8(most, _mm512_maskz_mov_epi8(present, load_flipped(in + i, present, flip)));
  }
  return largest(most);
}

uint32_t softmax_sum_avx512vbmi(const uint8_t (*addend)[256], const uint8_t* in, size_t depth, uint8_t flip,
                                uint8_t most) noexcept {
  const __m512i maximum = _mm512_set1_epi8(static_cast<char>(most)), zero = _mm512_setzero_si512();
  __m512i sums[3] = {zero, zero, zero};
  unroll<3>([&]<size_t b>() FB_LAMBDA {
    const Table table(addend[b]);
    for (size_t i = 0; i < depth; i += 64) {
      const __mmask64 present = present_bytes(depth - i);
      const __m512i difference = _mm512_sub_epi8(maximum, load_flipped(in + i, present, flip));
      sums[b] = _mm512_add_epi64(sums[b], _mm512_sad_epu8(_mm512_maskz_mov_epi8(present, table[difference]), zero));
    }
  });
  const auto total = [](__m512i x) { return static_cast<uint32_t>(_mm512_reduce_add_epi64(x)); };
  return total(sums[0]) + (total(sums[1]) << 8) + (total(sums[2]) << 16);
}

void softmax_shares_avx512vbmi(const SoftmaxShares& shares, const uint8_t* in, uint8_t* out, size_t depth, uint8_t flip,
                               uint8_t most) noexcept {
  // share = (reciprocal * e + 2^30) >> 31, then >> exponent, rounded; nothing is negative. What lies beyond the last
  // difference that counts is 0.
  alignas(64) uint8_t bytes[256];
  const __m512i reciprocal = _mm512_set1_epi64(shares.reciprocal), nudge = _mm512_set1_epi64(int64_t{1} << 30);
  const __m512i half = Simd::set(shares.exponent == 0 ? 0 : int32_t{1} << (shares.exponent - 1));
  const __m128i right = _mm_cvtsi32_si128(shares.exponent);
  for (size_t d = 0; d < 256; d += 16) {
    if (d >= shares.count) {
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes + d), _mm_setzero_si128());
      continue;
    }
    const __m512i e = _mm512_maskz_loadu_epi32(Simd::first(smaller(shares.count - d, 16)), shares.exponential + d);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(e, reciprocal), nudge);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(e, 32), reciprocal), nudge);
    const __m512i share = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    const __m512i q = _mm512_srl_epi32(_mm512_add_epi32(share, half), right);
    _mm_store_si128(reinterpret_cast<__m128i*>(bytes + d), _mm512_cvtusepi32_epi8(q));
  }
  const Table table(bytes);
  const __m512i maximum = _mm512_set1_epi8(static_cast<char>(most)), to_out = _mm512_set1_epi8(static_cast<char>(flip));
  for (size_t i = 0; i < depth; i += 64) {
    const __mmask64 present = present_bytes(depth - i);
    const __m512i difference = _mm512_sub_epi8(maximum, load_flipped(in + i, present, flip));
    _mm512_mask_storeu_epi8(out + i, present, _mm512_xor_si512(table[difference], to_out));
  }
}

}  // namespace fewbits::ops
