// Constants that are stored sparse (Value::sparsity, the format of TACO: http://tensor-compiler.org), made dense.
#pragma once

#include <cstddef>
#include <vector>

#include "ir/op_def.h"

namespace fewbits::ops {

// The dense bytes of a sparse constant whose elements are `element_bytes` wide. Everything in the format's tables is
// checked; the error says what does not fit.
Result<std::vector<std::byte>> densify(const OpContext& context, const TensorInfo& tensor, size_t element_bytes);

}  // namespace fewbits::ops
