// A float model in, a small one out, and for every operator what became of it and why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fewbits/model.h"

namespace fewbits {

class Calibration;

enum class QuantizeMode {
  kWeights,   // dynamic range: int8 (or int4) weights, float activations quantized on the fly by the kernels
  kFloat16,   // constants in half precision
  kInt8,      // full integer; what cannot be stays float
  kInt8Only,  // full integer; what cannot be is an error
  kInt16x8,   // int16 activations, int8 weights; what cannot be stays float
};

// Which range of a tensor counts: the widest that was seen, or the moving average of each sample's.
enum class RangeRule { kMinMax, kMovingAverage };

// How weights become integers: the taps of a filter together, so that their sum stays, or each to its nearest.
enum class WeightRounding { kKeepMeans, kNearest };

struct QuantizeOptions {
  QuantizeMode mode = QuantizeMode::kInt8;
  // The types of the model's float inputs and outputs: float32, int8, uint8 or int16. Unset (kVariant): int8 for kInt8Only, else
  // float32.
  DType input_type = DType::kVariant, output_type = DType::kVariant;
  bool per_channel = true;     // one weight scale a channel where the operator has them; false: one a tensor
  size_t min_elements = 1024;  // kWeights: smaller constants stay float, as in TensorFlow's converter
  RangeRule range = RangeRule::kMinMax;
  WeightRounding rounding = WeightRounding::kKeepMeans;
  // Integer modes: biases take back the shift of the mean that rounded weights cause, where calibration has the channels' means.
  bool correct_bias = true;
  // Patterns of operator types ("CONV_2D"), or of output tensor names with * and ?; an operator is quantized when it matches an
  // include (or there is none) and no exclude.
  std::vector<std::string> include, exclude;
  // kWeights: the type of the weights of FULLY_CONNECTED, int8 or int4. int4 weights lie in blocks of so many inputs that share a
  // scale, a multiple of 32, or have one scale a channel (0); those whose inputs such blocks do not divide become int8, as all
  // other operators' weights do, and the decision says so.
  DType weight_type = DType::kInt8;
  size_t block_size = 64;
  // kInt8, kInt8Only: ranges end where all readers of a tensor stop telling numbers apart (docs/decisions/009).
  bool cut_ranges = true;
};

enum class Treatment {
  kInteger,     // runs on integers
  kHybrid,      // integer weights under float activations
  kWeightOnly,  // constants stored small, computed in float
  kFloat,       // as it was
};

struct Decision {
  int32_t graph = 0;   // the subgraph
  int32_t node = 0;    // the operator's index in the source model
  std::string type;    // "CONV_2D"
  std::string output;  // its first output's name
  Treatment treatment = Treatment::kFloat;
  std::string reason;  // why not better; empty when nothing is left to wish
  std::string help;    // what would help, where something would
};

struct QuantizeResult {
  ModelPtr model;
  std::vector<Decision> decisions;    // one for each operator that touches float values
  std::vector<std::string> warnings;  // float16 constants that were clamped, and the like
};

// The integer modes need `calibration`, made from this model. Errors: kInvalidArgument for options that do not fit together or a
// calibration of another model, kUnsupported when kInt8Only meets operators that cannot be integers: the message lists all of
// them with reasons. Thread-safe; the source model is not changed.
Result<QuantizeResult> quantize_model(const Model& model, const QuantizeOptions& options,
                                      const Calibration* calibration = nullptr);

// The decisions that quantize_model() would come to if calibration saw every tensor; it needs none, and takes as long.
Result<std::vector<Decision>> explain_quantization(const Model& model, const QuantizeOptions& options);

const char* mode_name(QuantizeMode mode) noexcept;  // "int8-only"
Result<QuantizeMode> mode_from_name(const std::string& name);
const char* treatment_name(Treatment treatment) noexcept;  // "weight-only"

}  // namespace fewbits
