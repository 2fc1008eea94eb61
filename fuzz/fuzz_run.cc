// Any bytes as a model that is planned, run on zeros, and quantized to weights: operands, shapes and options are never trusted.
#include "formats/tflite/reader.h"
#include "quantize/quantize.h"
#include "runtime/session.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto read = fewbits::tflite_format::read_bytes({data, size}, nullptr, "fuzz");
  if (!read) return 0;
  const auto model = std::make_shared<const fewbits::Model>(*std::move(read));
  fewbits::runtime::PlanOptions options;
  options.memory_limit = 1 << 22;
  const auto plan = fewbits::runtime::Plan::make(model, options);
  if (plan) {
    const auto session = fewbits::runtime::Session::make(*plan);
    if (session) static_cast<void>((*session)->run());
  }
  fewbits::quantize::Options quantization;
  quantization.mode = fewbits::quantize::Mode::kWeights;
  quantization.min_elements = 1;
  static_cast<void>(fewbits::quantize::quantize(*model, quantization));
  return 0;
}
