// Single numbers between float and integer, packed or not.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "ir/types.h"

namespace fewbits::ops {

// clamp(round half away(x / scale) + zero_point, lo, hi); NaN gives lo.
inline int32_t quantize_value(float x, float scale, int32_t zero_point, int32_t lo, int32_t hi) noexcept {
  const double q = static_cast<double>(std::round(x / scale)) + zero_point;
  if (!(q > lo)) return lo;
  return q < hi ? static_cast<int32_t>(q) : hi;
}

inline float dequantize_value(int32_t q, float scale, int32_t zero_point) noexcept {
  return static_cast<float>(static_cast<double>(scale) * (static_cast<double>(q) - zero_point));
}

// Integers of fewer than 8 bits, lowest bits first.
struct PackedInts {
  int bits = 4;
  bool is_signed = true;

  explicit PackedInts(DType type) noexcept
      : bits(static_cast<int>(dtype_bits(type))), is_signed(type != DType::kUInt4) {}
  size_t per_byte() const noexcept { return static_cast<size_t>(8 / bits); }
  int32_t lo() const noexcept { return is_signed ? -(1 << (bits - 1)) : 0; }
  int32_t hi() const noexcept { return is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1; }
  int32_t get(const uint8_t* data, size_t i) const noexcept {
    const int32_t value = data[i / per_byte()] >> (i % per_byte() * static_cast<size_t>(bits)) & ((1 << bits) - 1);
    return is_signed && value > hi() ? value - (1 << bits) : value;
  }
  // Writes the whole byte that value i begins; `next(i)` gives value i, `count` is how many there are.
  template <class Next>
  void put_byte(uint8_t* data, size_t byte, size_t count, const Next& next) const noexcept {
    int32_t packed = 0;
    for (size_t k = 0; k < per_byte() && byte * per_byte() + k < count; ++k) {
      packed |= (next(byte * per_byte() + k) & ((1 << bits) - 1)) << (k * static_cast<size_t>(bits));
    }
    data[byte] = static_cast<uint8_t>(packed);
  }
};

}  // namespace fewbits::ops
