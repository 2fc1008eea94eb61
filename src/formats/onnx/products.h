// Products and pools, for the tables that need them beside their own.
#pragma once

#include "formats/onnx/importer.h"

namespace fewbits::onnx {

// ONNX's MatMul: vectors are rows or columns, leading dimensions broadcast. FULLY_CONNECTED where b is a constant matrix.
ValueId multiply(Call& call, ValueId a, ValueId b);
// ONNX's Conv, with the attributes of `call`.
ValueId convolve(Call& call, ValueId x, ValueId weights, ValueId bias);
// ONNX's AveragePool, with the attributes of `call`.
ValueId average_pool(Call& call, ValueId x);
// The activation that contrib operators name ("Relu", "LeakyRelu" with `alpha`, ...), or the input for "".
ValueId activated(Call& call, ValueId x, const std::string& name, const std::vector<double>& parameters);
// Half of a quantized operator: `scale` and `zero_point` (kNoValue: 0) are ONNX's.
ValueId dequantized(Call& call, ValueId x, ValueId scale, ValueId zero_point, int64_t axis);
ValueId quantized(Call& call, ValueId x, ValueId scale, ValueId zero_point, int64_t axis, DType type);

}  // namespace fewbits::onnx
