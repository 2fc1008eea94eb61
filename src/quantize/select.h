// Which operators the user's patterns choose.
#pragma once

#include <string>

#include "quantize/quantize.h"

namespace fewbits::quantize {

// "*" any run of characters, "?" any one; the whole text must match.
bool glob_match(const std::string& pattern, const std::string& text);
// Empty when the operator is to be quantized, else why not.
std::string not_selected(const Options& options, const std::string& type, const std::string& output);

}  // namespace fewbits::quantize
