// Graph edits and use lists.
#include "ir/model.h"

#include <algorithm>

#include "schema/tflite.h"

namespace fewbits {

Node::Node()
    : options(std::make_shared<tflite::BuiltinOptionsUnion>()),
      options2(std::make_shared<tflite::BuiltinOptions2Union>()) {}

std::string Node::type_name() const { return op == Op::CUSTOM ? custom_code : op_name(op); }

ValueId Graph::add_value(Value value) {
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size() - 1);
}

NodeId Graph::add_node(Node node) {
  nodes_.push_back(std::move(node));
  order_.push_back(static_cast<NodeId>(nodes_.size() - 1));
  return order_.back();
}

NodeId Graph::insert_node(Node node, NodeId before) {
  nodes_.push_back(std::move(node));
  const auto id = static_cast<NodeId>(nodes_.size() - 1);
  order_.insert(std::find(order_.begin(), order_.end(), before), id);
  return id;
}

NodeId Graph::insert_node_after(Node node, NodeId after) {
  nodes_.push_back(std::move(node));
  const auto id = static_cast<NodeId>(nodes_.size() - 1);
  const auto at = std::find(order_.begin(), order_.end(), after);
  order_.insert(at == order_.end() ? at : at + 1, id);
  return id;
}

void Graph::remove_node(NodeId id) { order_.erase(std::remove(order_.begin(), order_.end(), id), order_.end()); }

UseMap::UseMap(const Graph& graph)
    : producer_(graph.value_count(), -1),
      consumers_(graph.value_count()),
      input_(graph.value_count(), 0),
      output_(graph.value_count(), 0) {
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (ValueId value : node.outputs) {
      if (graph.valid(value)) producer_[static_cast<size_t>(value)] = id;
    }
    for (ValueId value : node.inputs) {
      if (!graph.valid(value)) continue;
      auto& list = consumers_[static_cast<size_t>(value)];
      if (list.empty() || list.back() != id) list.push_back(id);
    }
  }
  for (ValueId value : graph.inputs) input_[static_cast<size_t>(value)] = 1;
  for (ValueId value : graph.outputs) output_[static_cast<size_t>(value)] = 1;
}

std::string describe_node(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  std::string output;
  for (ValueId value : node.outputs) {
    if (graph.valid(value)) {
      output = fmt::format(", output '{}'", graph.value(value).name);
      break;
    }
  }
  return fmt::format("operator {} ({}{})", id, node.type_name(), output);
}

}  // namespace fewbits
