// Depthwise convolutions for NEON.
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/depthwise_f32_lines_simd.h"
#include "kernels/depthwise_s8_simd.h"

namespace fewbits {
namespace {

// The registers are enough for four vectors, and what bounds is loads: they share those of the rows' places.
struct DepthwiseF32NeonCore : DepthwiseF32Core {
  static constexpr size_t kVectors = 4;
};

// Eight channels of a tap at a time: inputs widened to int16 and multiplied with int16 weights (those less a zero point need nine
// bits) into int32 sums. Packed weights are the sums of each channel's weights (int32), then [taps][channels] of int16; channels
// padded to eight.
struct DepthwiseS8NeonCore : DepthwiseS8Core {
  static constexpr size_t kPadding = 8;

  static size_t packed_size(size_t taps, size_t channels, size_t) noexcept {
    return round_up(channels, kPadding) * (sizeof(int32_t) + taps * sizeof(int16_t));
  }

  static void pack(const DepthwiseWeights<int8_t>& w, void* packed) noexcept {
    const size_t padded = round_up(w.channels, kPadding);
    auto* sums = static_cast<int32_t*>(packed);
    auto* out = reinterpret_cast<int16_t*>(sums + padded);
    for (size_t c = 0; c < padded; ++c) sums[c] = 0;
    for (size_t t = 0; t < w.taps; ++t, out += padded) {
      for (size_t c = 0; c < padded; ++c) {
        out[c] = static_cast<int16_t>(weight(w, t, c));
        sums[c] += out[c];
      }
    }
  }

  template <size_t kRows, size_t kWidth, bool kWhole, class Taps>
  static FB_INLINE void sum(const Args& args, const Taps& taps, size_t c, size_t count, int32_t* sums) {
    const size_t padded = round_up(args.channels, kPadding);
    const auto* w = reinterpret_cast<const int16_t*>(static_cast<const int32_t*>(args.packed) + padded) + c;
    int32x4_t acc[kRows][kWidth];
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = vdupq_n_s32(0); }); });
    for (size_t t = 0; t < args.in.taps; ++t, w += padded) {
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const int8_t* in = taps(t, r) + c;
        if constexpr (kWidth == 2) {
          const int16x8_t x = vmovl_s8(veor_s8(vld1_s8(in), vdup_n_s8(static_cast<int8_t>(args.in_flip))));
          const int16x8_t weights = vld1q_s16(w);
          acc[r][0] = vmlal_s16(acc[r][0], vget_low_s16(x), vget_low_s16(weights));
          acc[r][1] = vmlal_high_s16(acc[r][1], x, weights);
        } else {
          const int32x4_t x = Simd::load_s8(in, args.in_flip, kWhole ? kLanes : count);
          acc[r][0] = vmlal_s16(acc[r][0], vmovn_s32(x), vld1_s16(w));
        }
      });
    }
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA { Simd::store(sums + (r * kWidth + v) * kLanes, acc[r][v]); });
    });
  }
};

}  // namespace

const DepthwiseF32Kernel kDepthwiseF32Neon = {"depthwise_f32_neon",
                                              Isa::kNeon,
                                              Simd::kLanes,
                                              false,
                                              false,
                                              &DepthwiseF32Core::packed_size,
                                              &DepthwiseF32Core::pack,
                                              &run_depthwise_f32<DepthwiseF32NeonCore>};
const DepthwiseS8Kernel kDepthwiseS8Neon = {"depthwise_s8_neon",
                                            Isa::kNeon,
                                            Simd::kLanes,
                                            false,
                                            true,
                                            &DepthwiseS8NeonCore::packed_size,
                                            &DepthwiseS8NeonCore::pack,
                                            &Depthwise<DepthwiseS8NeonCore>::run};

}  // namespace fewbits
