// Any text as a Keras model's configuration: errors, never crashes. (HDF5 bytes go to libhdf5, whose own defects would be all
// that is found.)
#include <cstddef>
#include <cstdint>

#include "formats/keras/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fewbits::keras;
  const Json json = Json::parse(data, data + size, nullptr, false);
  if (!json.is_object()) return 0;
  WeightScope scope;
  scope.by_place = true;
  scope.root = "/layers";
  static_cast<void>(convert_model(json, scope, 3, {}, "fuzz"));
  return 0;
}
