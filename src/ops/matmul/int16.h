// int16 by int16 products with LiteRT's rounding, and the transposition of matrices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/fixed_point.h"
#include "ops/matmul/shape.h"

namespace fewbits::ops {

struct Int16Product {
  FixedMultiplier multiplier;
  int32_t out_zero_point = 0;
};

// x_rows, y_rows: room for x if adj_x, for y if not adj_y. Sums are exact in 64 bits.
void run_int16_matmul(const ThreadPool* pool, const MatmulShape& shape, const Int16Product& product, const int16_t* x,
                      const int16_t* y, int16_t* x_rows, int16_t* y_rows, int16_t* out) noexcept;

// `count` matrices of rows x columns to matrices of columns x rows.
template <class T>
void swap_matrices(const ThreadPool* pool, const T* in, size_t count, size_t rows, size_t columns, T* out) noexcept {
  constexpr size_t kTile = 16;  // columns of a task: whole cache lines of every row of `in`
  const size_t tiles = (columns + kTile - 1) / kTile;
  parallel_for(pool, count * tiles, 1 + 4096 / (rows + 1), [&](size_t begin, size_t end) {
    for (size_t task = begin; task < end; ++task) {
      const T* from = in + task / tiles * rows * columns;
      T* to = out + task / tiles * rows * columns;
      const size_t first = task % tiles * kTile, last = std::min(first + kTile, columns);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t c = first; c < last; ++c) to[c * rows + r] = from[r * columns + c];
      }
    }
  });
}

}  // namespace fewbits::ops
