// int8 rows by int4 weights in blocks, for AVX2.
//
// Weights are unsigned, as weight + 8, so that a mask and a shift unpack them, and small: 16 products of them by signed bytes fit
// a sum of 16 bits. A block's sums begin at what takes the 8 back, -8 times the block's inputs.
#include "kernels/simd_avx2.h"
// after the ISA's vectors:
#include "kernels/gemm_s8b4_simd.h"

namespace fewbits {
namespace {

FB_INLINE __m256i load_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

FB_INLINE __m256i four_of(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return _mm256_set1_epi32(four);
}

// Sums of neighbouring pairs of shorts.
FB_INLINE __m256i sum_pairs(__m256i shorts) { return _mm256_madd_epi16(shorts, _mm256_set1_epi16(1)); }

// -8 times the sum of 32 inputs.
FB_INLINE int32_t start_of(const int8_t* a) {
  const __m256i sums = sum_pairs(_mm256_maddubs_epi16(_mm256_set1_epi8(1), load_bytes(a)));
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
  return -BlockLayout::kOffset * _mm_cvtsi128_si32(four);
}

struct Core {
  // Sums of 16 bits, two a column, first.
  template <size_t kRows>
  static FB_INLINE void multiply(const uint8_t* lines, const int8_t* const (&a)[kRows],
                                 __m256i (&dot)[kRows][kPanelVectors]) {
    const __m256i low_half = _mm256_set1_epi8(0x0f);
    __m256i shorts[kRows][kPanelVectors];
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA { shorts[r][v] = Simd::set(int32_t{0}); });
    });
    for (size_t i = 0; i < kLeastBlock; i += BlockLayout::kLineInputs, lines += BlockLayout::kLine) {
      unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA {
        const __m256i both = load_bytes(lines + v * 32);
        const __m256i low = _mm256_and_si256(both, low_half);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_half);
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          shorts[r][v] = _mm256_add_epi16(shorts[r][v], _mm256_maddubs_epi16(low, four_of(a[r] + i)));
          shorts[r][v] = _mm256_add_epi16(shorts[r][v], _mm256_maddubs_epi16(high, four_of(a[r] + i + 4)));
        });
      });
    }
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      const __m256i start = Simd::set(start_of(a[r]));
      unroll<kPanelVectors>(
          [&]<size_t v>() FB_LAMBDA { dot[r][v] = Simd::add(dot[r][v], Simd::add(start, sum_pairs(shorts[r][v]))); });
    });
  }
  static FB_INLINE __m256 scales(const uint8_t* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
  }
};

using Gemm = BlockGemm<Core>;

}  // namespace

const GemmS8B4Kernel kGemmS8B4Avx2 = {"gemm_s8b4_2x16_avx2", Isa::kAvx2, Gemm::kTall, Gemm::kNr, &Gemm::run};

}  // namespace fewbits
