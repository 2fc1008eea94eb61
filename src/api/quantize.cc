// Public quantization, in front of quantize/.
#include "fewbits/quantize.h"

#include "api/runtime/guard.h"
#include "fewbits/calibrate.h"
#include "quantize/quantize.h"

namespace fewbits {
namespace {

// Statistics in which every float tensor was seen.
Statistics assumed_statistics(const Model& model) {
  Statistics statistics;
  statistics.fingerprint = model_fingerprint(model);
  statistics.samples = 1;
  for (size_t g = 0; g < model.graphs.size(); ++g) {
    for (size_t i = 0; i < model.graphs[g].value_count(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const Value& value = model.graphs[g].value(id);
      if (value.dtype != DType::kFloat32 || value.is_const) continue;
      TensorStats& stats = statistics.tensors[{static_cast<int32_t>(g), id}];
      stats.name = value.name;
      stats.add(-1, 1);
    }
  }
  return statistics;
}

}  // namespace

Result<QuantizeResult> quantize_model(const Model& model, const QuantizeOptions& options,
                                      const Calibration* calibration) {
  return api::guarded([&]() -> Result<QuantizeResult> {
    const Statistics* statistics = calibration == nullptr ? nullptr : &calibration->statistics();
    FB_ASSIGN(quantize::Quantized made, quantize::quantize(model, options, statistics));
    return QuantizeResult{std::make_shared<const Model>(std::move(made.model)), std::move(made.decisions),
                          std::move(made.warnings)};
  });
}

Result<std::vector<Decision>> explain_quantization(const Model& model, const QuantizeOptions& options) {
  return api::guarded([&]() -> Result<std::vector<Decision>> {
    QuantizeOptions lenient = options;
    if (lenient.mode == QuantizeMode::kInt8Only)
      lenient.mode = QuantizeMode::kInt8;  // whose decisions are not an error
    const Statistics statistics = assumed_statistics(model);
    FB_ASSIGN(quantize::Quantized made, quantize::quantize(model, lenient, &statistics));
    return std::move(made.decisions);
  });
}

}  // namespace fewbits
