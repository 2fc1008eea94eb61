// Depthwise convolutions as their definition reads; any depth multiplier, any weight zero point.
#include "kernels/depthwise_kernels.h"
#include "kernels/requantize.h"

namespace fewbits {
namespace {

template <class T>
const T* tap(const DepthwiseRows<T>& in, size_t row, size_t t) noexcept {
  const int32_t offset = in.offsets[row * in.taps + t];
  return offset < 0 ? in.padding : in.data + offset;
}

float clamp(float value, float lo, float hi) noexcept {
  value = value < lo ? lo : value;
  return value > hi ? hi : value;
}

size_t packed_f32_size(size_t taps, size_t channels, size_t) noexcept { return taps * channels * sizeof(float); }

void pack_f32(const DepthwiseWeights<float>& w, void* packed) noexcept {
  auto* out = static_cast<float*>(packed);
  for (size_t i = 0; i < w.taps * w.channels; ++i) out[i] = w.data[i];
}

void run_f32(const DepthwiseF32Args& args, size_t row_begin, size_t row_end) noexcept {
  const auto* w = static_cast<const float*>(args.packed);
  for (size_t row = row_begin; row < row_end; ++row) {
    for (size_t c = 0; c < args.channels; ++c) {
      float sum = args.bias != nullptr ? args.bias[c] : 0.0f;
      for (size_t t = 0; t < args.in.taps; ++t) {
        sum += tap(args.in, row, t)[c / args.depth_multiplier] * w[t * args.channels + c];
      }
      args.out[row * args.out_stride + c] = clamp(sum, args.lo, args.hi);
    }
  }
}

size_t packed_s8_size(size_t taps, size_t channels, size_t) noexcept { return taps * channels * sizeof(int16_t); }

// Weights less their zero point, which may need nine bits.
void pack_s8(const DepthwiseWeights<int8_t>& w, void* packed) noexcept {
  auto* out = static_cast<int16_t*>(packed);
  for (size_t i = 0; i < w.taps * w.channels; ++i) {
    out[i] = static_cast<int16_t>(static_cast<int8_t>(w.data[i] ^ w.flip) - w.zero_point);
  }
}

int32_t accumulate(const DepthwiseS8Args& args, size_t row, size_t c) noexcept {
  const auto* w = static_cast<const int16_t*>(args.packed);
  uint32_t sum = args.bias != nullptr ? static_cast<uint32_t>(args.bias[c]) : 0;
  for (size_t t = 0; t < args.in.taps; ++t) {
    const int8_t value = static_cast<int8_t>(tap(args.in, row, t)[c / args.depth_multiplier] ^ args.in_flip);
    sum += static_cast<uint32_t>((value - args.in_zero_point) * w[t * args.channels + c]);
  }
  return static_cast<int32_t>(sum);
}

void run_s8(const DepthwiseS8Args& args, size_t row_begin, size_t row_end) noexcept {
  for (size_t row = row_begin; row < row_end; ++row) {
    for (size_t c = 0; c < args.channels; ++c) {
      const int32_t sum = accumulate(args, row, c);
      const size_t at = row * args.out_stride + c;
      switch (args.output) {
        case GemmS8Output::kInt8:
          static_cast<int8_t*>(args.out)[at] = static_cast<int8_t>(
              requantize(sum, args.multiplier[c], args.rounding, args.out_zero_point, args.lo, args.hi) ^
              args.out_flip);
          break;
        case GemmS8Output::kInt32: static_cast<int32_t*>(args.out)[at] = sum; break;
        case GemmS8Output::kFloat: {
          const float scale = args.in_scale * args.channel_scale[c];
          const float bias = args.float_bias != nullptr ? args.float_bias[c] : 0.0f;
          const float value = static_cast<float>(sum) * scale + bias;
          static_cast<float*>(args.out)[at] = clamp(value, args.float_lo, args.float_hi);
          break;
        }
      }
    }
  }
}

void run_s16s8(const DepthwiseS16S8Args& args, size_t row_begin, size_t row_end) noexcept {
  const auto* w = static_cast<const int16_t*>(args.packed);
  for (size_t row = row_begin; row < row_end; ++row) {
    for (size_t c = 0; c < args.channels; ++c) {
      int64_t sum = args.bias != nullptr ? args.bias[c] : 0;
      for (size_t t = 0; t < args.in.taps; ++t) {
        const int32_t value = tap(args.in, row, t)[c / args.depth_multiplier] - args.in_zero_point;
        sum += static_cast<int64_t>(value) * w[t * args.channels + c];
      }
      args.out[row * args.out_stride + c] =
          requantize_s16(sum, args.multiplier[c], args.rule, args.out_zero_point, args.lo, args.hi);
    }
  }
}

}  // namespace

void finish_s16s8(const DepthwiseS16S8Args& args, size_t row, size_t c, size_t count, const int64_t* sums,
                  const int32_t* weight_sums) noexcept {
  int16_t* out = args.out + row * args.out_stride + c;
  for (size_t i = 0; i < count; ++i) {
    const int64_t bias = args.bias != nullptr ? args.bias[c + i] : 0;
    const int64_t sum = sums[i] + bias - static_cast<int64_t>(args.in_zero_point) * weight_sums[i];
    out[i] = requantize_s16(sum, args.multiplier[c + i], args.rule, args.out_zero_point, args.lo, args.hi);
  }
}

const DepthwiseF32Kernel kDepthwiseF32Ref = {"depthwise_f32_ref", Isa::kBaseline, 1,       true, false,
                                             &packed_f32_size,    &pack_f32,      &run_f32};
const DepthwiseS8Kernel kDepthwiseS8Ref = {"depthwise_s8_ref", Isa::kBaseline, 1,      true, true,
                                           &packed_s8_size,    &pack_s8,       &run_s8};
const DepthwiseS16S8Kernel kDepthwiseS16S8Ref = {"depthwise_s16s8_ref", Isa::kBaseline, 1,         true, true,
                                                 &packed_s8_size,       &pack_s8,       &run_s16s8};

}  // namespace fewbits
