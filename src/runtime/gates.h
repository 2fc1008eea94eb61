// Gates of squeeze-and-excite blocks in weights mode: a convolution that quantizes its input on the fly multiplies it by the
// gate on the way in, and the product of both is never a tensor. The arithmetic is that of the separate operators.
#pragma once

#include <span>
#include <vector>

#include "runtime/plan.h"

namespace fewbits::runtime {

// Removes steps that multiply an image by one float for each of its channels where a hybrid convolution alone reads the product.
// `infos`: of the graph's values, by id.
void join_gates(const Graph& graph, std::span<const TensorInfo> infos, std::vector<Step>& steps);

}  // namespace fewbits::runtime
