// Sums of columns that lie side by side, over rows: what a mean over the pixels of an image is made of. Plain data and
// pointers only: ISA files include this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fewbits::ops {

// sums[c] = sum over r < rows of in[r * stride + c] for c < columns, the rows added one after the other; integers wrap.
template <class T, class Sum>
using ColumnSums = void (*)(const T* in, size_t rows, size_t stride, size_t columns, Sum* sums) noexcept;

void column_sums_avx512(const int8_t* in, size_t rows, size_t stride, size_t columns, uint32_t* sums) noexcept;
void column_sums_avx512(const uint8_t* in, size_t rows, size_t stride, size_t columns, uint32_t* sums) noexcept;
void column_sums_avx512(const float* in, size_t rows, size_t stride, size_t columns, float* sums) noexcept;

// The best for this machine, or null. Sum: uint32_t for integers.
template <class T, class Sum>
ColumnSums<T, Sum> select_column_sums() noexcept;

}  // namespace fewbits::ops
