// Kernels of one output that is made row by row, which others can finish while a block of rows is in the cache.
#pragma once

#include "ir/op_def.h"
#include "kernels/row_sink.h"

namespace fewbits::ops {

// The rows are those of the output as a matrix: all but its last dimension.
class RowKernel : public Kernel {
 public:
  void run(const RunArgs& args) const noexcept final { run_rows(args, {}); }
  bool makes_rows() const noexcept final { return true; }
  virtual void run_rows(const RunArgs& args, RowsTo rows) const noexcept = 0;
};

}  // namespace fewbits::ops
