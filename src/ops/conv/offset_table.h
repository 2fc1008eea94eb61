// Where the taps of an image's output positions lie: kept whole when small, else made band by band in workspace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "ops/conv/geometry.h"

namespace fewbits::ops {

class OffsetTable {
 public:
  OffsetTable() = default;
  // Static geometry whose image has at most INT32_MAX elements.
  explicit OffsetTable(const ConvGeometry& geometry);
  // From now on the image is a ring of `lines` lines, as fill_offsets() has it. Only when the table is kept.
  void keep_ring(int32_t lines) { fill_offsets(geometry_, 0, geometry_.out_lines(), whole_.data(), lines); }

  // Output lines that one call of lines() may cover; all lines of the image when the table is kept.
  size_t band_lines() const noexcept { return band_lines_; }
  size_t band_rows() const noexcept { return band_lines_ * static_cast<size_t>(geometry_.out[2]); }
  // Bytes that lines() needs.
  size_t workspace() const noexcept;
  // The offsets of the output lines [begin, end), as fill_offsets() has them; valid until the next call with this
  // workspace.
  const int32_t* lines(size_t begin, size_t end, const ThreadPool* pool, void* workspace) const noexcept;

 private:
  ConvGeometry geometry_;
  size_t line_size_ = 0, band_lines_ = 0;
  std::vector<int32_t> whole_;
};

}  // namespace fewbits::ops
