// The end-of-archive record and the central directory, as the zip application note lays them out (little-endian).
#include "formats/tflite/zip_trailer.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace fewbits::tflite_format {
namespace {

constexpr size_t kEndSize = 22, kEntrySize = 46;
constexpr uint32_t kEndMagic = 0x06054b50, kEntryMagic = 0x02014b50, kLocalMagic = 0x04034b50;

uint32_t u32(std::span<const uint8_t> b, size_t at) {
  return b[at] | uint32_t{b[at + 1]} << 8 | uint32_t{b[at + 2]} << 16 | uint32_t{b[at + 3]} << 24;
}
uint32_t u16(std::span<const uint8_t> b, size_t at) { return b[at] | uint32_t{b[at + 1]} << 8; }
void put_u32(std::vector<uint8_t>& b, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) b[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

struct Directory {
  size_t end = 0;    // of the end record
  size_t start = 0;  // of the first entry
  uint32_t entries = 0;
  uint32_t stated_start = 0;  // what the end record says: from the start of the file, or of the archive
};

std::optional<Directory> find_directory(std::span<const uint8_t> bytes) {
  if (bytes.size() < kEndSize) return std::nullopt;
  const size_t lowest = bytes.size() - std::min(bytes.size(), kEndSize + 65535);
  for (size_t at = bytes.size() - kEndSize + 1; at-- > lowest;) {
    if (u32(bytes, at) != kEndMagic || at + kEndSize + u16(bytes, at + 20) != bytes.size()) continue;
    const uint32_t size = u32(bytes, at + 12);
    if (size > at) return std::nullopt;
    return Directory{at, at - size, u16(bytes, at + 10), u32(bytes, at + 16)};
  }
  return std::nullopt;
}

// Calls visit(position of the entry) for each entry; false when the directory is broken.
template <class Visit>
bool for_each_entry(std::span<const uint8_t> bytes, const Directory& directory, const Visit& visit) {
  size_t at = directory.start;
  for (uint32_t i = 0; i < directory.entries; ++i) {
    if (at + kEntrySize > directory.end || u32(bytes, at) != kEntryMagic) return false;
    visit(at);
    at += kEntrySize + u16(bytes, at + 28) + u16(bytes, at + 30) + u16(bytes, at + 32);
  }
  return at <= directory.end;
}

}  // namespace

uint64_t find_zip(std::span<const uint8_t> file) {
  const auto directory = find_directory(file);
  if (!directory || directory->start < directory->stated_start) return file.size();
  // Offsets count from the file's start, or from the archive's start when it was copied behind without a change.
  const uint64_t shift = directory->start - directory->stated_start;
  uint64_t first = directory->start;
  const bool whole = for_each_entry(file, *directory, [&](size_t at) {
    const uint64_t local = u32(file, at + 42) + shift;
    if (local + 4 <= file.size() && u32(file, local) == kLocalMagic) first = std::min(first, local);
  });
  return whole ? first : file.size();
}

std::vector<uint8_t> move_zip(std::span<const uint8_t> zip, uint64_t old_offset, int64_t delta) {
  std::vector<uint8_t> out(zip.begin(), zip.end());
  const auto directory = find_directory(zip);
  if (!directory || directory->start + old_offset != directory->stated_start) return out;  // offsets within the archive
  const auto moved = [&](size_t at) { put_u32(out, at, static_cast<uint32_t>(u32(zip, at) + delta)); };
  if (!for_each_entry(zip, *directory, [&](size_t at) { moved(at + 42); })) return {zip.begin(), zip.end()};
  moved(directory->end + 16);
  return out;
}

}  // namespace fewbits::tflite_format
