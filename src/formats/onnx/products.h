// Matrix products, for the tables that need them beside MatMul.
#pragma once

#include "formats/onnx/importer.h"

namespace fewbits::onnx {

// ONNX's MatMul: vectors are rows or columns, leading dimensions broadcast. FULLY_CONNECTED where b is a constant matrix.
ValueId multiply(Call& call, ValueId a, ValueId b);

}  // namespace fewbits::onnx
