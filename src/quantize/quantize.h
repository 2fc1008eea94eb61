// A float model in, a small one out, and for every operator what became of it and why.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "fewbits/quantize.h"
#include "ir/model.h"
#include "ir/statistics.h"

namespace fewbits::quantize {

using Mode = QuantizeMode;
using Options = QuantizeOptions;
using fewbits::Decision;
using fewbits::mode_from_name;
using fewbits::mode_name;
using fewbits::RangeRule;
using fewbits::Treatment;
using fewbits::treatment_name;

struct Quantized {
  Model model;
  std::vector<Decision> decisions;    // one for each operator that touches float values
  std::vector<std::string> warnings;  // float16 constants that were clamped, and the like
};

// `statistics` is needed by the integer modes and must come from this model. Errors: kInvalidArgument for options that do not
// fit together or statistics of another model, kUnsupported when kInt8Only meets operators that cannot be integers: the message
// lists all of them with reasons.
Result<Quantized> quantize(const Model& model, const Options& options, const Statistics* statistics = nullptr);

}  // namespace fewbits::quantize
