// Where the taps of an image's output positions lie.
#include "ops/conv/offset_table.h"

#include <algorithm>

namespace fewbits::ops {
namespace {
constexpr size_t kMostOffsets = size_t{1} << 20;  // of a table that is kept, and of a band
constexpr size_t kGrain = size_t{1} << 14;        // offsets that a thread makes at least
}  // namespace

OffsetTable::OffsetTable(const ConvGeometry& geometry)
    : geometry_(geometry), line_size_(static_cast<size_t>(geometry.out[2]) * geometry.taps()) {
  const size_t lines = geometry.out_lines();
  band_lines_ = std::min(lines, std::max<size_t>(1, kMostOffsets / std::max<size_t>(1, line_size_)));
  if (band_lines_ < lines) return;
  whole_.resize(lines * line_size_);
  fill_offsets(geometry_, 0, lines, whole_.data());
}

size_t OffsetTable::workspace() const noexcept {
  return whole_.empty() ? band_lines_ * line_size_ * sizeof(int32_t) : 0;
}

const int32_t* OffsetTable::lines(size_t begin, size_t end, const ThreadPool* pool, void* workspace) const noexcept {
  if (!whole_.empty()) return whole_.data() + begin * line_size_;
  auto* offsets = static_cast<int32_t*>(workspace);
  const size_t grain = std::max<size_t>(1, kGrain / std::max<size_t>(1, line_size_));
  parallel_for(pool, end - begin, grain, [&](size_t first, size_t last) {
    fill_offsets(geometry_, begin + first, begin + last, offsets + first * line_size_);
  });
  return offsets;
}

}  // namespace fewbits::ops
