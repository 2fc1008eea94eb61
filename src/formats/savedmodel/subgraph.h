// Functions as subgraphs of the model: the branches of IF, the condition and body of WHILE.
#pragma once

#include <memory>

#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {

// The function that an attribute names; kInvalidModel when there is none.
Result<const Body*> function_of(const OpCall& op, const char* attr);

// A subgraph under construction, and the caller's tensors as they are inside it.
struct Subgraph {
  int32_t index = 0;
  std::unique_ptr<Lowering> lowering;
  Tensors arguments;
};
Subgraph new_subgraph(const OpCall& op, const std::string& name);

// `tensor` of the caller inside the subgraph: an input, or the constant that it is when `constant_inside`. The input has the
// shape of the tensor, or `open_shape` when that is not null.
Tensor argument_in(const OpCall& op, Subgraph& sub, const Tensor& tensor, size_t i, bool constant_inside,
                   const Shape* open_shape = nullptr);
// Whether the tensor is a value that only the caller's graph has.
bool is_passed(const OpCall& op, const Tensor& tensor);

// The shape that both have: -1 where they differ.
Shape merged(const Shape& a, const Shape& b);

}  // namespace fewbits::savedmodel
