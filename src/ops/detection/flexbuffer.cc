// Reading FlexBuffer maps.
#include "ops/detection/flexbuffer.h"

#include <bit>
#include <cstring>

namespace fewbits::ops {
namespace {

// Types that matter here; a packed type is type << 2 | log2 of the width of what an offset leads to.
enum Type : uint8_t {
  kInt = 1,
  kUInt = 2,
  kFloat = 3,
  kIndirectInt = 6,
  kIndirectUInt = 7,
  kIndirectFloat = 8,
  kMap = 9,
  kBool = 26
};

bool is_width(uint64_t width) noexcept { return width == 1 || width == 2 || width == 4 || width == 8; }
size_t child_width(uint8_t packed_type) noexcept { return size_t{1} << (packed_type & 3); }

}  // namespace

// A little-endian number of 1, 2, 4 or 8 bytes.
std::optional<uint64_t> FlexMap::read(size_t at, size_t width) const noexcept {
  if (at > bytes_.size() || width > bytes_.size() - at) return std::nullopt;
  uint64_t number = 0;
  for (size_t i = width; i-- > 0;) number = number << 8 | bytes_[at + i];
  return number;
}

// Where the offset at `at` leads: always back.
std::optional<size_t> FlexMap::follow(size_t at, size_t width) const noexcept {
  const auto offset = read(at, width);
  if (!offset || *offset > at) return std::nullopt;
  return at - *offset;
}

std::optional<FlexMap> FlexMap::open(std::span<const uint8_t> bytes) noexcept {
  if (bytes.size() < 3) return std::nullopt;
  FlexMap map;
  map.bytes_ = bytes;
  const size_t root_width = bytes[bytes.size() - 1];
  const uint8_t root_type = bytes[bytes.size() - 2];
  if (!is_width(root_width) || root_width > bytes.size() - 2 || root_type >> 2 != kMap) return std::nullopt;
  const auto values = map.follow(bytes.size() - 2 - root_width, root_width);
  map.width_ = child_width(root_type);
  if (!values || *values < 3 * map.width_) return std::nullopt;
  // Before the values: where the keys are, how wide those are, how many there are.
  map.values_ = *values;
  const auto keys = map.follow(map.values_ - 3 * map.width_, map.width_);
  const auto key_width = map.read(map.values_ - 2 * map.width_, map.width_);
  const auto size = map.read(map.values_ - map.width_, map.width_);
  if (!keys || !key_width || !is_width(*key_width) || !size || *size > bytes.size()) return std::nullopt;
  map.keys_ = *keys;
  map.key_width_ = static_cast<size_t>(*key_width);
  map.size_ = static_cast<size_t>(*size);
  // Both vectors whole: sizes up to the buffer's times 9 do not overflow.
  const bool fits = map.size_ * (map.width_ + 1) <= bytes.size() - map.values_ &&
                    map.size_ * map.key_width_ <= bytes.size() - map.keys_;
  return fits ? std::optional(map) : std::nullopt;
}

bool FlexMap::key_is(size_t entry, std::string_view key) const noexcept {
  const auto at = follow(keys_ + entry * key_width_, key_width_);
  if (!at || key.size() + 1 > bytes_.size() - *at) return false;
  return std::memcmp(bytes_.data() + *at, key.data(), key.size()) == 0 && bytes_[*at + key.size()] == 0;
}

std::optional<double> FlexMap::number(std::string_view key) const noexcept {
  for (size_t i = 0; i < size_; ++i) {
    if (key_is(i, key)) return value(values_ + i * width_, width_, bytes_[values_ + size_ * width_ + i]);
  }
  return std::nullopt;
}

std::optional<double> FlexMap::value(size_t at, size_t width, uint8_t packed_type) const noexcept {
  auto type = static_cast<uint8_t>(packed_type >> 2);
  if (type == kIndirectInt || type == kIndirectUInt || type == kIndirectFloat) {
    const auto target = follow(at, width);
    if (!target) return std::nullopt;
    at = *target;
    width = child_width(packed_type);
    type = static_cast<uint8_t>(type - kIndirectInt + kInt);
  }
  const auto bits = read(at, width);
  if (!bits) return std::nullopt;
  switch (type) {
    case kInt: {
      const int unused = 64 - 8 * static_cast<int>(width);  // moves the sign to where it belongs
      return static_cast<double>(static_cast<int64_t>(*bits << unused) >> unused);
    }
    case kUInt:
    case kBool: return static_cast<double>(*bits);
    case kFloat:
      if (width == 4) return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(*bits)));
      if (width == 8) return std::bit_cast<double>(*bits);
      return std::nullopt;
    default: return std::nullopt;
  }
}

}  // namespace fewbits::ops
