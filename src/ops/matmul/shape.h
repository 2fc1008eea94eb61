// The shapes of a batched matrix product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ir/op_def.h"

namespace fewbits::ops {

// x is left_slices matrices of rows x depth (depth x rows if adj_x), y right_slices of depth x columns (columns x depth
// if adj_y). Output matrix i is left_of[i] times right_of[i].
struct MatmulShape {
  size_t rows = 0, depth = 0, columns = 0;
  bool adj_x = false, adj_y = false;
  size_t left_slices = 0, right_slices = 0;
  std::vector<size_t> left_of, right_of;

  size_t slices() const noexcept { return left_of.size(); }
};

// op.cc. Both operands have static shapes. `output`, where given, gets the output's shape.
Result<MatmulShape> matmul_shape(const OpContext& context, Shape* output = nullptr);

}  // namespace fewbits::ops
