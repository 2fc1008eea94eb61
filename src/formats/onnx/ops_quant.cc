// ONNX quantization: QDQ pairs, QOperator forms.
#include "formats/onnx/importer.h"

namespace fewbits::onnx {

std::span<const OpEntry> quant_ops() { return {}; }

}  // namespace fewbits::onnx
