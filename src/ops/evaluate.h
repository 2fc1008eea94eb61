// Runs one operator on known values, without a plan: constant folding, for passes and for plans.
#pragma once

#include <vector>

#include "ir/op_def.h"

namespace fewbits::ops {

// Checks the node's operand counts against its definition, and that sparse constants, whose data is smaller than their
// shape says, reach only operators that expand them; the error names the node.
Status check_operands(const Graph& graph, NodeId id, const OpDef& def);

// What a plan knows of a value before anything runs: its shape in the file, and its data when it is a constant.
TensorInfo tensor_info(const Value& value);

// def.prepare(), but an operator whose outputs have no elements does nothing: kernels may loop over dimensions of any size around
// one of zero.
Result<Prepared> prepare(const OpDef& def, const OpContext& context);

// The outputs of a node whose inputs are all constants; nothing when the node is not one to fold: unknown, stateful, control
// flow, shapes that need more, or a result larger than 8 times the inputs and 1 MB.
Result<std::optional<std::vector<OwnedTensor>>> fold_node(const Model& model, const Graph& graph, NodeId id,
                                                          std::span<const TensorInfo> inputs);

}  // namespace fewbits::ops
