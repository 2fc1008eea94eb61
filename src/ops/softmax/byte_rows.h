// Rows of 8-bit softmax by tables of bytes: the same numbers as softmax_row_8bit() of ref.h, for rows so long that a table
// of what each byte becomes is cheaper than computing it for each element. Plain data and pointers only: ISA files include
// this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fewbits::ops {

// Bytes are xor-ed with flip to be unsigned (0x80: int8), in and out alike. `most` is the row's largest, `difference` its
// distance to an element.
uint8_t softmax_maximum_avx512vbmi(const uint8_t* in, size_t depth, uint8_t flip) noexcept;

// The sum of 24-bit numbers that lie at each difference, in three tables of their bytes, lowest first.
uint32_t softmax_sum_avx512vbmi(const uint8_t (*addend)[256], const uint8_t* in, size_t depth, uint8_t flip,
                                uint8_t most) noexcept;

// An element's share of 1 as a byte: reciprocal times its exponential, divided by 2^exponent. Differences of `count` and
// more get nothing.
struct SoftmaxShares {
  const int32_t* exponential = nullptr;  // [count], by difference
  size_t count = 0;                      // at most 256
  int32_t reciprocal = 0;
  int exponent = 0;
};
void softmax_shares_avx512vbmi(const SoftmaxShares& shares, const uint8_t* in, uint8_t* out, size_t depth, uint8_t flip,
                               uint8_t most) noexcept;

}  // namespace fewbits::ops
