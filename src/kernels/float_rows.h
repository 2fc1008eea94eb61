// Rows of float functions, one tier an ISA. All tiers compute the same bits.
#pragma once

#include <cstddef>
#include <span>

#include "base/cpu.h"

namespace fewbits {

// out may be in.
struct FloatRows {
  const char* name;
  Isa isa;

  using Row = void (*)(const float* in, float* out, size_t count) noexcept;
  Row exp, logistic, swish, tanh, elu, gelu, gelu_approximate, floor, ceil,
      round;  // swish: x * logistic(x); round: ties to even

  // The largest value; the least float for no value. NaN is passed over.
  float (*maximum)(const float* in, size_t count) noexcept;
  // out[i] = e^((in[i] - most) * beta); returns their sum.
  double (*exp_row)(const float* in, float* out, size_t count, float most, float beta) noexcept;
  // The same sum without the values.
  double (*exp_sum)(const float* in, size_t count, float most) noexcept;
  // row[i] /= by.
  void (*divide)(float* row, size_t count, float by) noexcept;
};

// Tiers built in, best first, the one for every processor last.
std::span<const FloatRows* const> float_rows() noexcept;
const FloatRows& select_float_rows(Isa isa) noexcept;

}  // namespace fewbits
