// The nodes of a graph or a function by name, what their inputs refer to, and their attributes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "formats/savedmodel/tensorflow.pb.h"
#include "formats/savedmodel/wire.h"

namespace fewbits::savedmodel {

// A node's attributes; what a function's body leaves to its caller ("$T") is looked up there.
class Attrs {
 public:
  using List = google::protobuf::RepeatedPtrField<tf::AttrEntry>;
  Attrs() = default;
  explicit Attrs(const List& own, const List* caller = nullptr) : own_(&own), caller_(caller) {}

  // Null: the attribute is left out, and stands at TensorFlow's default.
  const tf::AttrValue* find(std::string_view key) const noexcept;
  std::string text(std::string_view key, const std::string& otherwise = {}) const;
  int64_t integer(std::string_view key, int64_t otherwise) const noexcept;
  float real(std::string_view key, float otherwise) const noexcept;
  bool flag(std::string_view key, bool otherwise) const noexcept;
  tf::DataType type(std::string_view key, tf::DataType otherwise) const noexcept;
  std::vector<int64_t> integers(std::string_view key) const;
  const tf::NameAttrList* function(std::string_view key) const noexcept;

 private:
  const List* own_ = nullptr;
  const List* caller_ = nullptr;
};

// A node where it lies in the file: messages are made of nodes one by one, when they are looked into.
struct NodeView {
  std::string_view name, op;
  ByteSpan message;

  std::vector<std::string_view> inputs() const;
  // kInvalidModel names the node.
  Result<std::shared_ptr<const tf::NodeDef>> parse() const;
};

// The nodes and functions of a GraphDef, found but not looked into: views of its bytes.
struct GraphView {
  std::vector<NodeView> nodes;
  std::unordered_map<std::string_view, ByteSpan> functions;  // FunctionDefs by name

  // Adds what one GraphDef holds; false where it is damaged.
  bool add(ByteSpan graph);
};
// Adds the node; false where it is damaged.
bool add_node(ByteSpan message, std::vector<NodeView>& nodes);

// Where an input comes from.
struct InputRef {
  enum class Kind { kNode, kArgument, kControl };
  Kind kind = Kind::kNode;
  size_t node = 0;  // of kNode: Body::node()
  int index = 0;    // the node's output, counted over all its output arguments; or the argument
};

// A graph, or a function's body. Views the bytes it was made of, and the graph.
class Body {
 public:
  Body(Body&&) = default;  // moved vectors keep their elements where they are
  Body(const GraphView& graph, const tf::OpList* ops);
  // A FunctionDef; kInvalidModel names the function when it cannot be read.
  static Result<Body> of_function(ByteSpan function, std::string_view name, const tf::OpList* ops);

  const std::string& name() const noexcept { return name_; }
  std::span<const NodeView> nodes() const noexcept { return nodes_; }
  const NodeView& node(size_t i) const { return nodes_[i]; }
  // "node", "node:1", "^node" in a graph; "node:output:1", "argument" in a function. kInvalidModel names what is missing.
  Result<InputRef> resolve(std::string_view input) const;
  // How many arguments a function has, and what it returns, in the order of its signature; empty for a graph.
  int argument_count() const noexcept { return argument_count_; }
  const std::vector<std::string>& returns() const noexcept { return returns_; }
  // The argument that result i passes on as it is; -1: none.
  int returned_argument(size_t i) const;

 private:
  Body(std::string_view name, std::span<const NodeView> nodes, const tf::OpList* ops);
  Result<int> output_index(const NodeView& node, std::string_view argument, int index) const;

  std::string name_;
  const tf::OpList* ops_ = nullptr;
  int argument_count_ = 0;
  std::vector<NodeView> own_nodes_;  // a function's
  std::span<const NodeView> nodes_;
  std::unordered_map<std::string_view, uint32_t> by_name_;
  std::map<std::string, int, std::less<>> arguments_;
  std::vector<std::string> returns_;
};

// The functions of a graph, made into bodies when they are first called.
class FunctionLibrary {
 public:
  // `graph` must outlive it.
  FunctionLibrary(const GraphView& graph, const tf::OpList* ops) : graph_(graph), ops_(ops) {}
  bool has(std::string_view name) const { return graph_.functions.count(name) != 0; }
  // Null: there is no such function. An error: it cannot be read.
  Result<const Body*> find(const std::string& name);

 private:
  const GraphView& graph_;
  const tf::OpList* ops_;
  std::map<std::string, std::unique_ptr<const Body>> bodies_;
};

}  // namespace fewbits::savedmodel
