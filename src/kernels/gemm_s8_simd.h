// The int8 Core of gemm_tiles.h, over a Dot that says how products of bytes are summed. Include after a simd_<isa>.h.
//
//   sum (a - za)(w - zw) = sum a w - za * sum w - zw * (sum a - k za)
// The second term comes from the panel's header of weight sums, the third is a term of the row.
#pragma once

#include "kernels/gemm_bytes.h"
#include "kernels/requantize_simd.h"

namespace fewbits {
namespace {

template <class Dot, size_t kMrOf, size_t kVectorsOf>
struct S8Core : ByteWeights {
  using Args = GemmS8Args;
  using Staged = typename Dot::Staged;
  using Sum = int32_t;
  using F32 = Simd::F32;
  using I32 = Simd::I32;
  static constexpr size_t kMr = kMrOf;
  static constexpr size_t kVectors = kVectorsOf;
  static constexpr size_t kGroup = Dot::kGroup;
  static constexpr size_t kMaxDepth = ~size_t{0};
  static constexpr size_t kLanes = Simd::kLanes;

  template <size_t kRows, size_t kWidth>
  using Acc = DotAcc<Dot, kRows, kWidth>;

  static FB_INLINE void stage(const Args& args, const int8_t* in, Staged* out, size_t count) {
    Dot::stage(in, out, count, args.a_flip);
  }

  template <class Tile>
  static void finish(const Tile& tile, int32_t* sums, size_t nr) {
    const Args& args = *tile.args;
    add_column_terms(tile, sums, nr);
    if (args.row_zero_point != nullptr || args.w_zero_point != 0) add_row_terms(tile, sums, nr);
    switch (args.output) {
      case GemmS8Output::kInt8: return to_int8(tile, sums, nr);
      case GemmS8Output::kInt32: return to_int32(tile, sums, nr);
      case GemmS8Output::kFloat: return to_float(tile, sums, nr);
    }
  }

 private:
  template <class Tile>
  static FB_INLINE void add_column_terms(const Tile& tile, int32_t* sums, size_t nr) {
    const Args& args = *tile.args;
    const auto* weight_sums = reinterpret_cast<const int32_t*>(tile.panel);
    const I32 zero_point = Simd::set(args.a_zero_point + Dot::kOffset);
    for (size_t i = 0; i < tile.columns; i += kLanes) {
      const I32 bias = args.bias != nullptr ? load_columns(args.bias + tile.n + i, tile.columns - i) : Simd::set(0);
      const I32 term = Simd::sub(bias, Simd::mul(zero_point, Simd::load(weight_sums + i)));
      for (size_t m = 0; m < tile.rows; ++m) {
        int32_t* sum = sums + m * nr + i;
        Simd::store(sum, Simd::add(Simd::load(sum), term));
      }
    }
  }

  static uint32_t row_sum(const Args& args, size_t m) {
    uint32_t sum = 0;
    for (size_t t = 0; t < args.a.taps; ++t) {
      const int8_t* in = tap_of(args.a, m, t);
      for (size_t c = 0; c < args.a.tap_k; ++c) sum += static_cast<uint32_t>(static_cast<int8_t>(in[c] ^ args.a_flip));
    }
    return sum;
  }

  template <class Tile>
  static void add_row_terms(const Tile& tile, int32_t* sums, size_t nr) {
    const Args& args = *tile.args;
    const auto* weight_sums = reinterpret_cast<const int32_t*>(tile.panel);
    for (size_t m = 0; m < tile.rows; ++m) {
      const int32_t row_zero_point = args.row_zero_point != nullptr ? args.row_zero_point[tile.m + m] : 0;
      uint32_t term = 0;
      if (args.w_zero_point != 0) {
        const uint32_t zero_point = static_cast<uint32_t>(args.a_zero_point + row_zero_point);
        const uint32_t k = static_cast<uint32_t>(args.a.taps * args.a.tap_k);
        term = static_cast<uint32_t>(args.w_zero_point) * (k * zero_point - row_sum(args, tile.m + m));
      }
      for (size_t i = 0; i < tile.columns; i += kLanes) {
        int32_t* sum = sums + m * nr + i;
        const I32 columns = Simd::mul(Simd::set(row_zero_point), Simd::load(weight_sums + i));
        Simd::store(sum, Simd::add(Simd::sub(Simd::load(sum), columns), Simd::set(static_cast<int32_t>(term))));
      }
    }
  }

  template <class Tile>
  static FB_INLINE void to_int8(const Tile& tile, const int32_t* sums, size_t nr) {
    const Args& args = *tile.args;
    const F32 least = Simd::set(static_cast<float>(args.lo - args.out_zero_point));
    const F32 most = Simd::set(static_cast<float>(args.hi - args.out_zero_point));
    const I32 zero_point = Simd::set(args.out_zero_point);
    for (size_t i = 0; i < tile.columns; i += kLanes) {
      const size_t count = smaller(tile.columns - i, kLanes);
      const Requantization<Simd> scaled(load_columns(args.multiplier + tile.n + i, count), args.rounding);
      int8_t* out = static_cast<int8_t*>(args.out) + tile.m * args.out_stride + tile.n + i;
      for (size_t m = 0; m < tile.rows; ++m, out += args.out_stride) {
        const F32 clamped = Simd::min(Simd::max(scaled(Simd::load(sums + m * nr + i)), least), most);
        Simd::store_s8(out, Simd::add(Simd::to_int_nearest_even(clamped), zero_point), args.out_flip, count);
      }
    }
  }

  template <class Tile>
  static FB_INLINE void to_int32(const Tile& tile, const int32_t* sums, size_t nr) {
    for (size_t i = 0; i < tile.columns; i += kLanes) {
      int32_t* out = static_cast<int32_t*>(tile.args->out) + tile.m * tile.args->out_stride + tile.n + i;
      for (size_t m = 0; m < tile.rows; ++m, out += tile.args->out_stride) {
        Simd::store(out, Simd::load(sums + m * nr + i), smaller(tile.columns - i, kLanes));
      }
    }
  }

  template <class Tile>
  static FB_INLINE void to_float(const Tile& tile, const int32_t* sums, size_t nr) {
    const Args& args = *tile.args;
    const F32 lo = Simd::set(args.float_lo), hi = Simd::set(args.float_hi);
    for (size_t i = 0; i < tile.columns; i += kLanes) {
      const size_t count = smaller(tile.columns - i, kLanes);
      const F32 channel_scale = load_columns(args.channel_scale + tile.n + i, count);
      const F32 bias = args.float_bias != nullptr ? load_columns(args.float_bias + tile.n + i, count) : Simd::zero();
      float* out = static_cast<float*>(args.out) + tile.m * args.out_stride + tile.n + i;
      for (size_t m = 0; m < tile.rows; ++m, out += args.out_stride) {
        const F32 row = Simd::set(args.row_scale[tile.m + m]), real = Simd::to_float(Simd::load(sums + m * nr + i));
        const F32 scaled = args.channel_first ? Simd::mul(Simd::mul(real, channel_scale), row)
                                              : Simd::mul(real, Simd::mul(row, channel_scale));
        const F32 x = Simd::add(scaled, bias);
        Simd::store(out, Simd::min(hi, Simd::max(lo, x)), count);
      }
    }
  }
};

}  // namespace
}  // namespace fewbits
