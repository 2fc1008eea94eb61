// The 16x8 Core of gemm_tiles.h: pairs summed in int32 for as long as that cannot overflow, then in int64. Include
// after a simd_<isa>.h.
#pragma once

#include "kernels/gemm_bytes.h"
#include "kernels/gemm_kernels.h"

namespace fewbits {
namespace {

// Finish: kFast, and then fast(): finish_shorts() of the ISA. Dot: how pairs of products are summed.
template <size_t kMrOf, size_t kVectorsOf, class Finish, class Dot = PairDot>
struct S16S8Core : ByteWeights {
  using Args = GemmS16S8Args;
  using Staged = int16_t;
  using Sum = int64_t;
  static constexpr size_t kMr = kMrOf;
  static constexpr size_t kVectors = kVectorsOf;
  static constexpr size_t kGroup = Dot::kGroup;
  static constexpr size_t kMaxDepth = 480;  // a product is at most 2^15 * 2^7, and 2^31 / 2^22 = 512
  static constexpr size_t kLanes = Simd::kLanes;

  template <size_t kRows, size_t kWidth>
  struct Acc : DotAcc<Dot, kRows, kWidth> {
    FB_INLINE void begin(const int64_t*, size_t, bool) { this->clear(); }
    FB_INLINE void store(int64_t* sums, size_t nr, bool first) {
      unroll<kRows>([&]<size_t m>() FB_LAMBDA {
        int64_t* row = sums + m * nr;
        if (first) {
          unroll<kWidth>([&]<size_t v>() FB_LAMBDA { Simd::store_s64(row + v * kLanes, this->sum[m][v]); });
        } else {
          unroll<kWidth>([&]<size_t v>() FB_LAMBDA { Simd::add_to_s64(row + v * kLanes, this->sum[m][v]); });
        }
      });
    }
  };

  static FB_INLINE void stage(const Args&, const int16_t* in, int16_t* out, size_t count) {
    __builtin_memcpy(out, in, count * sizeof *in);
  }

  template <class Tile>
  static void finish(const Tile& tile, const int64_t* sums, size_t nr) {
    const auto* weight_sums = reinterpret_cast<const int32_t*>(tile.panel);
    const Args& args = *tile.args;
    if constexpr (Finish::kFast) {
      if (args.rule == ShortRule::kReduced && args.out_zero_point == 0) {
        return Finish::fast(args, args.a_zero_point, tile.m, tile.rows, tile.n, tile.columns, sums, nr, weight_sums);
      }
    }
    for (size_t m = 0; m < tile.rows; ++m) {
      finish_s16s8(args, tile.m + m, tile.n, tile.columns, sums + m * nr, weight_sums);
    }
  }
};

}  // namespace
}  // namespace fewbits
