// The zip archive that task libraries append to a .tflite file: where it starts, and how it moves.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fewbits::tflite_format {

// The offset at which a zip archive at the end of the file begins, or the file's size when there is none.
uint64_t find_zip(std::span<const uint8_t> file);
// The archive with the file offsets in its directory moved by `delta` bytes; unchanged where its directory cannot be read.
std::vector<uint8_t> move_zip(std::span<const uint8_t> zip, uint64_t old_offset, int64_t delta);

}  // namespace fewbits::tflite_format
