// Element types and shapes: the public part, and what only the library asks of them.
#pragma once

#include "fewbits/types.h"

namespace fewbits {

bool is_float(DType type) noexcept;  // float16, bfloat16, float32, float64

bool is_static(const Shape& shape) noexcept;
// Bytes that `count` elements take; as byte_size() of a shape.
std::optional<size_t> byte_size(DType type, size_t count) noexcept;

}  // namespace fewbits
