// CRC-32C (Castagnoli): the checksum of LevelDB tables and TensorFlow's checkpoints.
#pragma once

#include <cstdint>
#include <span>

namespace fewbits {

// Of all the bytes; the empty span gives 0.
uint32_t crc32c(std::span<const uint8_t> bytes) noexcept;

// How LevelDB stores one, so that a checksum of bytes that hold checksums stays a good one.
constexpr uint32_t masked_crc32c(uint32_t crc) noexcept { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

}  // namespace fewbits
