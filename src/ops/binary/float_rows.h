// Rows of sums of bytes in float32: ten times faster than the fixed-point rule of rows.h, which says what the results
// must be. So a float formula is used only where it was compared with the rule for all 65,536 pairs of bytes, when the
// plan was made. (A product has no such formula: its rule rounds twice, coarsely.) Plain data and pointers only: ISA
// files include this.
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

// A formula that gives what `exact` gives under `args` for every pair of bytes; nothing where none was found (results
// that are ties in exact arithmetic, most often). T: int8_t or uint8_t.
template <class T>
std::optional<FloatSumArgs> find_float_row(FloatRow row, BinaryRow<SumRowArgs, T> exact, const SumRowArgs& args);

}  // namespace fewbits::ops
