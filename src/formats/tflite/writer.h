// Writes a Model as a .tflite file of schema version 3 that stock LiteRT loads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace fewbits::tflite_format {

struct WriteOptions {
  // Models whose flatbuffer would pass this many bytes keep their buffers behind it, as LiteRT expects past 2 GB.
  uint64_t max_flatbuffer = (uint64_t{1} << 31) - (uint64_t{1} << 20);
};

// Verifies the model and writes it through a temporary that is renamed at the end: `path` is old or complete, never half.
Status write_file(const Model& model, const std::string& path, const WriteOptions& options = {});
Result<std::vector<uint8_t>> write_bytes(const Model& model, const WriteOptions& options = {});

}  // namespace fewbits::tflite_format
