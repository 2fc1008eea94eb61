// Edits of one graph.
#include "passes/rewriter.h"

#include <algorithm>

namespace fewbits::passes {

Rewriter::Rewriter(Graph& graph) : graph_(graph), live_(graph.node_count(), 0) {
  grow();
  for (NodeId id : graph.order()) {
    live_[static_cast<size_t>(id)] = 1;
    for (ValueId v : graph.node(id).inputs) {
      if (v != kNoValue) consumers_[static_cast<size_t>(v)].push_back(id);
    }
    for (ValueId v : graph.node(id).outputs) {
      if (v != kNoValue) producer_[static_cast<size_t>(v)] = id;
    }
  }
  // A node that reads a value twice is one reader.
  for (auto& list : consumers_) list.erase(std::unique(list.begin(), list.end()), list.end());
  for (ValueId v : graph.inputs) is_input_[static_cast<size_t>(v)] = 1;
  for (ValueId v : graph.outputs) is_output_[static_cast<size_t>(v)] = 1;
  for (size_t i = 0; i < graph.value_count(); ++i) release_unread(static_cast<ValueId>(i));
}

// A constant that nothing reads any longer gives its memory back; compact() drops the value.
void Rewriter::release_unread(ValueId id) {
  Value& value = graph_.value(id);
  if (!value.is_const || !consumers(id).empty() || is_output(id)) return;
  value.is_const = false;
  value.data = {};
}

void Rewriter::grow() {
  producer_.resize(graph_.value_count(), -1);
  consumers_.resize(graph_.value_count());
  is_input_.resize(graph_.value_count(), 0);
  is_output_.resize(graph_.value_count(), 0);
  live_.resize(graph_.node_count(), 0);
}

ValueId Rewriter::add_value(const Value& like, Shape shape) {
  Value value;
  value.name = like.name;
  value.dtype = like.dtype;
  value.quant = like.quant;
  value.has_rank = true;
  for (int32_t size : shape) value.shape.push_back(size < 0 ? 1 : size);
  if (value.shape != shape) value.shape_signature = std::move(shape);
  const ValueId id = graph_.add_value(std::move(value));
  grow();
  return id;
}

ValueId Rewriter::add_const(ConstData data, DType dtype, Shape shape, const std::string& name) {
  Value value;
  value.name = name;
  value.dtype = dtype;
  value.shape = std::move(shape);
  value.has_rank = true;
  value.is_const = true;
  value.data = std::move(data);
  const ValueId id = graph_.add_value(std::move(value));
  grow();
  return id;
}

ValueId Rewriter::add_ints(const std::vector<int32_t>& values, const std::string& name) {
  return add_const(ConstData::own(values), DType::kInt32, {static_cast<int32_t>(values.size())}, name);
}

NodeId Rewriter::inserted(NodeId id) {
  grow();
  live_[static_cast<size_t>(id)] = 1;
  for (ValueId v : graph_.node(id).inputs) {
    if (v == kNoValue) continue;
    auto& list = consumers_[static_cast<size_t>(v)];
    if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(id);
  }
  for (ValueId v : graph_.node(id).outputs) {
    if (v != kNoValue) producer_[static_cast<size_t>(v)] = id;
  }
  return id;
}

void Rewriter::drop_use(ValueId value, NodeId reader) {
  if (value == kNoValue) return;
  const auto& inputs = graph_.node(reader).inputs;
  if (live(reader) && std::find(inputs.begin(), inputs.end(), value) != inputs.end()) return;
  auto& list = consumers_[static_cast<size_t>(value)];
  list.erase(std::remove(list.begin(), list.end(), reader), list.end());
  release_unread(value);
}

void Rewriter::remove(NodeId id) {
  graph_.remove_node(id);
  live_[static_cast<size_t>(id)] = 0;
  for (ValueId v : graph_.node(id).inputs) drop_use(v, id);
  for (ValueId v : graph_.node(id).outputs) {
    if (v != kNoValue && producer_[static_cast<size_t>(v)] == id) producer_[static_cast<size_t>(v)] = -1;
  }
}

void Rewriter::set_input(NodeId id, size_t i, ValueId value) {
  const ValueId old = graph_.node(id).inputs[i];
  graph_.node(id).inputs[i] = value;
  drop_use(old, id);
  if (value == kNoValue) return;
  auto& list = consumers_[static_cast<size_t>(value)];
  if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(id);
}

void Rewriter::set_output(NodeId id, size_t i, ValueId value) {
  const ValueId old = graph_.node(id).outputs[i];
  graph_.node(id).outputs[i] = value;
  if (producer_[static_cast<size_t>(old)] == id) producer_[static_cast<size_t>(old)] = -1;
  producer_[static_cast<size_t>(value)] = id;
}

bool Rewriter::replace(ValueId from, ValueId to) {
  if (from == to) return true;
  if (is_output(from)) {
    if (is_input(to) || is_output(to) || is_const(to) || value(from).dtype != value(to).dtype) return false;
    const NodeId maker = producer(to), old_maker = producer(from);
    if (maker < 0 || (old_maker >= 0 && node(old_maker).outputs.size() > 1)) return false;
    // The output keeps its id and name: whatever made `to` makes it from now on.
    if (old_maker >= 0) remove(old_maker);
    const auto& outputs = graph_.node(maker).outputs;
    const auto slot = static_cast<size_t>(std::find(outputs.begin(), outputs.end(), to) - outputs.begin());
    Value& target = graph_.value(from);
    const Value& source = graph_.value(to);
    target.shape = source.shape;
    target.shape_signature = source.shape_signature;
    target.has_rank = source.has_rank;
    target.quant = source.quant;
    set_output(maker, slot, from);
    const auto readers = consumers(to);
    for (NodeId reader : readers) {
      for (size_t i = 0; i < graph_.node(reader).inputs.size(); ++i) {
        if (graph_.node(reader).inputs[i] == to) set_input(reader, i, from);
      }
    }
    return true;
  }
  const auto readers = consumers(from);
  for (NodeId reader : readers) {
    for (size_t i = 0; i < graph_.node(reader).inputs.size(); ++i) {
      if (graph_.node(reader).inputs[i] == from) set_input(reader, i, to);
    }
  }
  return true;
}

Shape open_shape(const Value& value) { return value.shape_signature.empty() ? value.shape : value.shape_signature; }

bool is_reshape_target(const Value& value) {
  const Shape& open = value.shape_signature;
  return value.has_rank && std::count(open.begin(), open.end(), -1) <= 1;
}

std::optional<std::vector<int32_t>> const_ints(const Graph& graph, ValueId id) {
  if (id == kNoValue || !graph.value(id).is_const) return std::nullopt;
  const Value& value = graph.value(id);
  if (value.dtype == DType::kInt32) {
    const auto numbers = value.data.as<int32_t>();
    return std::vector<int32_t>(numbers.begin(), numbers.end());
  }
  if (value.dtype != DType::kInt64) return std::nullopt;
  std::vector<int32_t> out;
  for (int64_t number : value.data.as<int64_t>()) {
    if (number < INT32_MIN || number > INT32_MAX) return std::nullopt;
    out.push_back(static_cast<int32_t>(number));
  }
  return out;
}

std::optional<float> const_scalar(const Graph& graph, ValueId id) {
  if (id == kNoValue) return std::nullopt;
  const Value& value = graph.value(id);
  if (!value.is_const || value.dtype != DType::kFloat32 || element_count(value.shape) != 1) return std::nullopt;
  return value.data.as<float>()[0];
}

}  // namespace fewbits::passes
