// Functions that frameworks have as one operator and TFLite has not, as short formulas of its operators.
#pragma once

#include "formats/builder.h"

namespace fewbits::formats {

ValueId softplus(GraphBuilder& b, ValueId x);  // log(1 + exp(x))
ValueId softsign(GraphBuilder& b, ValueId x);  // x / (1 + |x|)
ValueId selu(GraphBuilder& b, ValueId x);
ValueId silu(GraphBuilder& b, ValueId x);  // x * sigmoid(x)

}  // namespace fewbits::formats
