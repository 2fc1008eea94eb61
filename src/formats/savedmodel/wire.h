// The fields of a protobuf message one after the other, where they lie: a graph of megabytes is looked through without making
// objects of it, which take many times its room.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fewbits::savedmodel {

using ByteSpan = std::span<const uint8_t>;

inline std::string_view text_of(ByteSpan bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A varint at the front of `bytes`, which is taken off; nothing when the bytes end first.
std::optional<uint64_t> take_varint(ByteSpan& bytes) noexcept;

// Views `message`, which must outlive it.
//   Fields fields(message);
//   while (fields.next()) ... fields.number(), fields.bytes() ...
//   if (fields.damaged()) ...
class Fields {
 public:
  explicit Fields(ByteSpan message) noexcept : rest_(message) {}
  // False at the end, and where the message cannot be read on.
  bool next() noexcept;
  bool damaged() const noexcept { return damaged_; }

  uint32_t number() const noexcept { return number_; }
  // The content of texts, bytes, messages and packed lists; empty for single numbers.
  ByteSpan bytes() const noexcept { return bytes_; }

 private:
  bool take(uint64_t size) noexcept;

  ByteSpan rest_, bytes_;
  uint32_t number_ = 0;
  bool damaged_ = false;
};

}  // namespace fewbits::savedmodel
