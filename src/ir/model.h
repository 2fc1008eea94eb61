// The one graph that the converter and the runtime share: models, subgraphs, nodes and values with stable ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/op_code.h"
#include "ir/types.h"

namespace tflite {
struct BuiltinOptionsUnion;
struct BuiltinOptions2Union;
struct SparsityParametersT;
struct QuantizationDetailsUnion;
struct VariantSubTypeT;
}  // namespace tflite

namespace fewbits {

class MappedFile;

// Indices into Graph::values() and Graph::nodes(); they stay valid while a graph is edited.
using ValueId = int32_t;
using NodeId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional operand that is left out

// Immutable bytes and whoever keeps them alive: a view of a mapped file, or an allocation of their own.
class ConstData {
 public:
  ConstData() = default;
  ConstData(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}
  // Takes over the elements of `values`.
  template <class T>
  static ConstData own(std::vector<T> values) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    const auto* data = reinterpret_cast<const uint8_t*>(owner->data());
    return ConstData({data, owner->size() * sizeof(T)}, owner);
  }

  std::span<const uint8_t> bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return bytes_.empty(); }
  // The bytes as T. Buffers of a file are checked to be aligned or are copied by the reader, so the cast is safe.
  template <class T>
  std::span<const T> as() const noexcept {
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }
  // Where the bytes live, to find constants that share them.
  const void* identity() const noexcept { return bytes_.data(); }

 private:
  std::span<const uint8_t> bytes_;
  std::shared_ptr<const void> owner_;
};

// real = scale * (q - zero_point); one scale for the tensor, or one for each index of dimension `axis`.
struct QuantParams {
  std::vector<float> scale;
  std::vector<int64_t> zero_point;  // as many as scales, or empty for all zero
  int32_t axis = 0;
  std::vector<float> min, max;                                      // the ranges that a converter recorded; informative
  std::shared_ptr<const tflite::QuantizationDetailsUnion> details;  // blockwise, custom: null for the affine form

  bool quantized() const noexcept { return !scale.empty(); }
  bool per_axis() const noexcept { return scale.size() > 1; }
  int64_t zero(size_t channel = 0) const noexcept {
    return zero_point.empty() ? 0 : zero_point[zero_point.size() == 1 ? 0 : channel];
  }
};

struct Value {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;            // of the file; sizes that may change are in shape_signature
  Shape shape_signature;  // -1 where a size is dynamic; empty: all of shape is fixed
  bool has_rank = false;
  bool is_variable = false;  // state that a session keeps between runs
  bool is_const = false;     // has data (a constant without elements has none, but is one)
  QuantParams quant;
  ConstData data;
  std::shared_ptr<const tflite::SparsityParametersT> sparsity;  // data is stored sparse; see formats/tflite
  std::vector<std::shared_ptr<const tflite::VariantSubTypeT>> variant_tensors;
  uint32_t external_buffer = 0;  // index+1 of the model's external buffers; kept, not read
};

struct Node {
  Op op = Op::CUSTOM;
  std::string custom_code;  // of a CUSTOM operator
  int32_t version = 1;
  std::vector<ValueId> inputs;  // kNoValue where an optional one is absent
  std::vector<ValueId> outputs;
  std::vector<ValueId> intermediates;  // LSTM's quantization parameters live here
  std::vector<uint8_t> mutating_variable_inputs;
  // The schema's option tables are our attributes (docs/decisions/001): include schema/tflite.h to read them. Never null.
  std::shared_ptr<const tflite::BuiltinOptionsUnion> options;
  std::shared_ptr<const tflite::BuiltinOptions2Union> options2;
  ConstData custom_options;
  int32_t debug_metadata_index = -1;

  Node();
  // "CONV_2D", or a custom operator's own code.
  std::string type_name() const;
};

class Graph {
 public:
  std::string name;
  std::vector<ValueId> inputs, outputs;
  int32_t debug_metadata_index = -1;

  // References to values and nodes stay good when others are added.
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  Node& node(NodeId id) { return nodes_[static_cast<size_t>(id)]; }
  size_t value_count() const noexcept { return values_.size(); }
  size_t node_count() const noexcept { return nodes_.size(); }  // every node ever made; the live ones are in order()
  bool valid(ValueId id) const noexcept { return id >= 0 && static_cast<size_t>(id) < values_.size(); }

  // The live nodes in execution order.
  const std::vector<NodeId>& order() const noexcept { return order_; }

  ValueId add_value(Value value);
  NodeId add_node(Node node);                         // at the end of the order
  NodeId insert_node(Node node, NodeId before);       // just before a live node
  NodeId insert_node_after(Node node, NodeId after);  // just after a live node
  void remove_node(NodeId id);                        // its values stay, unproduced
  void set_order(std::vector<NodeId> order) { order_ = std::move(order); }

 private:
  std::deque<Value> values_;
  std::deque<Node> nodes_;
  std::vector<NodeId> order_;
};

// Who makes and who reads each value, at the moment of making; remake it after edits.
class UseMap {
 public:
  explicit UseMap(const Graph& graph);
  NodeId producer(ValueId id) const { return producer_[static_cast<size_t>(id)]; }  // -1: none
  std::span<const NodeId> consumers(ValueId id) const { return consumers_[static_cast<size_t>(id)]; }
  bool is_graph_input(ValueId id) const { return input_[static_cast<size_t>(id)] != 0; }
  bool is_graph_output(ValueId id) const { return output_[static_cast<size_t>(id)] != 0; }

 private:
  std::vector<NodeId> producer_;
  std::vector<std::vector<NodeId>> consumers_;
  std::vector<uint8_t> input_, output_;
};

struct SignatureTensor {
  std::string name;
  ValueId value = kNoValue;
};
struct Signature {
  std::string key;
  int32_t graph = 0;
  std::vector<SignatureTensor> inputs, outputs;
};
struct Metadata {
  std::string name;
  ConstData data;
};
struct ExternalBuffer {
  uint32_t id = 0, group = 0;
  uint64_t offset = 0, length = 0;
  std::string packing;
};

struct Model {
  std::string path;                        // where it was read from, for messages; may be empty
  std::shared_ptr<const MappedFile> file;  // that its constants lie in, or null
  std::string description;
  std::vector<Graph> graphs;  // at least one; the first is the main one
  std::vector<Signature> signatures;
  std::vector<Metadata> metadata;
  std::vector<std::string> external_buffer_groups;
  std::vector<ExternalBuffer> external_buffers;
  ConstData trailer;            // a zip archive after the flatbuffer (task metadata), kept
  uint64_t trailer_offset = 0;  // where it began in the file it was read from: its own offsets count from there

  Graph& main() { return graphs.front(); }
  const Graph& main() const { return graphs.front(); }
};

// "operator 12 (CONV_2D, output 'stem/relu')": how messages name a node.
std::string describe_node(const Graph& graph, NodeId id);
// The subgraphs that a node runs: branches, loop conditions and bodies, decompositions.
std::vector<int32_t> called_graphs(const Node& node);
// What the rest relies on: ids in range, one producer a value, operands made before they are read, per-axis sizes that fit,
// data as large as shape and type say, subgraph references without recursion. The error names model, operator and tensor.
Status verify(const Model& model);

}  // namespace fewbits
