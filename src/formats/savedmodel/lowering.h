// Turns TensorFlow nodes into .tflite operators: evaluates what the outputs need, function calls in place, each operator by
// its rule (rules_*.cc). What nothing asks for (training, asserts, control dependencies) is never looked at.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/builder.h"
#include "formats/savedmodel/body.h"
#include "formats/savedmodel/saved_model.h"

namespace fewbits::savedmodel {

using formats::GraphBuilder;

// What an output of a TensorFlow node is while it is lowered.
struct Tensor {
  enum class Kind : uint8_t {
    kNone,      // nothing that .tflite can hold (a control output, an unused statistic): an error when it is read
    kValue,     // a value of the graph under construction
    kVariable,  // a variable; `variable` is its node's name
    kList,      // a TensorList as one tensor of its elements, [count, ...]; kNoValue until the first element is known
    kFailed,    // made by a node that could not be lowered
  };
  Kind kind = Kind::kNone;
  ValueId value = kNoValue;
  std::string variable;
  ValueId list_count = kNoValue;    // kList without elements: how many it will have, an int32 scalar
  ValueId list_element = kNoValue;  // kList without elements: what was written to it
};
using Tensors = std::vector<Tensor>;

inline Tensor value_tensor(ValueId id) { return {.kind = Tensor::Kind::kValue, .value = id}; }

class Lowering;

// One node with its inputs lowered: what a rule works with. Rules return the node's outputs; builder errors need no checks,
// they are looked at after each rule.
class OpCall {
 public:
  OpCall(Lowering& of, std::shared_ptr<const tf::NodeDef> definition, const Attrs& attributes,
         std::span<const Tensor> operands)
      : owner(std::move(definition)), node(*owner), attrs(attributes), inputs(operands), lowering(of) {}

  std::shared_ptr<const tf::NodeDef> owner;  // of `node`, for constants that stay in it
  const tf::NodeDef& node;
  const Attrs& attrs;
  std::span<const Tensor> inputs;  // without control inputs
  Lowering& lowering;

  GraphBuilder& b() const;
  size_t count() const noexcept { return inputs.size(); }
  // Input i as a value; a builder error (sticky) when there is none.
  ValueId in(size_t i) const;
  // Input i as an int32 value: indices and sizes come as int64 too.
  ValueId index(size_t i) const;
  // The numbers of an integer input that must be known at conversion; kUnsupported says which input is not.
  Result<std::vector<int32_t>> ints(size_t i, const char* what) const;
  Result<int32_t> integer(size_t i, const char* what) const;
  // Axis input i, 0 <= axis < rank of `of`.
  Result<std::vector<int32_t>> axes(size_t i, ValueId of, const char* what) const;
  Result<int32_t> axis(size_t i, ValueId of) const;  // exactly one
  // An error that begins with nothing: the caller names the node.
  template <class... Args>
  tl::unexpected<Error> unsupported(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorCode::kUnsupported, format, std::forward<Args>(args)...);
  }
};

using Rule = Result<Tensors> (*)(const OpCall& op);
struct RuleEntry {
  std::string_view op;
  Rule rule;
};
// The rules of each group, in a file of the same name.
std::span<const RuleEntry> control_rules() noexcept;
std::span<const RuleEntry> convolution_rules() noexcept;
std::span<const RuleEntry> elementwise_rules() noexcept;
std::span<const RuleEntry> image_rules() noexcept;
std::span<const RuleEntry> index_rules() noexcept;
std::span<const RuleEntry> list_rules() noexcept;
std::span<const RuleEntry> loop_rules() noexcept;
std::span<const RuleEntry> matrix_rules() noexcept;
std::span<const RuleEntry> reduction_rules() noexcept;
std::span<const RuleEntry> shape_rules() noexcept;
// Null: no rule. Of all groups.
Rule find_rule(std::string_view op) noexcept;

inline Result<Tensors> one(ValueId id) { return Tensors{value_tensor(id)}; }
inline Result<Tensors> many(const std::vector<ValueId>& ids) {
  Tensors out;
  for (ValueId id : ids) out.push_back(value_tensor(id));
  return out;
}

// What the lowerings of a conversion (one a subgraph) share.
struct Conversion {
  Conversion(const SourceGraph& source_graph, Model& target)
      : source(source_graph), functions(source_graph.graph, source_graph.ops), model(target) {}

  // Says that so many bytes of the files were looked at: from time to time the memory of their pages is given back.
  void looked_at(size_t bytes);

  const SourceGraph& source;
  FunctionLibrary functions;
  Model& model;
  std::set<std::string> problems;                // "'node' (Op): why": all that stands in the way
  std::vector<const Body*> calls;                // functions being evaluated, to find cycles
  std::map<std::string, ConstTensor> variables;  // those read so far
  size_t read_since = 0;                         // bytes of the files whose pages are in memory
  size_t lowered = 0;  // nodes so far: calls of calls can ask for more than anything could hold
};

class Lowering {
 public:
  // Writes to subgraph `graph` of the model.
  Lowering(Conversion& conversion, int32_t graph) : conversion_(conversion), builder_(conversion.model, graph) {}

  GraphBuilder& builder() noexcept { return builder_; }
  Conversion& conversion() noexcept { return conversion_; }

  // The tensors that `wanted` names in `body`, whose arguments are `arguments`; `scope` goes before the names of nodes.
  // `placeholders`: the values that stand for a graph's placeholders, by node name.
  Result<Tensors> evaluate(const Body& body, std::span<const Tensor> arguments, const std::vector<std::string>& wanted,
                           const std::string& scope, const Attrs::List* caller = nullptr);
  // A function's results.
  Result<Tensors> call(const Body& function, std::span<const Tensor> arguments, const std::string& scope,
                       const Attrs::List* caller);
  void set_placeholder(const std::string& node, ValueId id) { placeholders_[node] = value_tensor(id); }

  // The value of a variable, frozen.
  Result<ValueId> read_variable(const std::string& node_name);
  ValueId constant(const ConstTensor& tensor, const std::string& name);
  // The scope of the node being lowered, and a longer name inside it.
  const std::string& scope() const noexcept { return scope_; }

 private:
  Result<Tensors> lower(const NodeView& view, std::span<const Tensor> inputs, const Attrs::List* caller);
  Result<Tensors> lower_call(const tf::NodeDef& node, const Attrs& attrs, std::span<const Tensor> inputs);
  void problem(const NodeView& node, const std::string& why);

  Conversion& conversion_;
  GraphBuilder builder_;
  std::unordered_map<std::string, Tensor> placeholders_;
  std::map<std::string, ValueId> variable_values_;
  std::string scope_;
};

}  // namespace fewbits::savedmodel
