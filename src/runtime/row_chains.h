// Pointwise operators run on the rows of the product before them, while those are in the cache: LOGISTIC and MUL (a swish),
// GELU, or the addition of a residual after a convolution cost no pass over memory of their own. The operators' own kernels
// run, prepared for a few rows at a time, so the results are those of the separate operators.
#pragma once

#include <span>
#include <vector>

#include "runtime/plan.h"

namespace fewbits::runtime {

// Joins steps of the plan where that is possible: a float product's and those of up to four pointwise operators that follow it,
// whose values in between nobody else reads. The joined step stands where the last one stood. `infos`: of the graph's
// values, by id.
void join_row_chains(const Model& model, const Graph& graph, std::span<const TensorInfo> infos,
                     std::vector<Step>& steps);

}  // namespace fewbits::runtime
