// Operators whose results nothing reads.
#include "ir/op_def.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"

namespace fewbits::passes {
namespace {

// Whether running a subgraph does anything beside its results. Calls do not recurse (ir/verify.cc), so this ends.
bool has_effects(const Model& model, int32_t index) {
  for (NodeId id : model.graphs[static_cast<size_t>(index)].order()) {
    const Node& node = model.graphs[static_cast<size_t>(index)].node(id);
    const OpDef* def = find_op(node);
    const auto callees = called_graphs(node);
    if (callees.empty() && def != nullptr && (def->flags & kStateful)) return true;
    for (int32_t callee : callees) {
      if (has_effects(model, callee)) return true;
    }
  }
  return false;
}

}  // namespace

Result<size_t> remove_dead_nodes(Model& model, Graph& graph) {
  std::vector<uint8_t> needed(graph.value_count(), 0);
  for (ValueId id : graph.outputs) needed[static_cast<size_t>(id)] = 1;
  std::vector<NodeId> kept;
  const std::vector<NodeId>& order = graph.order();
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const Node& node = graph.node(*at);
    const OpDef* def = find_op(node);
    bool alive = def == nullptr ? node.outputs.empty() : (def->flags & kStateful) != 0 && called_graphs(node).empty();
    for (ValueId id : node.outputs) alive = alive || (id != kNoValue && needed[static_cast<size_t>(id)]);
    for (int32_t callee : called_graphs(node)) alive = alive || has_effects(model, callee);
    if (!alive) continue;
    kept.push_back(*at);
    for (ValueId id : node.inputs) {
      if (id != kNoValue) needed[static_cast<size_t>(id)] = 1;
    }
  }
  const size_t removed = order.size() - kept.size();
  if (removed > 0) graph.set_order({kept.rbegin(), kept.rend()});
  return removed;
}

}  // namespace fewbits::passes
