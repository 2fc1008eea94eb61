// Counts how often the true class is on top of a model's scores.
#pragma once

#include <cstdint>

#include "evaluate/metrics.h"

namespace fewbits::evaluate {

// How many classes an output of this shape scores: its last dimension, when it is the only one that is not 1; two for a single
// number; 0 for all else.
int32_t class_count(const Shape& shape) noexcept;

// Where the true class stands: 0 on top. Before it are classes of a higher score, and of the same score with a smaller index; a
// class of score NaN is behind all others. A single number says class 1 when it is above 0.5.
int64_t rank_of(const RealTensor& scores, int32_t true_class);

}  // namespace fewbits::evaluate
