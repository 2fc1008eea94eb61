// Column sums for AVX-512: 64 columns at a time stay in registers while the rows pass.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "ops/reduce/column_sums.h"

namespace fewbits::ops {
namespace {

constexpr size_t kColumns = 64;
constexpr size_t kMostRows = 255;  // whose bytes 16 bits hold

FB_INLINE __m512i widen(__m256i bytes, int8_t) { return _mm512_cvtepi8_epi16(bytes); }
FB_INLINE __m512i widen(__m256i bytes, uint8_t) { return _mm512_cvtepu8_epi16(bytes); }
FB_INLINE __m512i widen_sums(__m256i sums, int8_t) { return _mm512_cvtepi16_epi32(sums); }
FB_INLINE __m512i widen_sums(__m256i sums, uint8_t) { return _mm512_cvtepu16_epi32(sums); }

template <class T>
FB_INLINE void byte_columns(const T* in, size_t rows, size_t stride, size_t columns, uint32_t* sums) {
  for (size_t c = 0; c < columns; c += kColumns) {
    const __mmask64 present = columns - c >= kColumns ? ~uint64_t{0} : (uint64_t{1} << (columns - c)) - 1;
    __m512i total[4] = {Simd::set(0), Simd::set(0), Simd::set(0), Simd::set(0)};
    for (size_t r = 0; r < rows; r += kMostRows) {
      const size_t end = smaller(r + kMostRows, rows);
      __m512i low = _mm512_setzero_si512(), high = low;
      for (size_t i = r; i < end; ++i) {
        const __m512i bytes = _mm512_maskz_loadu_epi8(present, in + i * stride + c);
        low = _mm512_add_epi16(low, widen(_mm512_castsi512_si256(bytes), T{}));
        high = _mm512_add_epi16(high, widen(_mm512_extracti64x4_epi64(bytes, 1), T{}));
      }
      total[0] = Simd::add(total[0], widen_sums(_mm512_castsi512_si256(low), T{}));
      total[1] = Simd::add(total[1], widen_sums(_mm512_extracti64x4_epi64(low, 1), T{}));
      total[2] = Simd::add(total[2], widen_sums(_mm512_castsi512_si256(high), T{}));
      total[3] = Simd::add(total[3], widen_sums(_mm512_extracti64x4_epi64(high, 1), T{}));
    }
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      _mm512_mask_storeu_epi32(sums + c + 16 * v, static_cast<__mmask16>(present >> (16 * v)), total[v]);
    });
  }
}

}  // namespace

void column_sums_avx512(const int8_t* in, size_t rows, size_t stride, size_t columns, uint32_t* sums) noexcept {
  byte_columns(in, rows, stride, columns, sums);
}
void column_sums_avx512(const uint8_t* in, size_t rows, size_t stride, size_t columns, uint32_t* sums) noexcept {
  byte_columns(in, rows, stride, columns, sums);
}

void column_sums_avx512(const float* in, size_t rows, size_t stride, size_t columns, float* sums) noexcept {
  for (size_t c = 0; c < columns; c += kColumns) {
    const uint64_t present = columns - c >= kColumns ? ~uint64_t{0} : (uint64_t{1} << (columns - c)) - 1;
    __m512 total[4] = {Simd::zero(), Simd::zero(), Simd::zero(), Simd::zero()};
    for (size_t r = 0; r < rows; ++r) {
      unroll<4>([&]<size_t v>() FB_LAMBDA {
        const auto these = static_cast<__mmask16>(present >> (16 * v));
        total[v] = Simd::add(total[v], _mm512_maskz_loadu_ps(these, in + r * stride + c + 16 * v));
      });
    }
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      _mm512_mask_storeu_ps(sums + c + 16 * v, static_cast<__mmask16>(present >> (16 * v)), total[v]);
    });
  }
}

}  // namespace fewbits::ops
