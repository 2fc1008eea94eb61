// From sums of 16 channels to int8 outputs, a row after the other: requantize() of requantize.h up to its limits, for
// NEON. Saturating narrowing does most of the clamping. Include after simd_neon.h.
#pragma once

#include "kernels/gemm.h"
#include "kernels/requantize_simd.h"

namespace fewbits {
namespace {

struct Sixteen {
  static constexpr size_t kChannels = 16, kVectors = 4;
  int32x4_t term[kVectors];  // is added to the sums

  // Bias (or null) less the zero point times the weights' sums, of these channels.
  FB_INLINE Sixteen(const int32_t* bias, int32_t zero_point, const int32_t* weight_sums) {
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
      const int32x4_t begin = bias != nullptr ? vld1q_s32(bias + v * 4) : vdupq_n_s32(0);
      term[v] = vmlsq_s32(begin, vld1q_s32(weight_sums + v * 4), vdupq_n_s32(zero_point));
    });
  }

  // Args: of the product or the convolution; multiplier: of these channels. sums: [rows][stride], out: of the first row.
  template <class Args>
  FB_INLINE void write(const Args& args, const float* multiplier, size_t rows, const int32_t* sums, size_t stride,
                       int8_t* out) const {
    float32x4_t scale[kVectors];
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA { scale[v] = vld1q_f32(multiplier + v * 4); });
    if (args.rounding == Rounding::kOnce) {
      return write_rows(args, rows, sums, stride, out,
                        [&]<size_t v>(int32x4_t x) FB_LAMBDA { return vmulq_f32(vcvtq_f32_s32(x), scale[v]); });
    }
    SplitMultipliers<Simd> split[kVectors];
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA { split[v] = SplitMultipliers<Simd>(scale[v]); });
    write_rows(args, rows, sums, stride, out, [&]<size_t v>(int32x4_t x) FB_LAMBDA { return split[v](x); });
  }

 private:
  template <class Args, class Scale>
  FB_INLINE void write_rows(const Args& args, size_t rows, const int32_t* sums, size_t stride, int8_t* out,
                            const Scale& scale) const {
    const int16x8_t zero_point = vdupq_n_s16(static_cast<int16_t>(args.out_zero_point));
    const int8x16_t lo = vdupq_n_s8(static_cast<int8_t>(args.lo)), hi = vdupq_n_s8(static_cast<int8_t>(args.hi));
    const int8x16_t flip = vdupq_n_s8(static_cast<int8_t>(args.out_flip));
    for (; rows > 0; --rows, sums += stride, out += args.out_stride) {
      int32x4_t x[kVectors];
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
        x[v] = vcvtnq_s32_f32(scale.template operator()<v>(vaddq_s32(vld1q_s32(sums + v * 4), term[v])));
      });
      const int16x8_t low = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(x[0]), x[1]), zero_point);
      const int16x8_t high = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(x[2]), x[3]), zero_point);
      const int8x16_t bytes = vminq_s8(vmaxq_s8(vqmovn_high_s16(vqmovn_s16(low), high), lo), hi);
      vst1q_s8(out, veorq_s8(bytes, flip));
    }
  }
};

}  // namespace
}  // namespace fewbits
