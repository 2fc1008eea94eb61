// The kernel of everything that is a function of one byte: a table of 256.
#pragma once

#include <string>

#include "ir/op_def.h"
#include "kernels/lut.h"

namespace fewbits::ops {

// out[i] = table[in[i] as uint8] for `count` bytes of operand 0; out may be in.
Prepared byte_table_kernel(const ByteTable& table, size_t count, std::string choice);

}  // namespace fewbits::ops
