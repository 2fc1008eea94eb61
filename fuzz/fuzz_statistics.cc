// Any text as a statistics file; what is read must survive a merge with itself and a save.
#include <cstdlib>
#include <string>

#include "calibrate/statistics_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = fewbits::calibrate::parse_statistics(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!file) return 0;
  const auto copy = file->statistics;
  static_cast<void>(file->statistics.merge(copy));
  if (!fewbits::calibrate::parse_statistics(fewbits::calibrate::statistics_text(*file), "fuzz again")) std::abort();
  return 0;
}
