// The one copy that data movers are made of: a box of elements between two strided places. Raw pointers, no IR.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/thread_pool.h"

namespace fewbits {

// One dimension of a box: how many steps, and the bytes from one to the next on both sides. A source stride of 0
// repeats, a negative one reverses.
struct CopyDim {
  int64_t size = 0;
  int64_t src = 0;
  int64_t dst = 0;
};

// dst[dst_offset + sum(i * dim.dst)] = src[src_offset + sum(i * dim.src)] for every index i of the box, in units of
// `element` bytes. Built from the dimensions that an operator thinks in; neighbours that form one run are merged, so
// that a copy costs what the longest contiguous runs allow. A value type without allocations: it can be made while a
// model runs.
class StridedCopy {
 public:
  static constexpr int kMaxRank = 16;

  // Copies nothing.
  StridedCopy() = default;
  // dims: outermost first, at most kMaxRank of them; the destination's order makes the best copies. Both sides must be
  // within their buffers for every index and must not overlap.
  StridedCopy(std::span<const CopyDim> dims, size_t element, int64_t src_offset = 0, int64_t dst_offset = 0) noexcept;
  // `bytes` bytes in a row.
  explicit StridedCopy(size_t bytes) noexcept;

  void run(const void* src, void* dst, const ThreadPool* pool) const noexcept;

  // "copy", "rows", "transpose": what run() will do.
  const char* kind() const noexcept;

 private:
  void merge(std::span<const CopyDim> dims) noexcept;
  void order_loops() noexcept;
  template <class Body>
  void for_rows(size_t begin, size_t end, int outer, const Body& body) const noexcept;
  size_t rows(int outer) const noexcept;

  std::array<CopyDim, kMaxRank> dims_{};  // outermost first; the last one or, in a transpose, two are the inner loops
  int rank_ = 0;
  size_t unit_ = 0;  // bytes of one contiguous run; 0: nothing to do
  int64_t src_offset_ = 0, dst_offset_ = 0;
  bool transpose_ = false;
};

}  // namespace fewbits
