// The int8 Core of NEON's matrix products: gemm_s8_simd.h's, which writes whole panels of int8 16 outputs at a time.
// Include after simd_neon.h.
#pragma once

#include "kernels/gemm_s8_simd.h"
#include "kernels/requantize_neon.h"

namespace fewbits {
namespace {

template <class Dot>
struct NeonS8Core : S8Core<Dot, 6, 4> {
  using Base = S8Core<Dot, 6, 4>;
  using Args = typename Base::Args;

  template <class Tile>
  static void finish(const Tile& tile, int32_t* sums, size_t nr) {
    const Args& args = *tile.args;
    const bool plain = args.row_zero_point == nullptr && args.w_zero_point == 0;
    if (args.output != GemmS8Output::kInt8 || !plain || tile.columns < Sixteen::kChannels)
      return Base::finish(tile, sums, nr);
    const Sixteen columns(args.bias != nullptr ? args.bias + tile.n : nullptr, args.a_zero_point,
                          reinterpret_cast<const int32_t*>(tile.panel));
    int8_t* out = static_cast<int8_t*>(args.out) + tile.m * args.out_stride + tile.n;
    columns.write(args, args.multiplier + tile.n, tile.rows, sums, nr, out);
  }
};

}  // namespace
}  // namespace fewbits
