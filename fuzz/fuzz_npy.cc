// Any bytes as a .npy file.
#include "calibrate/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(fewbits::calibrate::parse_npy({data, size}));
  return 0;
}
