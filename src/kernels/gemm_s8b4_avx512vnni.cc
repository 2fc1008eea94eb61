// int8 rows by int4 weights in blocks, for AVX-512 VNNI.
//
// vpdpbusd wants one operand unsigned: weights are, as weight + 8, so that a mask and a shift unpack them. A block's sums begin
// at what takes the 8 back, -8 times the block's inputs.
#include "kernels/gemm_s8b4.h"
#include "kernels/gemm_s8b4_layout.h"
#include "kernels/simd_avx512.h"

namespace fewbits {
namespace {

using Args = GemmS8B4Args;

constexpr size_t kLanes = 16;
constexpr size_t kTall = 6;                    // rows of a tile
constexpr size_t kNr = 64;                     // columns that a range is cut at
constexpr size_t kMostBlocks = 512;            // of a row whose beginnings are kept
constexpr size_t kWeightsAtOnce = 512 * 1024;  // bytes that stay in L2 while all rows pass

// -8 times the sum of each of `count` blocks of a row.
void fill_starts(const int8_t* a, size_t block, size_t count, int32_t* starts) {
  const __m256i ones = _mm256_set1_epi8(1);
  for (size_t b = 0; b < count; ++b) {
    __m256i sums = _mm256_setzero_si256();
    for (size_t k = 0; k < block; k += 32, a += 32) {
      sums = _mm256_dpbusd_epi32(sums, ones, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)));
    }
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    starts[b] = -BlockLayout::kOffset * _mm_cvtsi128_si32(four);
  }
}

struct Rows {
  size_t m, count;      // rows past the last are the last again, and written to the same place
  int32_t* starts;      // [kTall][kMostBlocks]
  bool starts_are_all;  // of every block, not of the part at hand only

  FB_INLINE size_t row(size_t r) const { return m + smaller(r, count - 1); }
};

template <size_t kRows, size_t kWidth>
struct Tile {
  const Args& args;
  const BlockLayout& layout;
  const Rows& rows;
  size_t n;

  FB_INLINE void run() const {
    const uint8_t* panel[kWidth];
    __m512 acc[kRows][kWidth];
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
      panel[v] = layout.panel(args.packed, n + v * kLanes);
      const __m512 sums = _mm512_loadu_ps(panel[v]);
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const int32_t zero_point = args.row_zero_point != nullptr ? args.row_zero_point[rows.row(r)] : 0;
        acc[r][v] = _mm512_sub_ps(Simd::zero(), _mm512_mul_ps(Simd::set(static_cast<float>(zero_point)), sums));
      });
    });
    for (size_t b = 0; b < layout.blocks; b += kMostBlocks) {
      const size_t count = smaller(kMostBlocks, layout.blocks - b);
      if (!rows.starts_are_all) {
        for (size_t r = 0; r < kRows; ++r) {
          fill_starts(args.a.data + rows.row(r) * args.a.row_stride + b * layout.block, layout.block, count,
                      rows.starts + r * kMostBlocks);
        }
      }
      add_blocks(panel, b, count, acc);
    }
    finish(acc);
  }

  FB_INLINE void add_blocks(const uint8_t* const (&panel)[kWidth], size_t first, size_t count,
                            __m512 (&acc)[kRows][kWidth]) const {
    const __m512i low_half = _mm512_set1_epi8(0x0f);
    const int8_t* a[kRows];
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { a[r] = args.a.data + rows.row(r) * args.a.row_stride + first * layout.block; });
    const size_t lines = layout.lines_of_block();
    size_t at = layout.lines_at() + first * lines * BlockLayout::kLine, k = 0;
    for (size_t b = 0; b < count; ++b) {
      __m512i dot[kRows][kWidth];
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const __m512i start = Simd::set(rows.starts[r * kMostBlocks + b]);
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA { dot[r][v] = start; });
      });
      for (size_t line = 0; line < lines; ++line, at += BlockLayout::kLine, k += BlockLayout::kLineInputs) {
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
          const __m512i both = _mm512_loadu_si512(panel[v] + at);
          const __m512i low = _mm512_and_si512(both, low_half);
          const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), low_half);
          unroll<kRows>([&]<size_t r>()
                            FB_LAMBDA { dot[r][v] = _mm512_dpbusd_epi32(dot[r][v], low, four_of(a[r] + k)); });
          unroll<kRows>([&]<size_t r>()
                            FB_LAMBDA { dot[r][v] = _mm512_dpbusd_epi32(dot[r][v], high, four_of(a[r] + k + 4)); });
        });
      }
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
        const void* halves = panel[v] + BlockLayout::kScalesAt + (first + b) * BlockLayout::kScaleBytes;
        const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(halves)));
        unroll<kRows>([&]<size_t r>()
                          FB_LAMBDA { acc[r][v] = Simd::fma(scale, _mm512_cvtepi32_ps(dot[r][v]), acc[r][v]); });
      });
    }
  }

  static FB_INLINE __m512i four_of(const int8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
  }

  FB_INLINE void finish(const __m512 (&acc)[kRows][kWidth]) const {
    const __m512 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
      const size_t column = n + v * kLanes, count = smaller(kLanes, args.n - column);
      const __m512 bias = args.bias != nullptr ? Simd::load(args.bias + column, count) : Simd::zero();
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const size_t m = rows.row(r);
        const __m512 real = _mm512_add_ps(_mm512_mul_ps(acc[r][v], Simd::set(args.row_scale[m])), bias);
        Simd::store(args.out + m * args.out_stride + column, Simd::min(hi, Simd::max(lo, real)), count);
      });
    });
  }
};

template <size_t kRows, size_t kWidth>
__attribute__((noinline)) void run_tile(const Args& args, const BlockLayout& layout, const Rows& rows, size_t n) {
  Tile<kRows, kWidth>{args, layout, rows, n}.run();
}

// Columns [n, n_end), in tiles of kWide vectors and of one.
template <size_t kRows, size_t kWide>
void run_columns(const Args& args, const BlockLayout& layout, const Rows& rows, size_t n, size_t n_end) {
  for (; n + (kWide - 1) * kLanes < n_end; n += kWide * kLanes) run_tile<kRows, kWide>(args, layout, rows, n);
  for (; n < n_end; n += kLanes) run_tile<kRows, 1>(args, layout, rows, n);
}

void run(const Args& args, const GemmRange& range) noexcept {
  const BlockLayout layout(args.a.tap_k, args.block);
  int32_t starts[kTall * kMostBlocks];
  const size_t columns = round_up(kWeightsAtOnce / layout.panel_bytes() * kLanes + 1, kNr);
  for (size_t n = range.n_begin; n < range.n_end; n += columns) {
    const size_t n_end = smaller(n + columns, range.n_end);
    for (size_t m = range.m_begin; m < range.m_end; m += kTall) {
      const Rows rows{m, smaller(kTall, range.m_end - m), starts, layout.blocks <= kMostBlocks};
      for (size_t r = 0; rows.starts_are_all && r < kTall; ++r) {
        fill_starts(args.a.data + rows.row(r) * args.a.row_stride, layout.block, layout.blocks,
                    starts + r * kMostBlocks);
      }
      if (rows.count > 2) {
        run_columns<kTall, 2>(args, layout, rows, n, n_end);
      } else if (rows.count == 2) {
        run_columns<2, 4>(args, layout, rows, n, n_end);
      } else {
        run_columns<1, 4>(args, layout, rows, n, n_end);
      }
    }
  }
}

}  // namespace

const GemmS8B4Kernel kGemmS8B4Avx512Vnni = {"gemm_s8b4_6x32_avx512vnni", Isa::kAvx512Vnni, kTall, kNr, &run};

}  // namespace fewbits
