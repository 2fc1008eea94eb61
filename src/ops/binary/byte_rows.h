// Rows of sums and products of bytes, 64 at a time: several times faster than the general loops of rows.h, which say what
// the results must be. Plain data and pointers only: ISA files include this.
//
// Both are computed in float32 by formulas that are used only where they were compared with the rule for all 65,536 pairs of
// bytes, when the plan was made. Products for which none is found follow their rule step by step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ops/binary/rows.h"

namespace fewbits::ops {

// q = nearest_even(a * a_scale + (b * b_scale + offset)) + out_zero, clamped, by two fused multiply-adds. a, b and
// q are bytes xor-ed with flip (0 for int8, 0x80 for uint8), zero point and limits those of that int8 form.
struct FloatSumArgs {
  float a_scale = 0, b_scale = 0, offset = 0;
  int32_t out_zero = 0, lo = 0, hi = 0;
  uint8_t flip = 0;
};

// out[i] of a[i * a_step] and b[i * b_step] for i < count; steps are 0 or 1. out may be a or b where their step is 1.
using FloatRow = void (*)(const FloatSumArgs& args, const void* a, size_t a_step, const void* b, size_t b_step,
                          void* out, size_t count) noexcept;

void float_row_avx512(const FloatSumArgs& args, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                      size_t count) noexcept;

// The best for this machine, or null.
FloatRow select_float_row(const char** name) noexcept;

// q = nearest_even(nearest_even((a - a_zero) * (b - b_zero) * fraction) * power) + out_zero, clamped: the two roundings of
// the rule as kernels/requantize.h has them, which says what offset is. Bytes and limits as above.
struct FloatProductArgs {
  float a_zero = 0, b_zero = 0, fraction = 0, power = 0, offset = 0;
  int32_t out_zero = 0, lo = 0, hi = 0;
  uint8_t flip = 0;
};
using FloatProductRow = void (*)(const FloatProductArgs& args, const void* a, size_t a_step, const void* b,
                                 size_t b_step, void* out, size_t count) noexcept;
// The same with b as floats already less their zero point.
using FloatGateRow = void (*)(const FloatProductArgs& args, const void* a, const float* b, void* out,
                              size_t count) noexcept;
struct FloatProductRows {
  FloatProductRow row = nullptr;
  FloatGateRow gate = nullptr;
};

void float_product_row_avx512(const FloatProductArgs& args, const void* a, size_t a_step, const void* b, size_t b_step,
                              void* out, size_t count) noexcept;
void float_gate_row_avx512(const FloatProductArgs& args, const void* a, const float* b, void* out,
                           size_t count) noexcept;

// The best for this machine, or null.
FloatProductRows select_float_product_rows(const char** name) noexcept;

// The product rule of rows.h; bytes, zero points and limits in the int8 form as above. out.left is at most kMostLeft, so
// that nothing overflows.
struct ByteProductArgs {
  int32_t a_zero = 0, b_zero = 0, out_zero = 0;
  RowMultiplier out;
  int32_t lo = 0, hi = 0;
  uint8_t flip = 0;
};
inline constexpr int32_t kMostLeft = 14;
using ByteProductRow = void (*)(const ByteProductArgs& args, const void* a, size_t a_step, const void* b, size_t b_step,
                                void* out, size_t count) noexcept;

void byte_product_row_avx512(const ByteProductArgs& args, const void* a, size_t a_step, const void* b, size_t b_step,
                             void* out, size_t count) noexcept;

// The best for this machine, or null.
ByteProductRow select_byte_product_row(const char** name) noexcept;
// The arguments in that form; nothing where the multiplier is too large. T: int8_t or uint8_t.
template <class T>
std::optional<ByteProductArgs> byte_product_args(const ProductRowArgs& args);

// A formula that gives what `exact` gives under `args` for every pair of bytes; nothing where none was found (results
// that are ties in exact arithmetic, most often). T: int8_t or uint8_t.
template <class T>
std::optional<FloatSumArgs> find_float_row(FloatRow row, BinaryRow<SumRowArgs, T> exact, const SumRowArgs& args);
template <class T>
std::optional<FloatProductArgs> find_float_product(FloatProductRow row, BinaryRow<ProductRowArgs, T> exact,
                                                   const ProductRowArgs& args);

}  // namespace fewbits::ops
