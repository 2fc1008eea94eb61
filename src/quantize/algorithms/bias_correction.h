// Bias correction: rounding weights shifts the mean of what an operator gives; its bias takes that shift back.
//
// Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2; the means of
// the inputs come from calibration.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/model.h"

namespace fewbits::quantize {

// How far each output channel's mean moves when `weights` become `integers`: what to subtract from the bias. `means` are those of
// the input's channels (its last dimension). For CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV and FULLY_CONNECTED with static
// spatial dimensions; empty for others, and where shapes do not fit each other.
std::vector<double> mean_shift(const Graph& graph, const Node& node, const Value& weights, const Value& integers,
                               std::span<const double> means);

}  // namespace fewbits::quantize
