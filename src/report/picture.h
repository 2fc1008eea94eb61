// Small pictures of model inputs.
#pragma once

#include <string>

#include "fewbits/types.h"

namespace fewbits::report {

// A PNG of an input that looks like a picture ([1, height, width, 1 or 3], or with the channels first), its values stretched
// to the whole range, made smaller where it is large; empty for other arrays.
std::string picture_of(const Array& input);

std::string base64(const std::string& bytes);

}  // namespace fewbits::report
