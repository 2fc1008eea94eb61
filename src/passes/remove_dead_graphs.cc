// Drops subgraphs that no signature and no operator can reach, and renumbers the rest.
#include <algorithm>

#include "passes/pipeline.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

// The operators that importers make calls with: with any other the numbers stay.
void renumber(Node& node, const std::vector<int32_t>& numbers) {
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  if (const auto* table = node.options->AsWhileOptions()) {
    tflite::WhileOptionsT changed = *table;
    changed.cond_subgraph_index = numbers[static_cast<size_t>(table->cond_subgraph_index)];
    changed.body_subgraph_index = numbers[static_cast<size_t>(table->body_subgraph_index)];
    options->Set(std::move(changed));
  } else if (const auto* branches = node.options->AsIfOptions()) {
    tflite::IfOptionsT changed = *branches;
    changed.then_subgraph_index = numbers[static_cast<size_t>(branches->then_subgraph_index)];
    changed.else_subgraph_index = numbers[static_cast<size_t>(branches->else_subgraph_index)];
    options->Set(std::move(changed));
  }
  node.options = std::move(options);
}

void reach(const Model& model, size_t graph, std::vector<uint8_t>& reached, bool& known) {
  if (reached[graph]) return;
  reached[graph] = 1;
  for (NodeId id : model.graphs[graph].order()) {
    const Node& node = model.graphs[graph].node(id);
    const auto called = called_graphs(node);
    if (!called.empty() && node.op != Op::WHILE && node.op != Op::IF) known = false;
    for (int32_t callee : called) reach(model, static_cast<size_t>(callee), reached, known);
  }
}

}  // namespace

size_t remove_dead_graphs(Model& model) {
  std::vector<uint8_t> reached(model.graphs.size(), 0);
  bool known = true;
  reach(model, 0, reached, known);
  for (const Signature& signature : model.signatures)
    reach(model, static_cast<size_t>(signature.graph), reached, known);
  const auto removed = static_cast<size_t>(std::count(reached.begin(), reached.end(), 0));
  if (removed == 0 || !known) return 0;
  std::vector<int32_t> numbers(model.graphs.size(), -1);
  std::vector<Graph> kept;
  for (size_t i = 0; i < reached.size(); ++i) {
    if (!reached[i]) continue;
    numbers[i] = static_cast<int32_t>(kept.size());
    kept.push_back(std::move(model.graphs[i]));
  }
  model.graphs = std::move(kept);
  for (Graph& graph : model.graphs) {
    for (NodeId id : graph.order()) {
      if (!called_graphs(graph.node(id)).empty()) renumber(graph.node(id), numbers);
    }
  }
  for (Signature& signature : model.signatures) signature.graph = numbers[static_cast<size_t>(signature.graph)];
  return removed;
}

}  // namespace fewbits::passes
