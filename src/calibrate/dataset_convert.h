// One array of a dataset into one input of a model: shape, number format, range.
#pragma once

#include <string>

#include "base/status.h"
#include "calibrate/dataset.h"

namespace fewbits::calibrate {

struct Converted {
  Array array;             // named as the input, in its type and shape
  std::string non_finite;  // not empty: which element is NaN or infinite; array holds nothing then
};

// As dataset.h describes it, for options that check_options() passed. Errors name the input: kInvalidData for data that
// does not fit, kInvalidArgument for options that do not.
Result<Converted> convert_array(Array array, const InputSpec& input, const PreprocessOptions& options,
                                const IntegerCoding& coding = {});

// The shape of `input` that takes an array of shape `from`; kInvalidData tells both when there is none.
Result<Shape> fit_shape(const Shape& from, const InputSpec& input);

}  // namespace fewbits::calibrate
