// Reads .tflite files of schema version 3 into a Model. Weights stay views of the mapped file.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "ir/model.h"

namespace fewbits::tflite_format {

// Reads and verifies. Any bytes are safe to give: what breaks the format's rules is an error that names the file.
Result<Model> read_file(const std::string& path);
// The same from memory that `owner` keeps alive; `name` stands for the file in messages.
Result<Model> read_bytes(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner, const std::string& name);

}  // namespace fewbits::tflite_format
