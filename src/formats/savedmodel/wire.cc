// Protobuf's wire format: a tag of number and kind before each field. Groups, which nothing has written for long, are not known.
#include "formats/savedmodel/wire.h"

namespace fewbits::savedmodel {

std::optional<uint64_t> take_varint(ByteSpan& bytes) noexcept {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const uint8_t byte = bytes.front();
    bytes = bytes.subspan(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

bool Fields::take(uint64_t size) noexcept {
  if (size > rest_.size()) return false;
  bytes_ = rest_.first(static_cast<size_t>(size));
  rest_ = rest_.subspan(static_cast<size_t>(size));
  return true;
}

bool Fields::next() noexcept {
  if (damaged_ || rest_.empty()) return false;
  const auto tag = take_varint(rest_);
  bool whole = tag.has_value() && *tag >> 3 != 0 && *tag <= UINT32_MAX;
  if (whole) {
    number_ = static_cast<uint32_t>(*tag >> 3);
    bytes_ = {};
    switch (*tag & 7) {
      case 0: whole = take_varint(rest_).has_value(); break;
      case 1:
        whole = take(8);
        bytes_ = {};
        break;
      case 2: {
        const auto size = take_varint(rest_);
        whole = size.has_value() && take(*size);
        break;
      }
      case 5:
        whole = take(4);
        bytes_ = {};
        break;
      default: whole = false;
    }
  }
  damaged_ = !whole;
  return whole;
}

}  // namespace fewbits::savedmodel
