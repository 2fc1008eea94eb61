// Arithmetic on sizes that come from files: an overflow is an answer, never a wrap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fewbits {

[[nodiscard]] inline std::optional<size_t> checked_mul(size_t a, size_t b) noexcept {
  size_t out;
  return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
}
[[nodiscard]] inline std::optional<size_t> checked_add(size_t a, size_t b) noexcept {
  size_t out;
  return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional(out);
}

// The number of elements of a shape (1 for a scalar); nothing when a dimension is negative or the product overflows.
[[nodiscard]] inline std::optional<size_t> checked_count(std::span<const int32_t> shape) noexcept {
  size_t count = 1;
  for (int32_t dim : shape) {
    if (dim < 0) return std::nullopt;
    const auto next = checked_mul(count, static_cast<size_t>(dim));
    if (!next) return std::nullopt;
    count = *next;
  }
  return count;
}

}  // namespace fewbits
