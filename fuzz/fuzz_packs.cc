// Any bytes as the index and the packs of a file of packed weights, under a header that is right.
#include <cstring>
#include <string>
#include <vector>

#include "base/hash.h"
#include "ops/packs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint64_t index = std::min<size_t>(data[0] | data[1] << 8, size - 2);
  std::vector<uint8_t> file(56 + size - 2);
  const uint64_t sizes[2] = {index, file.size()};
  const std::string print = fewbits::fingerprint(data + 2, index);
  std::memcpy(file.data(), "fbpacks\n", 8);
  std::memcpy(file.data() + 8, sizes, sizeof sizes);
  std::memcpy(file.data() + 24, print.data(), 32);
  std::memcpy(file.data() + 56, data + 2, size - 2);
  for (const auto& [key, place] : fewbits::find_packs(file)) {
    if (place.offset > file.size() || place.bytes > file.size() - place.offset) __builtin_trap();
  }
  return 0;
}
