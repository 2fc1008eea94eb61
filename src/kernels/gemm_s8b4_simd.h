// int8 rows by int4 weights in blocks, in tiles of two rows by a panel. A Core knows how its ISA multiplies 32 inputs by them:
//
//   template <size_t kRows>
//   static void multiply(const uint8_t* lines, const int8_t* const (&a)[kRows], Simd::I32 (&dot)[kRows][kPanelVectors]);
//   static Simd::F32 scales(const uint8_t* halves);  // kLanes of float16, as float
//
// Include after a simd_<isa>.h.
#pragma once

#include "kernels/gemm_s8b4.h"
#include "kernels/gemm_s8b4_layout.h"

namespace fewbits {
namespace {

constexpr size_t kPanelVectors = BlockLayout::kColumns / Simd::kLanes;

template <class Core>
struct BlockGemm {
  static constexpr size_t kTall = 2;  // rows of a tile
  static constexpr size_t kNr = 64;   // columns that a range is cut at

  template <size_t kRows>
  struct Tile {
    const GemmS8B4Args& args;
    const BlockLayout& layout;
    size_t n, m;

    __attribute__((noinline)) void run() const {
      const uint8_t* panel = layout.panel(args.packed, n);
      const int8_t* a[kRows];
      Simd::F32 acc[kRows][kPanelVectors];
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        a[r] = args.a.data + (m + r) * args.a.row_stride;
        const float zero_point = static_cast<float>(args.row_zero_point != nullptr ? args.row_zero_point[m + r] : 0);
        unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA {
          const Simd::F32 sums = Simd::load(reinterpret_cast<const float*>(panel) + v * Simd::kLanes);
          acc[r][v] = Simd::mul(Simd::set(-zero_point), sums);
        });
      });
      const uint8_t* lines = panel + layout.lines_at();
      for (size_t b = 0; b < layout.blocks; ++b) {
        Simd::I32 dot[kRows][kPanelVectors];
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA { dot[r][v] = Simd::set(int32_t{0}); });
        });
        for (size_t k = 0; k < layout.block; k += kLeastBlock) {
          Core::template multiply<kRows>(lines, a, dot);
          lines += kLeastBlock / BlockLayout::kLineInputs * BlockLayout::kLine;
          unroll<kRows>([&]<size_t r>() FB_LAMBDA { a[r] += kLeastBlock; });
        }
        const uint8_t* halves = panel + BlockLayout::kScalesAt + b * BlockLayout::kScaleBytes;
        unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA {
          const Simd::F32 scale = Core::scales(halves + v * Simd::kLanes * 2);
          unroll<kRows>([&]<size_t r>()
                            FB_LAMBDA { acc[r][v] = Simd::fma(scale, Simd::to_float(dot[r][v]), acc[r][v]); });
        });
      }
      finish(acc);
    }

    FB_INLINE void finish(const Simd::F32 (&acc)[kRows][kPanelVectors]) const {
      const Simd::F32 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
      unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA {
        const size_t column = n + v * Simd::kLanes;
        if (column >= args.n) return;
        const size_t count = smaller(Simd::kLanes, args.n - column);
        const Simd::F32 bias = args.bias != nullptr ? Simd::load(args.bias + column, count) : Simd::zero();
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          const Simd::F32 real = Simd::add(Simd::mul(acc[r][v], Simd::set(args.row_scale[m + r])), bias);
          Simd::store(args.out + (m + r) * args.out_stride + column, Simd::min(hi, Simd::max(lo, real)), count);
        });
      });
    }
  };

  static void run(const GemmS8B4Args& args, const GemmRange& range) noexcept {
    const BlockLayout layout(args.a.tap_k, args.block);
    for (size_t n = range.n_begin; n < range.n_end; n += BlockLayout::kColumns) {  // the panel stays in L1
      size_t m = range.m_begin;
      for (; m + kTall <= range.m_end; m += kTall) Tile<kTall>{args, layout, n, m}.run();
      if (m < range.m_end) Tile<1>{args, layout, n, m}.run();
    }
  }
};

}  // namespace
}  // namespace fewbits
