// Numbers out of a FlexBuffer map, as custom operators keep their options. The format:
// https://flatbuffers.dev/internals/#flexbuffers. Every offset is checked against the buffer: bytes may be hostile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fewbits::ops {

class FlexMap {
 public:
  // Nothing when the buffer's root is not a map that lies within the buffer. The map is a view of the bytes.
  static std::optional<FlexMap> open(std::span<const uint8_t> bytes) noexcept;

  // The number (integer, float or boolean) under a key; nothing when the map has none.
  std::optional<double> number(std::string_view key) const noexcept;

 private:
  std::optional<uint64_t> read(size_t at, size_t width) const noexcept;
  std::optional<size_t> follow(size_t at, size_t width) const noexcept;
  std::optional<double> value(size_t at, size_t width, uint8_t packed_type) const noexcept;
  bool key_is(size_t entry, std::string_view key) const noexcept;

  std::span<const uint8_t> bytes_;
  size_t values_ = 0, width_ = 0, size_ = 0;  // of the vector of values; its types follow it
  size_t keys_ = 0, key_width_ = 0;
};

}  // namespace fewbits::ops
