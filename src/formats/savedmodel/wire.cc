// Fields of a message, through protobuf's own reader.
#include "formats/savedmodel/wire.h"

#include <google/protobuf/wire_format_lite.h>

#include <algorithm>

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

Fields::Fields(ByteSpan message) noexcept
    : message_(message),
      stream_(message.data(), static_cast<int>(std::min<size_t>(message.size(), INT32_MAX))),
      damaged_(message.size() > INT32_MAX) {}

bool Fields::next() {
  using google::protobuf::internal::WireFormatLite;
  if (damaged_ || static_cast<size_t>(stream_.CurrentPosition()) == message_.size()) return false;
  const uint32_t tag = stream_.ReadTag();
  number_ = static_cast<uint32_t>(WireFormatLite::GetTagFieldNumber(tag));
  bytes_ = {};
  if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED && number_ != 0) {
    int size = 0;
    damaged_ = !stream_.ReadVarintSizeAsInt(&size);
    const auto at = static_cast<size_t>(stream_.CurrentPosition());
    damaged_ = damaged_ || !stream_.Skip(size);
    if (!damaged_) bytes_ = message_.subspan(at, static_cast<size_t>(size));
  } else {
    damaged_ = number_ == 0 || !WireFormatLite::SkipField(&stream_, tag);
  }
  return !damaged_;
}

}  // namespace fewbits::savedmodel
