// Replaces operators whose operands are all constants by their results: float16 weights behind DEQUANTIZE, sparse weights
// behind DENSIFY, arithmetic on constants.
#pragma once

#include "base/status.h"
#include "ir/model.h"

namespace fewbits::passes {

// Folds in every subgraph, in one sweep. Operators that cannot be folded stay; a broken one is an error that names it.
Status fold_constants(Model& model);

}  // namespace fewbits::passes
