// int8 rows by int4 weights in blocks, for ARM with dot products.
//
// sdot takes any four inputs of a register as the factor of all its lanes. Weights stay as weight + 8, so that a mask and a shift
// unpack them; a block's sums begin at what takes the 8 back, -8 times the block's inputs.
#include "kernels/gemm_s8b4.h"
#include "kernels/gemm_s8b4_layout.h"
#include "kernels/simd_neon.h"

namespace fewbits {
namespace {

using Args = GemmS8B4Args;

constexpr size_t kVectors = 4;  // of a panel's columns
constexpr size_t kTall = 2;     // rows of a tile
constexpr size_t kNr = 64;      // columns that a range is cut at
constexpr size_t kBytes = 16;   // of a register

template <size_t kRows>
struct Tile {
  const Args& args;
  const BlockLayout& layout;
  size_t n, m;

  // Adds the products of 32 inputs, whose lines of weights are given.
  FB_INLINE void multiply(const uint8_t* lines, const int8_t* const (&a)[kRows],
                          int32x4_t (&dot)[kRows][kVectors]) const {
    const uint8x16_t low_half = vdupq_n_u8(0x0f);
    const int8x16_t ones = vdupq_n_s8(1);
    unroll<2>([&]<size_t half>() FB_LAMBDA {
      int8x16_t x[kRows];
      unroll<kRows>([&]<size_t r>() FB_LAMBDA { x[r] = vld1q_s8(a[r] + half * kBytes); });
      unroll<2>([&]<size_t line>() FB_LAMBDA {
        unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
          const uint8x16_t both = vld1q_u8(lines + (half * 2 + line) * BlockLayout::kLine + v * kBytes);
          const int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both, low_half));
          const int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
          unroll<kRows>([&]<size_t r>() FB_LAMBDA {
            dot[r][v] = vdotq_laneq_s32(dot[r][v], low, x[r], 2 * line);
            dot[r][v] = vdotq_laneq_s32(dot[r][v], high, x[r], 2 * line + 1);
          });
        });
      });
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const int32_t sum = vaddvq_s32(vdotq_s32(vdupq_n_s32(0), ones, x[r]));
        const int32x4_t start = vdupq_n_s32(-BlockLayout::kOffset * sum);
        unroll<kVectors>([&]<size_t v>() FB_LAMBDA { dot[r][v] = vaddq_s32(dot[r][v], start); });
      });
    });
  }

  __attribute__((noinline)) void run() const {
    const uint8_t* panel = layout.panel(args.packed, n);
    const int8_t* a[kRows];
    float32x4_t acc[kRows][kVectors];
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      a[r] = args.a.data + (m + r) * args.a.row_stride;
      const float zero_point = static_cast<float>(args.row_zero_point != nullptr ? args.row_zero_point[m + r] : 0);
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
        const float32x4_t sums = Simd::load(reinterpret_cast<const float*>(panel) + v * Simd::kLanes);
        acc[r][v] = vsubq_f32(Simd::zero(), vmulq_f32(Simd::set(zero_point), sums));
      });
    });
    const uint8_t* lines = panel + layout.lines_at();
    for (size_t b = 0; b < layout.blocks; ++b) {
      int32x4_t dot[kRows][kVectors];
      unroll<kRows>([&]<size_t r>()
                        FB_LAMBDA { unroll<kVectors>([&]<size_t v>() FB_LAMBDA { dot[r][v] = vdupq_n_s32(0); }); });
      for (size_t k = 0; k < layout.block; k += kLeastBlock) {
        multiply(lines, a, dot);
        lines += kLeastBlock / BlockLayout::kLineInputs * BlockLayout::kLine;
        unroll<kRows>([&]<size_t r>() FB_LAMBDA { a[r] += kLeastBlock; });
      }
      const uint8_t* halves = panel + BlockLayout::kScalesAt + b * BlockLayout::kScaleBytes;
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
        const uint16x4_t scales = vld1_u16(reinterpret_cast<const uint16_t*>(halves) + v * Simd::kLanes);
        const float32x4_t scale = vcvt_f32_f16(vreinterpret_f16_u16(scales));
        unroll<kRows>([&]<size_t r>() FB_LAMBDA { acc[r][v] = vfmaq_f32(acc[r][v], scale, vcvtq_f32_s32(dot[r][v])); });
      });
    }
    finish(acc);
  }

  FB_INLINE void finish(const float32x4_t (&acc)[kRows][kVectors]) const {
    const float32x4_t lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
      const size_t column = n + v * Simd::kLanes;
      if (column >= args.n) return;
      const size_t count = smaller(Simd::kLanes, args.n - column);
      const float32x4_t bias = args.bias != nullptr ? Simd::load(args.bias + column, count) : Simd::zero();
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const float32x4_t real = vaddq_f32(vmulq_f32(acc[r][v], Simd::set(args.row_scale[m + r])), bias);
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

const GemmS8B4Kernel kGemmS8B4NeonDot = {"gemm_s8b4_2x16_neondot", Isa::kNeonDot, kTall, kNr, &run};

}  // namespace fewbits
