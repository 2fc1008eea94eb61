// int16 by int16 products: both operands as rows along the depth, one dot product an output.
#include "ops/matmul/int16.h"

namespace fewbits::ops {

void run_int16_matmul(const ThreadPool* pool, const MatmulShape& shape, const Int16Product& product, const int16_t* x,
                      const int16_t* y, int16_t* x_rows, int16_t* y_rows, int16_t* out) noexcept {
  if (shape.adj_x) {
    swap_matrices(pool, x, shape.left_slices, shape.depth, shape.rows, x_rows);
    x = x_rows;
  }
  if (!shape.adj_y) {
    swap_matrices(pool, y, shape.right_slices, shape.depth, shape.columns, y_rows);
    y = y_rows;
  }
  const size_t k = shape.depth, n = shape.columns;
  parallel_for(pool, shape.slices() * shape.rows, 1 + 8192 / (n * k + 1), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      const size_t slice = row / shape.rows;
      const int16_t* left = x + (shape.left_of[slice] * shape.rows + row % shape.rows) * k;
      const int16_t* right = y + shape.right_of[slice] * n * k;
      for (size_t c = 0; c < n; ++c, right += k) {
        int64_t sum = 0;
        for (size_t i = 0; i < k; ++i) sum += left[i] * right[i];
        const int32_t q = multiply_by_quantized_multiplier(sum, product.multiplier) + product.out_zero_point;
        out[row * n + c] = static_cast<int16_t>(std::clamp(q, -32768, 32767));
      }
    }
  });
}

}  // namespace fewbits::ops
