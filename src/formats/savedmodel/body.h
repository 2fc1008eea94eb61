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

// Where an input comes from.
struct InputRef {
  enum class Kind { kNode, kArgument, kControl };
  Kind kind = Kind::kNode;
  const tf::NodeDef* node = nullptr;  // of kNode
  int index = 0;                      // the node's output, counted over all its output arguments; or the argument
};

// A graph, or a function's body. Views the message it was made of.
class Body {
 public:
  Body(const tf::GraphDef& graph, const tf::OpList* ops);
  Body(const tf::FunctionDef& function, const tf::OpList* ops);

  const std::string& name() const noexcept { return name_; }
  // "node", "node:1", "^node" in a graph; "node:output:1", "argument" in a function. kInvalidModel names what is missing.
  Result<InputRef> resolve(const std::string& input) const;
  // How many arguments a function has, and what it returns, in the order of its signature; empty for a graph.
  int argument_count() const noexcept { return argument_count_; }
  const std::vector<std::string>& returns() const noexcept { return returns_; }
  // The argument that result i passes on as it is; -1: none.
  int returned_argument(size_t i) const;
  const tf::FunctionDef* function() const noexcept { return function_; }

 private:
  Result<int> output_index(const tf::NodeDef& node, std::string_view argument, int index) const;

  std::string name_;
  const tf::FunctionDef* function_ = nullptr;
  const tf::OpList* ops_ = nullptr;
  int argument_count_ = 0;
  std::unordered_map<std::string_view, const tf::NodeDef*> nodes_;
  std::unordered_map<std::string_view, int> arguments_;
  std::vector<std::string> returns_;
};

// The functions of a graph, made into bodies when they are first called.
class FunctionLibrary {
 public:
  FunctionLibrary(const tf::GraphDef& graph, const tf::OpList* ops);
  // Null: there is no such function.
  const Body* find(const std::string& name);

 private:
  const tf::OpList* ops_;
  std::unordered_map<std::string, const tf::FunctionDef*> functions_;
  std::map<std::string, std::unique_ptr<const Body>> bodies_;
};

}  // namespace fewbits::savedmodel
