// Einstein sums in terms of matrix products, sums and transposes.
#pragma once

#include <string>
#include <vector>

#include "formats/builder.h"

namespace fewbits::formats {

// "bhid,bhjd->bhij" of as many operands as it names. An ellipsis stands for the dimensions that a term does not name, a result
// that is left out for the labels that stand once, a label that a term repeats for the diagonal. An error for other forms.
ValueId einsum(GraphBuilder& b, std::string equation, const std::vector<ValueId>& operands);

}  // namespace fewbits::formats
