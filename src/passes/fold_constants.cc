// Replaces operators whose operands are all constants by their results.
#include "passes/fold_constants.h"

#include "ops/evaluate.h"

namespace fewbits::passes {

Status fold_constants(Model& model) {
  for (Graph& graph : model.graphs) {
    const std::vector<NodeId> order = graph.order();
    for (NodeId id : order) {
      const Node& node = graph.node(id);
      const OpDef* def = find_op(node);
      if (def == nullptr) continue;
      FB_TRY(ops::check_operands(graph, id, *def));
      std::vector<TensorInfo> inputs;
      for (ValueId value : node.inputs) {
        inputs.push_back(value == kNoValue ? TensorInfo{} : ops::tensor_info(graph.value(value)));
      }
      FB_ASSIGN(auto folded, ops::fold_node(model, graph, id, inputs));
      if (!folded) continue;
      const std::vector<ValueId> outputs = node.outputs;
      for (size_t i = 0; i < outputs.size(); ++i) {
        Value& value = graph.value(outputs[i]);
        value.shape = (*folded)[i].shape;
        value.shape_signature.clear();
        value.data = ConstData::own(std::move((*folded)[i].bytes));
        value.is_const = true;
      }
      graph.remove_node(id);
    }
  }
  return {};
}

}  // namespace fewbits::passes
