// Replaces operators whose operands are all constants by their results.
#include "passes/fold_constants.h"

#include "ops/evaluate.h"
#include "passes/pipeline.h"

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

// One sweep covers every subgraph, so only the first one's turn does something.
Result<size_t> fold_constant_nodes(Model& model, Graph& graph) {
  if (&graph != &model.graphs.front()) return 0;
  size_t before = 0, after = 0;
  for (const Graph& g : model.graphs) before += g.order().size();
  FB_TRY(fold_constants(model));
  for (const Graph& g : model.graphs) after += g.order().size();
  return before - after;
}

}  // namespace fewbits::passes
