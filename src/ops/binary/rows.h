// Rows of quantized sums and products: the loops behind QuantizedAdd, QuantizedSub and QuantizedMul (ref.h), which they
// equal in every bit. Plain data and pointers only: ISA files include this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fewbits::ops {

// x * value * 2^(left - right - 31), rounded twice as TFLite does. value is not negative.
struct RowMultiplier {
  int32_t value = 0, left = 0, right = 0;
};

// q = (a' + b') or (a' - b') on the output's scale, where a' = multiplier((a - a_zero) << left_shift).
struct SumRowArgs {
  int32_t a_zero = 0, b_zero = 0, out_zero = 0, left_shift = 0;
  RowMultiplier a, b, out;
  int32_t lo = 0, hi = 0;
  bool subtract = false;
};

// q = multiplier((a - a_zero) * (b - b_zero)).
struct ProductRowArgs {
  int32_t a_zero = 0, b_zero = 0, out_zero = 0;
  RowMultiplier out;
  int32_t lo = 0, hi = 0;
};

// out[i] of a[i * a_step] and b[i * b_step] for i < count; steps are 0 or 1. out may be a or b where their step is 1.
template <class Args, class T>
using BinaryRow = void (*)(const Args& args, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
                           size_t count) noexcept;

// For T in int8_t, uint8_t, int16_t, with both argument structs. The best that this machine has, and its name.
template <class Args, class T>
BinaryRow<Args, T> select_binary_row(const char** name) noexcept;

template <class Args, class T>
void binary_row_baseline(const Args& args, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
                         size_t count) noexcept;
template <class Args, class T>
void binary_row_avx2(const Args& args, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
                     size_t count) noexcept;
template <class Args, class T>
void binary_row_avx512(const Args& args, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
                       size_t count) noexcept;

}  // namespace fewbits::ops
