// Keys in resource tensors, and TFLite's string tensors: int32 count, count + 1 int32 offsets from the beginning,
// characters.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op_def.h"

namespace fewbits::ops {

inline std::string resource_key(const TensorView& handle) {
  return handle.data == nullptr ? std::string() : std::string(static_cast<const char*>(handle.data), handle.bytes);
}

inline Status write_resource_key(DynamicArgs& args, const Shape& shape, const std::string& key) {
  FB_ASSIGN(void* const to, args.resize_output_bytes(0, shape, key.size()));
  if (!key.empty()) std::memcpy(to, key.data(), key.size());
  return {};
}

// The strings of a string tensor, as views of its bytes; nothing when the bytes are not such a tensor.
std::optional<std::vector<std::string_view>> read_strings(const void* data, size_t bytes);
// A string tensor's bytes; nothing when they would not fit int32 offsets.
std::optional<std::vector<std::byte>> write_strings(const std::vector<std::string_view>& strings);

}  // namespace fewbits::ops
