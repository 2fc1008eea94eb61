// The float Core of gemm_tiles.h. Include after a simd_<isa>.h.
#pragma once

#include "kernels/gemm_tiles.h"

namespace fewbits {
namespace {

struct F32Dot {
  using Staged = float;
  using Packed = float;
  using Vector = Simd::F32;
  static constexpr size_t kGroup = 1;

  static FB_INLINE Vector zero() { return Simd::zero(); }
  static FB_INLINE Vector broadcast(const float* a) { return Simd::set(*a); }
  static FB_INLINE Vector load(const float* b) { return Simd::load(b); }
  static FB_INLINE Vector dot(Vector sum, Vector a, Vector b) { return Simd::fma(a, b, sum); }
};

template <size_t kMrOf, size_t kVectorsOf>
struct F32Core {
  using Args = GemmF32Args;
  using Weight = float;
  using Packed = float;
  using Staged = float;
  using Sum = float;
  static constexpr size_t kMr = kMrOf;
  static constexpr size_t kVectors = kVectorsOf;
  static constexpr size_t kGroup = 1;
  static constexpr size_t kHeaderBytes = 0;
  static constexpr size_t kMaxDepth = ~size_t{0};
  static constexpr size_t kLanes = Simd::kLanes;

  template <size_t kRows, size_t kWidth>
  using Acc = DotAcc<F32Dot, kRows, kWidth>;

  static FB_INLINE void stage(const Args&, const float* in, float* out, size_t count) {
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) Simd::store(out + i, Simd::load(in + i));
    for (; i < count; ++i) out[i] = in[i];
  }
  static FB_INLINE void pack_header(const GemmWeights<float>&, size_t, size_t, size_t, uint8_t*) {}
  static FB_INLINE float pack_one(const GemmWeights<float>&, float weight) { return weight; }

  template <class Tile>
  static void finish(const Tile& tile, const float* sums, size_t nr) {
    const Args& args = *tile.args;
    const Simd::F32 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    for (size_t i = 0; i < tile.columns; i += kLanes) {
      const size_t count = smaller(tile.columns - i, kLanes);
      const Simd::F32 bias = args.bias != nullptr ? load_columns(args.bias + tile.n + i, count) : Simd::zero();
      float* out = args.out + tile.m * args.out_stride + tile.n + i;
      for (size_t m = 0; m < tile.rows; ++m, out += args.out_stride) {
        const Simd::F32 x = Simd::add(Simd::load(sums + m * nr + i), bias);
        Simd::store(out, Simd::min(hi, Simd::max(lo, x)), count);
      }
    }
  }
};

}  // namespace
}  // namespace fewbits
