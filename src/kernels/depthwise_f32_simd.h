// The float Core of depthwise_tiles.h. Packed weights are [taps][channels], channels padded to whole vectors. Include
// after a simd_<isa>.h.
#pragma once

#include "kernels/depthwise_kernels.h"
#include "kernels/depthwise_tiles.h"

namespace fewbits {
namespace {

struct DepthwiseF32Core {
  using Args = DepthwiseF32Args;
  using Element = float;
  using Sum = float;
  static constexpr size_t kVectors = 2;
  static constexpr size_t kLanes = Simd::kLanes;

  static size_t packed_size(size_t taps, size_t channels, size_t) noexcept {
    return taps * round_up(channels, kLanes) * sizeof(float);
  }

  static void pack(const DepthwiseWeights<float>& w, void* packed) noexcept {
    auto* out = static_cast<float*>(packed);
    const size_t padded = round_up(w.channels, kLanes);
    for (size_t t = 0; t < w.taps; ++t) {
      for (size_t c = 0; c < padded; ++c) *out++ = c < w.channels ? w.data[t * w.channels + c] : 0.0f;
    }
  }

  template <size_t kRows, size_t kWidth, bool kWhole, class Taps>
  static FB_INLINE void sum(const Args& args, const Taps& taps, size_t c, size_t count, float* sums) {
    const size_t padded = round_up(args.channels, kLanes);
    const float* w = static_cast<const float*>(args.packed) + c;
    Simd::F32 acc[kRows][kWidth];
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = Simd::zero(); }); });
    for (size_t t = 0; t < args.in.taps; ++t, w += padded) {
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
        const Simd::F32 weight = Simd::load(w + v * kLanes);
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          const float* in = taps(t, r) + c + v * kLanes;
          acc[r][v] = Simd::fma(kWhole ? Simd::load(in) : Simd::load(in, count), weight, acc[r][v]);
        });
      });
    }
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA { Simd::store(sums + (r * kWidth + v) * kLanes, acc[r][v]); });
    });
  }

  static FB_INLINE void finish(const Args& args, size_t row, size_t rows, size_t c, size_t count, const float* sums,
                               size_t stride) {
    const Simd::F32 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    for (size_t i = 0; i < count; i += kLanes) {
      const size_t left = smaller(count - i, kLanes);
      const Simd::F32 bias = args.bias != nullptr ? Simd::load(args.bias + c + i, left) : Simd::zero();
      for (size_t r = 0; r < rows; ++r) {
        const Simd::F32 x = Simd::add(Simd::load(sums + r * stride + i), bias);
        Simd::store(args.out + (row + r) * args.out_stride + c + i, Simd::min(hi, Simd::max(lo, x)), left);
      }
    }
  }
};

}  // namespace
}  // namespace fewbits
