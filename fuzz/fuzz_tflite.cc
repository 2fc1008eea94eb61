// Any bytes as a model: read, verify, write again; what was written must be read back.
#include <cstdlib>

#include "formats/tflite/reader.h"
#include "formats/tflite/writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto model = fewbits::tflite_format::read_bytes({data, size}, nullptr, "fuzz");
  if (!model) return 0;
  const auto bytes = fewbits::tflite_format::write_bytes(*model);
  if (!bytes) return 0;
  if (!fewbits::tflite_format::read_bytes(*bytes, nullptr, "fuzz again")) std::abort();
  return 0;
}
