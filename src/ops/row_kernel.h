// Kernels of one output that is made row by row, which others can finish while a block of rows is in the cache, and which
// may be made a few lines of an image at a time.
#pragma once

#include "ir/op_def.h"
#include "kernels/row_sink.h"

namespace fewbits::ops {

// How lines of an output's images follow from lines of input 0's. Line i of the output is made from the lines
// [i * stride - pad, i * stride - pad + extent) of the input, as far as there are.
struct LineShape {
  size_t images = 0;                   // 0: the output can be made as a whole only
  size_t in_lines = 0, out_lines = 0;  // of an image
  size_t in_line = 0, out_line = 0;    // bytes of a line
  size_t out_width = 0;                // rows of a line
  size_t stride = 1, pad = 0, extent = 1;
  // What of input 0 must be there when lines are made: all of it, the lines that they are made from, or these in a
  // ring (keep_ring()).
  enum class Reads : uint8_t { kAll, kSameLines, kRing } reads = Reads::kAll;
};

// Lines [begin, end) of an image.
struct LineRange {
  size_t image = 0, begin = 0, end = 0;
};

// The rows are those of the output as a matrix: all but its last dimension.
class RowKernel : public Kernel {
 public:
  void run(const RunArgs& args) const noexcept final { run_rows(args, {}); }
  RowKernel* rows() noexcept final { return this; }
  virtual void run_rows(const RunArgs& args, RowsTo to) const noexcept = 0;

  virtual LineShape lines() const noexcept { return {}; }
  // From now on input 0 is a ring of `lines` lines, line y of the image at y % lines, and only run_lines() may be called.
  virtual void keep_ring(size_t /*lines*/) {}
  // From now on input 0 is multiplied by the row of floats at in[operand], one for each image of a batch, as it is read. False:
  // it cannot be.
  virtual bool take_gate(size_t /*operand*/) { return false; }
  // Once in a run for every image, before its lines are made: on all threads of the pool, input 0 complete if Reads is kAll.
  virtual void open_image(const RunArgs& /*args*/, size_t /*image*/) const noexcept {}
  // Makes some lines on the caller's thread (the pool is not used); several threads may make some at once. Operands are where the
  // whole tensor's would be: line y of image n of the output lies out_line * (n * out_lines + y) bytes after out[0], and so does
  // that of input 0 where Reads is kSameLines; out[0] and in[0] themselves may lie outside any memory. A ring begins at in[0].
  virtual void run_lines(const RunArgs& /*args*/, const LineRange& /*lines*/, RowsTo /*to*/) const noexcept {}
};

}  // namespace fewbits::ops
