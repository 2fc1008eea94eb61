// Edits of one graph with use lists that stay right: what the passes work with.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/model.h"

namespace fewbits::passes {

class Rewriter {
 public:
  explicit Rewriter(Graph& graph);

  Graph& graph() noexcept { return graph_; }
  const Value& value(ValueId id) const { return graph_.value(id); }
  const Node& node(NodeId id) const { return graph_.node(id); }
  bool live(NodeId id) const { return live_[static_cast<size_t>(id)] != 0; }
  // The live nodes in order, at this moment.
  std::vector<NodeId> order() const { return graph_.order(); }

  NodeId producer(ValueId id) const { return id == kNoValue ? -1 : producer_[static_cast<size_t>(id)]; }
  // The operator that makes a value; Op::CUSTOM's absence is -1 producers: false then.
  bool made_by(ValueId id, Op op) const { return producer(id) >= 0 && node(producer(id)).op == op; }
  const std::vector<NodeId>& consumers(ValueId id) const { return consumers_[static_cast<size_t>(id)]; }
  bool is_input(ValueId id) const { return is_input_[static_cast<size_t>(id)] != 0; }
  bool is_output(ValueId id) const { return is_output_[static_cast<size_t>(id)] != 0; }
  // One reader, and not an output of the graph.
  bool single_use(ValueId id) const { return consumers(id).size() == 1 && !is_output(id); }
  bool is_const(ValueId id) const { return id != kNoValue && value(id).is_const; }

  ValueId add_value(const Value& like, Shape shape);  // name, type and quantization of `like`; dynamic sizes are -1
  ValueId add_const(ConstData data, DType dtype, Shape shape, const std::string& name);
  ValueId add_ints(const std::vector<int32_t>& values, const std::string& name);
  NodeId insert_before(Node node, NodeId before) { return inserted(graph_.insert_node(std::move(node), before)); }
  NodeId insert_after(Node node, NodeId after) { return inserted(graph_.insert_node_after(std::move(node), after)); }
  void remove(NodeId id);
  void set_input(NodeId id, size_t i, ValueId value);
  void set_output(NodeId id, size_t i, ValueId value);
  Node& edit(NodeId id) { return graph_.node(id); }  // options only: operands through set_input and set_output
  // Every reader of `from`, and the graph's outputs, read `to`. False, and nothing done, when `from` is an output and `to`
  // cannot be one under its name (an input, a constant, an output already), or when another
  // output of its maker is in use.
  bool replace(ValueId from, ValueId to);

 private:
  NodeId inserted(NodeId id);
  void grow();
  void drop_use(ValueId value, NodeId reader);
  void release_unread(ValueId id);

  Graph& graph_;
  std::vector<NodeId> producer_;
  std::vector<std::vector<NodeId>> consumers_;
  std::vector<uint8_t> live_, is_input_, is_output_;
};

// The shape with -1 for sizes that change.
Shape open_shape(const Value& value);
// Whether a RESHAPE can name the shape: at most one size is open.
bool is_reshape_target(const Value& value);
inline bool is_static_shape(const Value& value) { return value.has_rank && value.shape_signature.empty(); }
// Integers of a constant (int32 or int64).
std::optional<std::vector<int32_t>> const_ints(const Graph& graph, ValueId id);
// The one number of a float32 constant with one element.
std::optional<float> const_scalar(const Graph& graph, ValueId id);

}  // namespace fewbits::passes
