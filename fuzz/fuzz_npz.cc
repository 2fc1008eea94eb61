// Any bytes as a .npz archive.
#include "calibrate/npy_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(fewbits::calibrate::parse_npz({data, size}, size_t{1} << 24));
  return 0;
}
