// Any bytes as a saved_model.pb, a GraphDef, or the index of a checkpoint: errors, never crashes.
#include <cstddef>
#include <cstdint>

#include "formats/savedmodel/bundle.h"
#include "formats/savedmodel/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  if (data[0] % 4 == 0) {
    const auto bundle = fewbits::savedmodel::TensorBundle::parse(bytes, "fuzz.index");
    if (bundle) (void)bundle->keys_by_variable_name();
  } else {
    (void)fewbits::savedmodel::import_bytes(bytes, {});
  }
  return 0;
}
