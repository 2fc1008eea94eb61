// Functions that frameworks have as one operator and TFLite has not, as short formulas of its operators.
#pragma once

#include "formats/builder.h"

namespace fewbits::formats {

ValueId softplus(GraphBuilder& b, ValueId x);  // log(1 + exp(x))
ValueId softsign(GraphBuilder& b, ValueId x);  // x / (1 + |x|)
ValueId selu(GraphBuilder& b, ValueId x);
ValueId silu(GraphBuilder& b, ValueId x);  // x * sigmoid(x)

// (x - mean) / sqrt(variance + epsilon) * scale + offset is x * factor + addend: vectors over the channels. `scale` and `offset`
// may be kNoValue. Statistics that are constants, as at inference, are computed with in float64 and rounded once.
struct ScaleAndShift {
  ValueId factor, addend;
};
ScaleAndShift batch_norm(GraphBuilder& b, ValueId scale, ValueId offset, ValueId mean, ValueId variance,
                         double epsilon);

}  // namespace fewbits::formats
