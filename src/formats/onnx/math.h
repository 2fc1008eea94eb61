// Functions that TFLite has no operator for, as a few that it has.
#pragma once

#include "formats/onnx/importer.h"

namespace fewbits::onnx {

// int8, uint8, int16: TFLite computes with them as quantized numbers only, so plain arithmetic goes through int32.
bool is_small_int(DType type) noexcept;

// ONNX's cast: floats become integers towards zero, anything becomes bool by not being zero.
ValueId cast_like_onnx(Call& c, ValueId x, DType to);
// log(1 + exp(x)), exact where exp would overflow.
ValueId softplus(Call& c, ValueId x);
// gamma * (x above 0, else alpha * (exp(x / divisor) - 1)).
ValueId scaled_elu(Call& c, ValueId x, double gamma, double alpha, double divisor);
// 1 / sqrt(mean(x^2) + epsilon) and the like: (x - mean) / sqrt(variance + epsilon) along `axes`.
ValueId normalize(Call& c, ValueId x, const std::vector<int32_t>& axes, double epsilon);

}  // namespace fewbits::onnx
