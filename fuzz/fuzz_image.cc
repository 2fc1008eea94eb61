// Any bytes as a JPEG or PNG.
#include "calibrate/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(fewbits::calibrate::decode_image({data, size}, size_t{1} << 20));
  return 0;
}
