// Any bytes as a WAV file.
#include "calibrate/audio.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(fewbits::calibrate::decode_audio({data, size}));
  return 0;
}
