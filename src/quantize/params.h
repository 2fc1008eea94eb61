// From ranges and weights to scales, zero points and integers: the arithmetic of shared/TFLITE_FACTS section 1.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace fewbits::quantize {

// Asymmetric int8 for [min, max], widened to hold 0: scale = (max - min) / 255, zero point nudged to the smaller error.
// A range of nothing but zero is taken for [0, 1].
QuantParams activation_int8(float min, float max);
// Symmetric int16: scale = max(|min|, |max|) / 32767, zero point 0.
QuantParams activation_int16(float min, float max);

// Float constants as integers. `axis` -1: one scale for all. Values are narrow: [-127, 127].
struct QuantizedWeights {
  QuantParams quant;
  std::vector<int8_t> values;
};
// min_scale, when not empty, is one lower bound a channel: how biases that would overflow coarsen their weights.
QuantizedWeights quantize_weights(std::span<const float> values, const Shape& shape, int axis,
                                  std::span<const float> min_scale = {});

// The scale a weight channel needs at least, so that its bias uses no more than half of int32 at input_scale * weight scale.
float min_weight_scale_for_bias(float bias, float input_scale);

// The bias at scale input_scale * weight_scale[c], rounded half away from zero and clamped to the type.
std::vector<int32_t> quantize_bias_int32(std::span<const float> bias, float input_scale,
                                         std::span<const float> weight_scale);
std::vector<int64_t> quantize_bias_int64(std::span<const float> bias, float input_scale,
                                         std::span<const float> weight_scale);

// Constants that are activations (operands of ADD, CONCATENATION...), under given per-tensor parameters.
std::vector<int8_t> quantize_int8(std::span<const float> values, const QuantParams& quant);
std::vector<int16_t> quantize_int16(std::span<const float> values, const QuantParams& quant);

// float16, values beyond it clamped to +-65504 as TFLite does; `clamped` counts them.
std::vector<uint16_t> to_float16(std::span<const float> values, size_t* clamped);

// An error naming the tensor and the first element that is NaN or infinite.
Status check_finite(std::span<const float> values, const std::string& tensor);

}  // namespace fewbits::quantize
