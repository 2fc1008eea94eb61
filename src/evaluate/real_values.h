// The elements of any tensor as the real numbers that they stand for.
#pragma once

#include <cstddef>
#include <span>

#include "ir/op_def.h"

namespace fewbits::evaluate {

// Whether read_real() can read the type: all numbers and booleans, packed int4 and int2 included; no complex ones, no strings.
bool is_real(DType type) noexcept;

// Writes elements [begin, begin + out.size()) as real numbers: scale * (q - zero point) where `quant` has scales (null: none) and
// the type is an integer, the number itself otherwise. The range is within the tensor, its type is_real().
void read_real(const TensorView& tensor, const QuantParams* quant, size_t begin, std::span<double> out) noexcept;

// Elements that a tensor holds, by its bytes and type: what it says of itself may be less (a shape of dynamic size).
size_t real_count(const TensorView& tensor) noexcept;

}  // namespace fewbits::evaluate
