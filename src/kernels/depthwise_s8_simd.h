// The int8 Core of depthwise_tiles.h: taps go by pairs, int16 products summed two at a time. Packed weights are the
// sums of each channel's weights (int32), then [pairs][channels] pairs of int16; channels padded to whole vectors.
// Include after a simd_<isa>.h.
#pragma once

#include "kernels/depthwise_kernels.h"
#include "kernels/depthwise_tiles.h"
#include "kernels/requantize_simd.h"

namespace fewbits {
namespace {

// From sums of input times weight to outputs, for every int8 depthwise kernel: takes off the input's zero point, adds
// the bias, scales and stores.
struct DepthwiseS8Output {
  using Args = DepthwiseS8Args;
  using Sum = int32_t;
  using F32 = Simd::F32;
  using I32 = Simd::I32;
  static constexpr size_t kLanes = Simd::kLanes;

  // offset: what the sums' inputs had added to them. weight_sums: of all channels.
  static FB_INLINE void write(const Args& args, size_t row, size_t rows, size_t c, size_t count, const int32_t* sums,
                              size_t stride, const int32_t* weight_sums, int32_t offset) {
    const I32 zero_point = Simd::set(args.in_zero_point + offset);
    for (size_t i = 0; i < count; i += kLanes) {
      const size_t left = smaller(count - i, kLanes);
      const I32 bias = args.bias != nullptr ? Simd::load(args.bias + c + i, left) : Simd::set(0);
      const I32 term = Simd::sub(bias, Simd::mul(zero_point, Simd::load(weight_sums + c + i, left)));
      switch (args.output) {
        case GemmS8Output::kInt8: write_int8(args, row, rows, c + i, left, sums + i, stride, term); break;
        case GemmS8Output::kInt32: write_int32(args, row, rows, c + i, left, sums + i, stride, term); break;
        case GemmS8Output::kFloat: write_float(args, row, rows, c + i, left, sums + i, stride, term); break;
      }
    }
  }

 private:
  static FB_INLINE void write_int8(const Args& args, size_t row, size_t rows, size_t c, size_t count,
                                   const int32_t* sums, size_t stride, I32 term) {
    const F32 least = Simd::set(static_cast<float>(args.lo - args.out_zero_point));
    const F32 most = Simd::set(static_cast<float>(args.hi - args.out_zero_point));
    const I32 zero_point = Simd::set(args.out_zero_point);
    const Requantization<Simd> scaled(Simd::load(args.multiplier + c, count), args.rounding);
    int8_t* out = static_cast<int8_t*>(args.out) + row * args.out_stride + c;
    for (size_t r = 0; r < rows; ++r, out += args.out_stride) {
      const F32 value = scaled(Simd::add(Simd::load(sums + r * stride), term));
      const F32 clamped = Simd::min(Simd::max(value, least), most);
      Simd::store_s8(out, Simd::add(Simd::to_int_nearest_even(clamped), zero_point), args.out_flip, count);
    }
  }

  static FB_INLINE void write_int32(const Args& args, size_t row, size_t rows, size_t c, size_t count,
                                    const int32_t* sums, size_t stride, I32 term) {
    int32_t* out = static_cast<int32_t*>(args.out) + row * args.out_stride + c;
    for (size_t r = 0; r < rows; ++r, out += args.out_stride) {
      Simd::store(out, Simd::add(Simd::load(sums + r * stride), term), count);
    }
  }

  static FB_INLINE void write_float(const Args& args, size_t row, size_t rows, size_t c, size_t count,
                                    const int32_t* sums, size_t stride, I32 term) {
    const F32 lo = Simd::set(args.float_lo), hi = Simd::set(args.float_hi);
    const F32 scale = Simd::mul(Simd::set(args.in_scale), Simd::load(args.channel_scale + c, count));
    const F32 bias = args.float_bias != nullptr ? Simd::load(args.float_bias + c, count) : Simd::zero();
    float* out = static_cast<float*>(args.out) + row * args.out_stride + c;
    for (size_t r = 0; r < rows; ++r, out += args.out_stride) {
      const F32 x = Simd::add(Simd::mul(Simd::to_float(Simd::add(Simd::load(sums + r * stride), term)), scale), bias);
      Simd::store(out, Simd::min(hi, Simd::max(lo, x)), count);
    }
  }
};

struct DepthwiseS8Core {
  using Args = DepthwiseS8Args;
  using Element = int8_t;
  using Sum = int32_t;
  using I32 = Simd::I32;
  static constexpr size_t kVectors = 2;
  static constexpr size_t kLanes = Simd::kLanes;

  static size_t packed_size(size_t taps, size_t channels, size_t) noexcept {
    return (1 + (taps + 1) / 2) * round_up(channels, kLanes) * sizeof(int32_t);
  }

  static void pack(const DepthwiseWeights<int8_t>& w, void* packed) noexcept {
    auto* out = static_cast<int32_t*>(packed);
    const size_t padded = round_up(w.channels, kLanes);
    for (size_t c = 0; c < padded; ++c) {
      out[c] = 0;
      for (size_t t = 0; t < w.taps; ++t) out[c] += weight(w, t, c);
    }
    for (size_t t = 0; t < w.taps; t += 2) {
      out += padded;
      for (size_t c = 0; c < padded; ++c) {
        const uint32_t low = static_cast<uint32_t>(weight(w, t, c)) & 0xffffu;
        out[c] = static_cast<int32_t>(low | static_cast<uint32_t>(weight(w, t + 1, c)) << 16);
      }
    }
  }

  template <size_t kRows, size_t kWidth, bool kWhole, class Taps>
  static FB_INLINE void sum(const Args& args, const Taps& taps, size_t c, size_t count, int32_t* sums) {
    const size_t padded = round_up(args.channels, kLanes);
    const int32_t* w = static_cast<const int32_t*>(args.packed) + padded + c;
    I32 acc[kRows][kWidth];
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = Simd::set(0); }); });
    for (size_t t = 0; t < args.in.taps; t += 2, w += padded) {
      const size_t second = t + 1 < args.in.taps ? t + 1 : t;  // an odd last tap meets itself with a weight of 0
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
        const I32 weights = Simd::load(w + v * kLanes);
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          const int8_t* first_tap = taps(t, r) + c + v * kLanes;
          const int8_t* second_tap = taps(second, r) + c + v * kLanes;
          const I32 pairs = kWhole ? Simd::load_pairs_s8(first_tap, second_tap, args.in_flip)
                                   : Simd::load_pairs_s8(first_tap, second_tap, args.in_flip, count);
          acc[r][v] = Simd::add_pair_products(acc[r][v], pairs, weights);
        });
      });
    }
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA { Simd::store(sums + (r * kWidth + v) * kLanes, acc[r][v]); });
    });
  }

  static FB_INLINE void finish(const Args& args, size_t row, size_t rows, size_t c, size_t count, const int32_t* sums,
                               size_t stride) {
    DepthwiseS8Output::write(args, row, rows, c, count, sums, stride, static_cast<const int32_t*>(args.packed), 0);
  }

  static FB_INLINE int32_t weight(const DepthwiseWeights<int8_t>& w, size_t t, size_t c) {
    if (t >= w.taps || c >= w.channels) return 0;
    return static_cast<int8_t>(w.data[t * w.channels + c] ^ w.flip) - w.zero_point;
  }
};

}  // namespace
}  // namespace fewbits
