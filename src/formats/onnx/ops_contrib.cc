// Operators of ONNX Runtime's domain com.microsoft that exporters and optimizers write.
#include "formats/onnx/importer.h"

namespace fewbits::onnx {

std::span<const OpEntry> contrib_ops() { return {}; }

}  // namespace fewbits::onnx
