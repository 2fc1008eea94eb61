// Drops values that nothing refers to, and nodes that are not in the order; the rest gets new numbers.
#include "passes/pipeline.h"

namespace fewbits::passes {
namespace {

// The values of `graph` that stay, with their new numbers (-1: dropped).
std::vector<ValueId> numbering(const Model& model, size_t index) {
  const Graph& graph = model.graphs[index];
  std::vector<uint8_t> used(graph.value_count(), 0);
  const auto mark = [&](const std::vector<ValueId>& ids) {
    for (ValueId id : ids) {
      if (id != kNoValue) used[static_cast<size_t>(id)] = 1;
    }
  };
  mark(graph.inputs);
  mark(graph.outputs);
  for (NodeId id : graph.order()) {
    mark(graph.node(id).inputs);
    mark(graph.node(id).outputs);
    mark(graph.node(id).intermediates);
  }
  std::vector<ValueId> numbers(graph.value_count(), kNoValue);
  ValueId next = 0;
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i]) numbers[i] = next++;
  }
  return numbers;
}

void renumber(std::vector<ValueId>& ids, const std::vector<ValueId>& numbers) {
  for (ValueId& id : ids) {
    if (id != kNoValue) id = numbers[static_cast<size_t>(id)];
  }
}

}  // namespace

void compact(Model& model) {
  for (size_t g = 0; g < model.graphs.size(); ++g) {
    Graph& old = model.graphs[g];
    const std::vector<ValueId> numbers = numbering(model, g);
    Graph fresh;
    fresh.name = old.name;
    fresh.debug_metadata_index = old.debug_metadata_index;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] != kNoValue) fresh.add_value(std::move(old.value(static_cast<ValueId>(i))));
    }
    for (NodeId id : old.order()) {
      Node node = std::move(old.node(id));
      renumber(node.inputs, numbers);
      renumber(node.outputs, numbers);
      renumber(node.intermediates, numbers);
      fresh.add_node(std::move(node));
    }
    fresh.inputs = old.inputs;
    fresh.outputs = old.outputs;
    renumber(fresh.inputs, numbers);
    renumber(fresh.outputs, numbers);
    old = std::move(fresh);
    for (Signature& signature : model.signatures) {
      if (static_cast<size_t>(signature.graph) != g) continue;
      for (auto* list : {&signature.inputs, &signature.outputs}) {
        for (SignatureTensor& tensor : *list) tensor.value = numbers[static_cast<size_t>(tensor.value)];
      }
    }
  }
}

}  // namespace fewbits::passes
