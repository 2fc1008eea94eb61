// Rows of bytes and the indices that choose them.
#pragma once

#include <cstring>
#include <optional>

#include "base/thread_pool.h"
#include "ops/mover.h"

namespace fewbits::ops {

// Bytes of a row of `count` elements; nothing when packed elements do not fill whole bytes, so that rows are not bytes.
inline std::optional<size_t> row_bytes(DType type, size_t count) noexcept {
  const size_t bits = dtype_bits(type) * count;
  return bits % 8 == 0 ? std::optional(bits / 8) : std::nullopt;
}

template <size_t kBytes, class RowOf>
void copy_rows_of(const char* table, char* out, size_t begin, size_t end, size_t bytes, const RowOf& row_of) noexcept {
  const size_t size = kBytes == 0 ? bytes : kBytes;
  for (size_t i = begin; i < end; ++i) {
    const int64_t row = row_of(i);
    if (row < 0) {
      std::memset(out + i * size, 0, size);
    } else {
      std::memcpy(out + i * size, table + static_cast<size_t>(row) * size, size);
    }
  }
}

// out[i] = table[row_of(i)] for `rows` rows of `bytes` bytes; zeros where row_of gives a negative row.
template <class RowOf>
void copy_rows(const void* table, void* out, size_t rows, size_t bytes, const ThreadPool* pool,
               const RowOf& row_of) noexcept {
  if (bytes == 0) return;
  const auto* from = static_cast<const char*>(table);
  auto* to = static_cast<char*>(out);
  parallel_for(pool, rows, 1 + (size_t{1} << 15) / bytes, [&](size_t begin, size_t end) noexcept {
    switch (bytes) {
      case 1: return copy_rows_of<1>(from, to, begin, end, bytes, row_of);
      case 4: return copy_rows_of<4>(from, to, begin, end, bytes, row_of);
      case 8: return copy_rows_of<8>(from, to, begin, end, bytes, row_of);
      default: return copy_rows_of<0>(from, to, begin, end, bytes, row_of);
    }
  });
}

// Positions in a tensor given as tuples of indices into its first dimensions.
struct IndexTuples {
  std::array<int64_t, kMaxMoverRank> sizes{};  // of the dimensions that a tuple names
  size_t depth = 0;                            // indices in a tuple
  DType type = DType::kInt32;

  IndexTuples() = default;
  IndexTuples(const Shape& shape, size_t depth_in, DType type_in) noexcept : depth(depth_in), type(type_in) {
    for (size_t i = 0; i < depth; ++i) sizes[i] = shape[i];
  }
  // The row that tuple i names; -1 when an index is outside its dimension.
  int64_t row(const void* indices, size_t i) const noexcept {
    const IntOperand values{indices, type};
    int64_t row = 0;
    for (size_t k = 0; k < depth; ++k) {
      const int64_t index = values[i * depth + k];
      if (index < 0 || index >= sizes[k]) return -1;
      row = row * sizes[k] + index;
    }
    return row;
  }
};

// An error when a constant operand of `count` tuples leads outside.
inline Status check_constant_tuples(const OpContext& context, size_t operand, const IndexTuples& tuples, size_t count) {
  const TensorInfo& indices = context.inputs[operand];
  for (size_t i = 0; indices.is_const && i < count; ++i) {
    if (tuples.row(indices.data, i) < 0) {
      return context.fail(ErrorCode::kInvalidModel, "entry {} of '{}' is an index outside the tensor", i,
                          indices.value->name);
    }
  }
  return {};
}

}  // namespace fewbits::ops
