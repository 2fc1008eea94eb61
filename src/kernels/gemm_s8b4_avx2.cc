// int8 rows by int4 weights in blocks, for AVX2.
//
// Weights are unsigned, as weight + 8, so that a mask and a shift unpack them, and small: 16 products of them by signed bytes fit
// a sum of 16 bits. A block's sums begin at what takes the 8 back, -8 times the block's inputs.
#include "kernels/gemm_s8b4.h"
#include "kernels/gemm_s8b4_layout.h"
#include "kernels/simd_avx2.h"

namespace fewbits {
namespace {

using Args = GemmS8B4Args;

constexpr size_t kVectors = 2;  // of a panel's columns
constexpr size_t kTall = 2;     // rows of a tile
constexpr size_t kNr = 64;      // columns that a range is cut at

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

template <size_t kRows>
struct Tile {
  const Args& args;
  const BlockLayout& layout;
  size_t n, m;

  // Products of 32 inputs, those from k on, in shorts of two a column.
  FB_INLINE void multiply(const uint8_t* lines, const int8_t* const (&a)[kRows], size_t k,
                          __m256i (&dot)[kRows][kVectors]) const {
    const __m256i low_half = _mm256_set1_epi8(0x0f);
    __m256i shorts[kRows][kVectors];
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA { shorts[r][v] = Simd::set(int32_t{0}); });
    });
    for (size_t i = 0; i < kLeastBlock; i += BlockLayout::kLineInputs, lines += BlockLayout::kLine) {
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
        const __m256i both = load_bytes(lines + v * 32);
        const __m256i low = _mm256_and_si256(both, low_half);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_half);
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          const int8_t* x = a[r] + k + i;
          shorts[r][v] = _mm256_add_epi16(shorts[r][v], _mm256_maddubs_epi16(low, four_of(x)));
          shorts[r][v] = _mm256_add_epi16(shorts[r][v], _mm256_maddubs_epi16(high, four_of(x + 4)));
        });
      });
    }
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      const __m256i start = Simd::set(start_of(a[r] + k));
      unroll<kVectors>([&]<size_t v>()
                           FB_LAMBDA { dot[r][v] = Simd::add(dot[r][v], Simd::add(start, sum_pairs(shorts[r][v]))); });
    });
  }

  __attribute__((noinline)) void run() const {
    const uint8_t* panel = layout.panel(args.packed, n);
    const int8_t* a[kRows];
    __m256 acc[kRows][kVectors];
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      a[r] = args.a.data + (m + r) * args.a.row_stride;
      const float zero_point = static_cast<float>(args.row_zero_point != nullptr ? args.row_zero_point[m + r] : 0);
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
        const __m256 sums = Simd::load(reinterpret_cast<const float*>(panel) + v * Simd::kLanes);
        acc[r][v] = _mm256_sub_ps(Simd::zero(), Simd::mul(Simd::set(zero_point), sums));
      });
    });
    const uint8_t* lines = panel + layout.lines_at();
    for (size_t b = 0, k = 0; b < layout.blocks; ++b) {
      __m256i dot[kRows][kVectors];
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        unroll<kVectors>([&]<size_t v>() FB_LAMBDA { dot[r][v] = Simd::set(int32_t{0}); });
      });
      for (const size_t end = k + layout.block; k < end; k += kLeastBlock) {
        multiply(lines, a, k, dot);
        lines += kLeastBlock / BlockLayout::kLineInputs * BlockLayout::kLine;
      }
      const uint8_t* halves = panel + BlockLayout::kScalesAt + b * BlockLayout::kScaleBytes;
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
        const __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves) + v));
        unroll<kRows>([&]<size_t r>()
                          FB_LAMBDA { acc[r][v] = Simd::fma(scale, _mm256_cvtepi32_ps(dot[r][v]), acc[r][v]); });
      });
    }
    finish(acc);
  }

  FB_INLINE void finish(const __m256 (&acc)[kRows][kVectors]) const {
    const __m256 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
      const size_t column = n + v * Simd::kLanes;
      if (column >= args.n) return;
      const size_t count = smaller(Simd::kLanes, args.n - column);
      const __m256 bias = args.bias != nullptr ? Simd::load(args.bias + column, count) : Simd::zero();
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const __m256 real = Simd::add(Simd::mul(acc[r][v], Simd::set(args.row_scale[m + r])), bias);
        Simd::store(args.out + (m + r) * args.out_stride + column, Simd::min(hi, Simd::max(lo, real)), count);
      });
    });
  }
};

void run(const Args& args, const GemmRange& range) noexcept {
  const BlockLayout layout(args.a.tap_k, args.block);
  for (size_t n = range.n_begin; n < range.n_end; n += BlockLayout::kColumns) {  // the panel stays in L1
    size_t m = range.m_begin;
    for (; m + kTall <= range.m_end; m += kTall) Tile<kTall>{args, layout, n, m}.run();
    if (m < range.m_end) Tile<1>{args, layout, n, m}.run();
  }
}

}  // namespace

const GemmS8B4Kernel kGemmS8B4Avx2 = {"gemm_s8b4_2x16_avx2", Isa::kAvx2, kTall, kNr, &run};

}  // namespace fewbits
