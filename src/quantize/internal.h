// What the modes of quantize/ share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/op_def.h"
#include "quantize/params.h"
#include "quantize/quantize.h"

namespace fewbits::quantize {

// The rule of operand i; the last entry of a list stands for all further ones.
const OperandRule& operand_rule(const std::vector<OperandRule>& rules, size_t i);
bool is_float_constant(const Value& value);
// The name of a node's first output.
std::string output_name(const Graph& graph, const Node& node);

// A node's constant weights as int8, rounded as the options say; see quantize_weights.
QuantizedWeights weights_of(const Node& node, const Value& value, int axis, const Options& options,
                            std::span<const float> min_scale = {});

// The operands of a node as its OpDef functions want to see them.
class NodeView {
 public:
  NodeView(const Model& model, int32_t graph, NodeId node);
  const OpContext& context() const { return context_; }

 private:
  std::vector<TensorInfo> inputs_, outputs_, intermediates_;
  OpContext context_;
};

// Sets the version that the node's operands now need.
void update_version(Model& model, int32_t graph, NodeId node);

// A node of QUANTIZE or DEQUANTIZE; the caller inserts it and updates its version.
Node convert_node(Op op, ValueId from, ValueId to);

Status quantize_weights_mode(Model& model, const Options& options, Quantized& out);
Status quantize_float16_mode(Model& model, const Options& options, Quantized& out);
Status quantize_integer_mode(Model& model, const Options& options, const Statistics& statistics, Quantized& out);

}  // namespace fewbits::quantize
