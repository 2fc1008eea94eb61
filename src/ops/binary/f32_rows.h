// Rows of float32 sums, differences and products with limits: the same bits on every ISA, in its vectors. Plain data and
// pointers only: ISA files include this.
#pragma once

#include <cstddef>

namespace fewbits::ops {

// Limits of the fused activation; NaN passes.
struct F32RowArgs {
  float lo = 0, hi = 0;
};

// out[i] of a[i * a_step] and b[i * b_step] for i < count; steps are 0 or 1. out may be a or b where their step is 1.
using F32Row = void (*)(const F32RowArgs& args, const float* a, size_t a_step, const float* b, size_t b_step,
                        float* out, size_t count) noexcept;

struct F32Rows {
  const char* name;
  F32Row sum, difference, product;
};

// Of the best ISA that this machine has; null where it is the baseline, whose loops are those of every type.
const F32Rows* select_f32_rows() noexcept;

extern const F32Rows kF32RowsAvx2;
extern const F32Rows kF32RowsAvx512;

}  // namespace fewbits::ops
