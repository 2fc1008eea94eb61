// Any bytes as an ONNX model: imported, cleaned up, written; every other time with loops made for, and into, sequence operators.
#include "formats/onnx/format.h"
#include "formats/tflite/writer.h"
#include "passes/pipeline.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bool fuse = size % 2 == 1;
  auto imported = fewbits::onnx::read_bytes({data, size}, "", "fuzz", {.recurrent_loops = fuse});
  if (!imported) return 0;
  if (!fewbits::passes::run_pipeline(imported->model, {.fuse_recurrent = fuse})) return 0;
  static_cast<void>(fewbits::tflite_format::write_bytes(imported->model));
  return 0;
}
