// String tensors as bytes.
#include "ops/variable/resource.h"

#include <limits>

namespace fewbits::ops {

std::optional<std::vector<std::string_view>> read_strings(const void* data, size_t bytes) {
  std::vector<std::string_view> strings;
  if (data == nullptr || bytes < sizeof(int32_t)) return bytes == 0 ? std::optional(strings) : std::nullopt;
  const auto* begin = static_cast<const char*>(data);
  const auto number = [&](size_t i) {
    int32_t value;
    std::memcpy(&value, begin + i * sizeof(value), sizeof(value));
    return value;
  };
  const int32_t count = number(0);
  if (count < 0 || static_cast<size_t>(count) + 2 > bytes / sizeof(int32_t)) return std::nullopt;
  const size_t header = (static_cast<size_t>(count) + 2) * sizeof(int32_t);
  strings.reserve(static_cast<size_t>(count));
  for (size_t i = 1; i <= static_cast<size_t>(count); ++i) {
    const int64_t from = number(i), to = number(i + 1);
    if (from < static_cast<int64_t>(header) || to < from || to > static_cast<int64_t>(bytes)) return std::nullopt;
    strings.emplace_back(begin + from, static_cast<size_t>(to - from));
  }
  return strings;
}

std::optional<std::vector<std::byte>> write_strings(const std::vector<std::string_view>& strings) {
  size_t size = (strings.size() + 2) * sizeof(int32_t);
  const size_t header = size;
  for (std::string_view text : strings) size += text.size();
  if (size > static_cast<size_t>(std::numeric_limits<int32_t>::max())) return std::nullopt;
  std::vector<std::byte> bytes(size);
  const auto put = [&](size_t i, size_t value) {
    const auto number = static_cast<int32_t>(value);
    std::memcpy(bytes.data() + i * sizeof(number), &number, sizeof(number));
  };
  put(0, strings.size());
  size_t at = header;
  for (size_t i = 0; i < strings.size(); ++i) {
    put(i + 1, at);
    if (!strings[i].empty()) std::memcpy(bytes.data() + at, strings[i].data(), strings[i].size());
    at += strings[i].size();
  }
  put(strings.size() + 1, at);
  return bytes;
}

}  // namespace fewbits::ops
