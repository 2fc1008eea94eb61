// Rounding that keeps means: the taps of a filter that meet one input channel are rounded together, not each to its nearest.
//
// Neighbouring positions of a feature map resemble each other, so what the taps' rounding errors add up to matters more than each
// of them. Needs no data. docs/decisions/004-rounding-keeps-means.md has the measurements.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/model.h"

namespace fewbits::quantize {

// Moves integers by one step, those first whose error is nearest to half of one, while that lowers
//   sum of squared errors + (sum of errors)^2
// over the taps of each pair of output and input channel. `shape` is [outputs, rows, columns, inputs] (CONV_2D) or
// [1, rows, columns, channels] (DEPTHWISE_CONV_2D); other shapes are left as they are. No integer leaves [-127, 127], and no
// error reaches a whole step.
void keep_means(std::span<const float> values, const Shape& shape, const QuantParams& quant,
                std::span<int8_t> integers);

}  // namespace fewbits::quantize
