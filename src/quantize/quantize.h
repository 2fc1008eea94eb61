// A float model in, a small one out, and for every operator what became of it and why.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"
#include "ir/statistics.h"

namespace fewbits::quantize {

enum class Mode {
  kWeights,   // dynamic range: int8 weights, float activations quantized on the fly by the kernels
  kFloat16,   // constants in half precision
  kInt8,      // full integer; what cannot be stays float
  kInt8Only,  // full integer; what cannot be is an error
  kInt16x8,   // int16 activations, int8 weights; what cannot be stays float
};

enum class RangeRule { kMinMax, kMovingAverage };

struct Options {
  Mode mode = Mode::kInt8;
  // The types of the model's float inputs and outputs: float32, int8, uint8 or int16. Unset (kVariant): int8 for kInt8Only, else
  // float32.
  DType input_type = DType::kVariant, output_type = DType::kVariant;
  bool per_channel = true;           // one weight scale a channel where the operator has them; false: one a tensor
  size_t min_elements = 1024;        // kWeights: smaller constants stay float, as in TensorFlow's converter
  RangeRule range = RangeRule::kMinMax;
  // Patterns of operator types ("CONV_2D"), or of output tensor names with * and ?; an operator is quantized when it matches an
  // include (or there is none) and no exclude.
  std::vector<std::string> include, exclude;
};

enum class Treatment {
  kInteger,     // runs on integers
  kHybrid,      // integer weights under float activations
  kWeightOnly,  // constants stored small, computed in float
  kFloat,       // as it was
};

struct Decision {
  int32_t graph = 0;
  NodeId node = 0;      // of the source model
  std::string type;     // "CONV_2D"
  std::string output;   // its first output's name
  Treatment treatment = Treatment::kFloat;
  std::string reason;   // why not better; empty when nothing is left to wish
  std::string help;     // what would help, where something would
};

struct Quantized {
  Model model;
  std::vector<Decision> decisions;    // one for each operator that touches float values
  std::vector<std::string> warnings;  // float16 constants that were clamped, and the like
};

// `statistics` is needed by the integer modes and must come from this model. Errors: kInvalidArgument for options that do not
// fit together or statistics of another model, kUnsupported when kInt8Only meets operators that cannot be integers: the message
// lists all of them with reasons.
Result<Quantized> quantize(const Model& model, const Options& options, const Statistics* statistics = nullptr);

const char* mode_name(Mode mode) noexcept;  // "int8-only"
Result<Mode> mode_from_name(const std::string& name);
const char* treatment_name(Treatment treatment) noexcept;

}  // namespace fewbits::quantize
