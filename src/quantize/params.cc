// From ranges and weights to scales, zero points and integers.
#include "quantize/params.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/half.h"

namespace fewbits::quantize {
namespace {

// The index of each element along `axis` is (i / inner) % channels.
struct Channels {
  size_t count = 1, inner = 1;
};

Channels channels_of(const Shape& shape, int axis) {
  if (axis < 0) return {1, element_count(shape)};
  Channels channels{static_cast<size_t>(shape[static_cast<size_t>(axis)]), 1};
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) channels.inner *= static_cast<size_t>(shape[i]);
  return channels;
}

template <class T>
std::vector<T> quantize_with(std::span<const float> values, float scale, double zero_point, double lo, double hi) {
  std::vector<T> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const double q = zero_point + std::round(static_cast<double>(values[i] / scale));
    out[i] = static_cast<T>(std::clamp(q, lo, hi));
  }
  return out;
}

template <class T>
std::vector<T> quantize_bias(std::span<const float> bias, float input_scale, std::span<const float> weight_scale,
                             double limit) {
  std::vector<T> out(bias.size());
  for (size_t i = 0; i < bias.size(); ++i) {
    const double scale = static_cast<double>(input_scale) * weight_scale[weight_scale.size() == 1 ? 0 : i];
    const double q = scale == 0 ? 0.0 : std::round(bias[i] / scale);
    out[i] = static_cast<T>(std::clamp(q, -limit, limit));
  }
  return out;
}

}  // namespace

QuantParams activation_int8(float min, float max) {
  constexpr double kMin = -128, kMax = 127;
  const double lo = std::min(0.0f, min), hi = std::max(0.0f, max);
  QuantParams quant;
  quant.min = {static_cast<float>(lo)};
  quant.max = {static_cast<float>(hi)};
  if (lo == hi)
    return activation_int8(0, 1);  // nothing but zero: any scale is exact, and some kernels want one below 1
  // In double, then stored as float32: a range of denormals must not give a scale of zero.
  const double scale = std::max((hi - lo) / (kMax - kMin), static_cast<double>(std::numeric_limits<float>::min()));
  const double from_min = kMin - lo / scale, from_max = kMax - hi / scale;
  const double error_min = std::abs(kMin) + std::abs(lo / scale), error_max = std::abs(kMax) + std::abs(hi / scale);
  const double zero = error_min < error_max ? from_min : from_max;
  quant.scale = {static_cast<float>(scale)};
  quant.zero_point = {static_cast<int64_t>(std::clamp(std::round(zero), kMin, kMax))};
  return quant;
}

QuantParams activation_int16(float min, float max) {
  const double range = std::max(std::abs(static_cast<double>(min)), std::abs(static_cast<double>(max)));
  QuantParams quant;
  quant.min = {static_cast<float>(-range)};
  quant.max = {static_cast<float>(range)};
  quant.scale = {
      range == 0 ? 1.0f / 32767
                 : static_cast<float>(std::max(range / 32767, static_cast<double>(std::numeric_limits<float>::min())))};
  quant.zero_point = {0};
  return quant;
}

QuantizedWeights quantize_weights(std::span<const float> values, const Shape& shape, int axis,
                                  std::span<const float> min_scale) {
  const Channels channels = channels_of(shape, axis);
  std::vector<float> range(channels.count, 0.0f);
  float widest = 0;
  const auto channel_of = [&](size_t i) { return channels.count == 1 ? 0 : i / channels.inner % channels.count; };
  for (size_t i = 0; i < values.size(); ++i) {
    float& r = range[channel_of(i)];
    r = std::max(r, std::abs(values[i]));
    widest = std::max(widest, r);
  }
  QuantizedWeights out;
  out.quant.axis = std::max(axis, 0);
  out.quant.zero_point.assign(channels.count, 0);
  for (size_t c = 0; c < channels.count; ++c) {
    if (!min_scale.empty()) range[c] = std::max(range[c], min_scale[min_scale.size() == 1 ? 0 : c] * 127.0f);
    // A channel of zeros still needs a positive scale: any does, and one like its neighbours' keeps the bias precise.
    if (range[c] < std::numeric_limits<float>::min() * 127)
      range[c] = std::max(widest, std::numeric_limits<float>::min() * 127);
    out.quant.scale.push_back(range[c] / 127.0f);
  }
  out.values.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float q = std::round(values[i] * (127.0f / range[channel_of(i)]));
    out.values[i] = static_cast<int8_t>(std::clamp(q, -127.0f, 127.0f));
  }
  return out;
}

float min_weight_scale_for_bias(float bias, float input_scale) {
  constexpr double kHalf = 0.5 * std::numeric_limits<int32_t>::max();
  return static_cast<float>(std::abs(static_cast<double>(bias)) / (kHalf * input_scale));
}

std::vector<int32_t> quantize_bias_int32(std::span<const float> bias, float input_scale,
                                         std::span<const float> weight_scale) {
  return quantize_bias<int32_t>(bias, input_scale, weight_scale, std::numeric_limits<int32_t>::max());
}

std::vector<int64_t> quantize_bias_int64(std::span<const float> bias, float input_scale,
                                         std::span<const float> weight_scale) {
  // LiteRT's 16x8 kernels want accumulators below 2^47.
  return quantize_bias<int64_t>(bias, input_scale, weight_scale, static_cast<double>(int64_t{1} << 46));
}

std::vector<int8_t> quantize_int8(std::span<const float> values, const QuantParams& quant) {
  return quantize_with<int8_t>(values, quant.scale[0], static_cast<double>(quant.zero()), -128, 127);
}

std::vector<int16_t> quantize_int16(std::span<const float> values, const QuantParams& quant) {
  return quantize_with<int16_t>(values, quant.scale[0], static_cast<double>(quant.zero()), -32767, 32767);
}

std::vector<uint16_t> to_float16(std::span<const float> values, size_t* clamped) {
  constexpr float kLimit = 65504.0f;
  std::vector<uint16_t> out(values.size());
  size_t beyond = 0;
  for (float value : values) beyond += std::abs(value) > kLimit;
  if (beyond == 0) {
    float_to_half(values.data(), out.data(), values.size());
  } else {
    for (size_t i = 0; i < values.size(); ++i) out[i] = float_to_half(std::clamp(values[i], -kLimit, kLimit));
  }
  *clamped = beyond;
  return out;
}

Status check_finite(std::span<const float> values, const std::string& tensor) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return fail(ErrorCode::kInvalidModel,
                  "constant '{}' holds {} at element {}: it cannot be quantized; exclude its operator", tensor,
                  values[i], i);
    }
  }
  return {};
}

}  // namespace fewbits::quantize
