// Chains of convolutions run a band of lines at a time: what one makes of a few lines lies in the L2 cache until the next,
// whose windows meet these lines, has read it, and is never a tensor in memory. The operators' own kernels run, so the results
// are those of the separate operators.
#pragma once

#include <span>
#include <vector>

#include "runtime/plan.h"

namespace fewbits::runtime {

// Joins steps of the plan where that is possible and pays: convolutions that can be made by lines, and functions of a byte after
// them, of which each alone reads what the one before makes, and that is large. The joined step stands where the last one stood.
// `infos`: of the graph's values, by id.
void join_line_bands(const Graph& graph, std::span<const TensorInfo> infos, std::vector<Step>& steps);

}  // namespace fewbits::runtime
