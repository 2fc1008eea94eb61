// Merging of dimensions, and the three loops: runs of bytes, rows of small units, and transposed tiles.
#include "kernels/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fewbits {
namespace {

constexpr size_t kGrainBytes = size_t{1} << 16;  // below this a second thread costs more than it copies

// A unit whose size the compiler knows: copies become loads and stores, at any alignment.
template <size_t kBytes>
struct Unit {
  unsigned char bytes[kBytes];
};

template <size_t kBytes>
void copy_row(const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t count) noexcept {
  using U = Unit<kBytes>;
  if (src_stride == 0 && dst_stride == static_cast<int64_t>(kBytes)) {
    if constexpr (kBytes == 1) {
      std::memset(dst, static_cast<unsigned char>(*src), static_cast<size_t>(count));
    } else {
      U unit;
      std::memcpy(&unit, src, kBytes);
      for (int64_t i = 0; i < count; ++i) std::memcpy(dst + i * static_cast<int64_t>(kBytes), &unit, kBytes);
    }
    return;
  }
  for (int64_t i = 0; i < count; ++i) std::memcpy(dst + i * dst_stride, src + i * src_stride, kBytes);
}

void copy_long_row(const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t count,
                   size_t unit) noexcept {
  for (int64_t i = 0; i < count; ++i) std::memcpy(dst + i * dst_stride, src + i * src_stride, unit);
}

void copy_row(const char* src, int64_t src_stride, char* dst, int64_t dst_stride, int64_t count, size_t unit) noexcept {
  switch (unit) {
    case 1: return copy_row<1>(src, src_stride, dst, dst_stride, count);
    case 2: return copy_row<2>(src, src_stride, dst, dst_stride, count);
    case 3: return copy_row<3>(src, src_stride, dst, dst_stride, count);
    case 4: return copy_row<4>(src, src_stride, dst, dst_stride, count);
    case 6: return copy_row<6>(src, src_stride, dst, dst_stride, count);
    case 8: return copy_row<8>(src, src_stride, dst, dst_stride, count);
    case 12: return copy_row<12>(src, src_stride, dst, dst_stride, count);
    case 16: return copy_row<16>(src, src_stride, dst, dst_stride, count);
    case 32: return copy_row<32>(src, src_stride, dst, dst_stride, count);
    case 64: return copy_row<64>(src, src_stride, dst, dst_stride, count);
    default: return copy_long_row(src, src_stride, dst, dst_stride, count, unit);
  }
}

// A matrix whose rows are contiguous in the source and whose columns are contiguous in the destination.
struct Matrix {
  const char* src;
  char* dst;
  int64_t rows, columns;           // of the source
  int64_t src_stride, dst_stride;  // bytes between rows of the source, between columns of the source in the destination
};

// As many elements as fill a vector register, whatever the processor calls it.
template <class T>
struct Lanes {
  static constexpr size_t kCount = 16 / sizeof(T);
  typedef T Vector __attribute__((vector_size(16)));

  // The lower, or the upper, halves of two vectors with their elements taking turns.
  template <size_t kFirst, size_t... kIndex>
  static Vector interleave(Vector a, Vector b, std::index_sequence<kIndex...>) noexcept {
    return __builtin_shufflevector(a, b, (kFirst + kIndex / 2 + kIndex % 2 * kCount)...);
  }
  static Vector lower(Vector a, Vector b) noexcept { return interleave<0>(a, b, std::make_index_sequence<kCount>()); }
  static Vector upper(Vector a, Vector b) noexcept {
    return interleave<kCount / 2>(a, b, std::make_index_sequence<kCount>());
  }
};

// A square of kCount rows of one vector each: interleaving row i with row i + kCount / 2, log2(kCount) times, turns it.
template <class T>
void transpose_square(const char* src, int64_t src_stride, char* dst, int64_t dst_stride) noexcept {
  using L = Lanes<T>;
  constexpr size_t kCount = L::kCount;
  typename L::Vector rows[kCount], turned[kCount];
  for (size_t i = 0; i < kCount; ++i) std::memcpy(&rows[i], src + static_cast<int64_t>(i) * src_stride, 16);
  for (size_t step = 1; step < kCount; step *= 2) {
    for (size_t i = 0; i < kCount / 2; ++i) {
      turned[2 * i] = L::lower(rows[i], rows[i + kCount / 2]);
      turned[2 * i + 1] = L::upper(rows[i], rows[i + kCount / 2]);
    }
    std::copy_n(turned, kCount, rows);
  }
  for (size_t i = 0; i < kCount; ++i) std::memcpy(dst + static_cast<int64_t>(i) * dst_stride, &rows[i], 16);
}

// Squares in blocks of a cache line a side, so that every line is touched in one block only. The last squares of a row
// or column move back inside and write some elements again.
template <class T>
void transpose_squares(const Matrix& m) noexcept {
  constexpr int64_t kUnit = sizeof(T), kSquare = 16 / kUnit, kBlock = 64 / kUnit;
  for (int64_t block_column = 0; block_column < m.columns; block_column += kBlock) {
    for (int64_t block_row = 0; block_row < m.rows; block_row += kBlock) {
      for (int64_t c = block_column; c < std::min(block_column + kBlock, m.columns); c += kSquare) {
        const int64_t column = std::min(c, m.columns - kSquare);
        for (int64_t r = block_row; r < std::min(block_row + kBlock, m.rows); r += kSquare) {
          const int64_t row = std::min(r, m.rows - kSquare);
          transpose_square<T>(m.src + row * m.src_stride + column * kUnit, m.src_stride,
                              m.dst + column * m.dst_stride + row * kUnit, m.dst_stride);
        }
      }
    }
  }
}

template <size_t kBytes>
void transpose_narrow(const Matrix& m) noexcept {
  constexpr int64_t kUnit = kBytes, kWidth = 8;
  for (int64_t column = 0; column < m.columns; column += kWidth) {
    const int64_t width = std::min(kWidth, m.columns - column);
    for (int64_t row = 0; row < m.rows; ++row) {
      const char* src = m.src + row * m.src_stride + column * kUnit;
      char* dst = m.dst + column * m.dst_stride + row * kUnit;
      for (int64_t c = 0; c < width; ++c) std::memcpy(dst + c * m.dst_stride, src + c * kUnit, kBytes);
    }
  }
}

template <class T>
void transpose(const Matrix& m) noexcept {
  constexpr int64_t kSquare = Lanes<T>::kCount;
  if (m.rows >= kSquare && m.columns >= kSquare) {
    transpose_squares<T>(m);
  } else {
    transpose_narrow<sizeof(T)>(m);
  }
}

void transpose(const Matrix& m, size_t unit) noexcept {
  switch (unit) {
    case 1: return transpose<uint8_t>(m);
    case 2: return transpose<uint16_t>(m);
    case 4: return transpose<uint32_t>(m);
    case 8: return transpose<uint64_t>(m);
    default: return transpose_narrow<16>(m);
  }
}

bool transposable(size_t unit) noexcept { return unit == 1 || unit == 2 || unit == 4 || unit == 8 || unit == 16; }

}  // namespace

StridedCopy::StridedCopy(std::span<const CopyDim> dims, size_t element, int64_t src_offset, int64_t dst_offset) noexcept
    : unit_(element), src_offset_(src_offset), dst_offset_(dst_offset) {
  for (const CopyDim& dim : dims) {
    if (dim.size <= 0) unit_ = 0;  // and the strides of an empty box may be anything
  }
  if (unit_ == 0) return;
  merge(dims);
  order_loops();
}

StridedCopy::StridedCopy(size_t bytes) noexcept : unit_(bytes) {}

void StridedCopy::merge(std::span<const CopyDim> dims) noexcept {
  for (const CopyDim& dim : dims) {
    if (dim.size == 1) continue;
    if (rank_ > 0) {
      CopyDim& outer = dims_[static_cast<size_t>(rank_ - 1)];
      if (outer.src == dim.src * dim.size && outer.dst == dim.dst * dim.size) {
        outer = {outer.size * dim.size, dim.src, dim.dst};
        continue;
      }
    }
    dims_[static_cast<size_t>(rank_++)] = dim;
  }
  const auto unit = static_cast<int64_t>(unit_);
  if (rank_ > 0 && dims_[static_cast<size_t>(rank_ - 1)].src == unit &&
      dims_[static_cast<size_t>(rank_ - 1)].dst == unit) {
    unit_ *= static_cast<size_t>(dims_[static_cast<size_t>(--rank_)].size);
  }
}

// Moves the dimension that is contiguous in the source next to the one that is contiguous in the destination. Where
// there is none, a short innermost loop changes places with the one around it.
void StridedCopy::order_loops() noexcept {
  if (rank_ < 2) return;
  const auto unit = static_cast<int64_t>(unit_);
  const int last = rank_ - 1;
  const bool candidate = transposable(unit_) && dims_[static_cast<size_t>(last)].dst == unit;
  for (int i = 0; candidate && i < last; ++i) {
    if (dims_[static_cast<size_t>(i)].src != unit) continue;
    std::rotate(dims_.begin() + i, dims_.begin() + i + 1, dims_.begin() + last);
    transpose_ = true;
    return;
  }
  CopyDim& inner = dims_[static_cast<size_t>(last)];
  CopyDim& around = dims_[static_cast<size_t>(last - 1)];
  if (inner.size < 8 && around.size > inner.size) std::swap(inner, around);
}

const char* StridedCopy::kind() const noexcept { return transpose_ ? "transpose" : rank_ == 0 ? "copy" : "rows"; }

size_t StridedCopy::rows(int outer) const noexcept {
  size_t count = 1;
  for (int i = 0; i < outer; ++i) count *= static_cast<size_t>(dims_[static_cast<size_t>(i)].size);
  return count;
}

// body(source offset, destination offset) for the rows [begin, end) of the `outer` outermost dimensions.
template <class Body>
void StridedCopy::for_rows(size_t begin, size_t end, int outer, const Body& body) const noexcept {
  std::array<int64_t, kMaxRank> index{};
  int64_t src = src_offset_, dst = dst_offset_;
  size_t rest = begin;
  for (int i = outer - 1; i >= 0; --i) {
    const CopyDim& dim = dims_[static_cast<size_t>(i)];
    index[static_cast<size_t>(i)] = static_cast<int64_t>(rest % static_cast<size_t>(dim.size));
    rest /= static_cast<size_t>(dim.size);
    src += index[static_cast<size_t>(i)] * dim.src;
    dst += index[static_cast<size_t>(i)] * dim.dst;
  }
  for (size_t row = begin; row < end; ++row) {
    body(src, dst);
    for (int i = outer - 1; i >= 0; --i) {
      const CopyDim& dim = dims_[static_cast<size_t>(i)];
      int64_t& at = index[static_cast<size_t>(i)];
      src += dim.src;
      dst += dim.dst;
      if (++at < dim.size) break;
      src -= dim.size * dim.src;
      dst -= dim.size * dim.dst;
      at = 0;
    }
  }
}

void StridedCopy::run(const void* src_data, void* dst_data, const ThreadPool* pool) const noexcept {
  if (unit_ == 0) return;
  const char* src = static_cast<const char*>(src_data);
  char* dst = static_cast<char*>(dst_data);
  if (rank_ == 0) {
    parallel_for(pool, unit_, 4 * kGrainBytes, [&](size_t begin, size_t end) noexcept {
      std::memcpy(dst + dst_offset_ + begin, src + src_offset_ + begin, end - begin);
    });
    return;
  }
  const int outer = rank_ - (transpose_ ? 2 : 1);
  const CopyDim inner = dims_[static_cast<size_t>(rank_ - 1)];
  const size_t row_bytes = unit_ * static_cast<size_t>(inner.size);
  if (outer == 0) {  // one row or one matrix: split that
    const CopyDim split = dims_[0];
    const size_t bytes = transpose_ ? row_bytes : unit_;
    parallel_for(pool, static_cast<size_t>(split.size), (kGrainBytes - 1) / bytes + 1,
                 [&](size_t begin, size_t end) noexcept {
                   const char* from = src + src_offset_ + static_cast<int64_t>(begin) * split.src;
                   char* to = dst + dst_offset_ + static_cast<int64_t>(begin) * split.dst;
                   const auto count = static_cast<int64_t>(end - begin);
                   if (transpose_) {
                     transpose({from, to, inner.size, count, inner.src, split.dst}, unit_);
                   } else {
                     copy_row(from, split.src, to, split.dst, count, unit_);
                   }
                 });
    return;
  }
  const size_t bytes = transpose_ ? row_bytes * static_cast<size_t>(dims_[static_cast<size_t>(outer)].size) : row_bytes;
  parallel_for(pool, rows(outer), (kGrainBytes - 1) / bytes + 1, [&](size_t begin, size_t end) noexcept {
    if (transpose_) {
      const CopyDim columns = dims_[static_cast<size_t>(outer)];
      for_rows(begin, end, outer, [&](int64_t from, int64_t to) noexcept {
        transpose({src + from, dst + to, inner.size, columns.size, inner.src, columns.dst}, unit_);
      });
    } else {
      for_rows(begin, end, outer, [&](int64_t from, int64_t to) noexcept {
        copy_row(src + from, inner.src, dst + to, inner.dst, inner.size, unit_);
      });
    }
  });
}

}  // namespace fewbits
