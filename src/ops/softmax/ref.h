// Rows of the softmax family: argument structs and the functions on one row. Formulas: LiteRT's
// kernels/internal/reference/{softmax,log_softmax,l2normalization}.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/fixed_point.h"
#include "kernels/float_rows.h"
#include "kernels/lut.h"

namespace fewbits::ops {

void softmax_row_f32(const FloatRows& rows, const float* in, float* out, size_t depth, float beta) noexcept;
void log_softmax_row_f32(const FloatRows& rows, const float* in, float* out, size_t depth) noexcept;
void l2_normalize_row_f32(const float* in, float* out, size_t depth) noexcept;

// e^(scale * beta * d) for the differences d = -255 .. 0 of 8-bit values to their row's maximum, in fixed point.
struct ExpTable {
  int32_t least_difference = 0;            // smaller ones count as e^-infinity
  std::array<int32_t, 256> scaled{};       // [-d]: the exponent with 5 integer bits
  std::array<int32_t, 256> exponential{};  // [-d]: its e^x with 31 fractional bits
  std::array<int32_t, 256> addend{};       // [-d]: the same with 12 integer bits

  FixedMultiplier multiplier;  // what brought d to 5 integer bits

  ExpTable(double beta, double scale) noexcept;
};

// What turns an element's exponential into its share of a row whose addends sum up to `sum`, in outputs of `bits`: times
// reciprocal / 2^31, then / 2^exponent.
struct SoftmaxScaling {
  int32_t reciprocal;
  int exponent;
};
SoftmaxScaling softmax_scaling(uint32_t sum, int bits) noexcept;

template <class In, class Out>
void softmax_row_8bit(const ExpTable& table, const In* in, Out* out, size_t depth) noexcept;

struct LogSoftmaxArgs {
  ExpTable table;
  FixedMultiplier reverse;  // from the 5-integer-bit exponent back to input units
  int32_t out_zero = 0;     // 127 or 255
  explicit LogSoftmaxArgs(double scale, int32_t zero) noexcept;
};
template <class T>
void log_softmax_row_8bit(const LogSoftmaxArgs& args, const T* in, T* out, size_t depth) noexcept;

struct SoftmaxInt16Args {
  FixedMultiplier multiplier;  // input units to 10 / 65535
  WordTable exponential{};     // over [-10, 0]
  WordTable reciprocal{};      // 1 / (1 + x) over [0, 1]
  SoftmaxInt16Args(float scale, float beta);
};
void softmax_row_int16(const SoftmaxInt16Args& args, const int16_t* in, int16_t* out, size_t depth) noexcept;

template <class T>
void l2_normalize_row_8bit(int32_t in_zero, int32_t out_zero, const T* in, T* out, size_t depth) noexcept;

struct ResponseArgs {
  int32_t radius = 0;
  float bias = 0, alpha = 0, beta = 0;
};
void local_response_row(const ResponseArgs& args, const float* in, float* out, size_t depth) noexcept;

}  // namespace fewbits::ops
