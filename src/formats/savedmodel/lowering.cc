// Evaluation of a body: depth first from what is wanted, without recursion inside a body.
#include "formats/savedmodel/lowering.h"

#include <algorithm>
#include <unordered_set>

#include "base/pages.h"
#include "ops/support.h"

namespace fewbits::savedmodel {
namespace {

constexpr size_t kMaxCallDepth = 200;
constexpr size_t kMostNodes = 250'000;
constexpr size_t kMostPages = size_t{1} << 20;  // bytes of the files that are kept in memory

Tensor failed() { return {.kind = Tensor::Kind::kFailed}; }

// Output `index` of a node; a node that failed, fails in all its outputs.
Tensor output_of(const Tensors& outputs, int index) {
  if (outputs.size() == 1 && outputs[0].kind == Tensor::Kind::kFailed) return failed();
  return static_cast<size_t>(index) < outputs.size() ? outputs[static_cast<size_t>(index)] : Tensor{};
}

// The parts of a call's name that only TensorFlow's machinery put there.
bool is_call_name(std::string_view part) {
  return part.substr(0, 23) == "StatefulPartitionedCall" || part.substr(0, 15) == "PartitionedCall";
}

std::string scope_of_call(const std::string& scope, const std::string& name) {
  std::string out = scope;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    if (!is_call_name(part)) {
      if (!out.empty()) out += '/';
      out += part;
    }
    begin = end + 1;
  }
  return out;
}

bool writes_variables(std::string_view op) {
  return op == "AssignVariableOp" || op == "AssignAddVariableOp" || op == "AssignSubVariableOp" ||
         op.starts_with("ResourceScatter");
}

}  // namespace

Rule find_rule(std::string_view op) noexcept {
  static const std::unordered_map<std::string_view, Rule> kRules = [] {
    std::unordered_map<std::string_view, Rule> all;
    for (const auto group : {control_rules(), convolution_rules(), elementwise_rules(), image_rules(), index_rules(),
                             list_rules(), loop_rules(), matrix_rules(), reduction_rules(), shape_rules()}) {
      for (const RuleEntry& entry : group) all.emplace(entry.op, entry.rule);
    }
    return all;
  }();
  const auto found = kRules.find(op);
  return found == kRules.end() ? nullptr : found->second;
}

void Conversion::looked_at(size_t bytes) {
  read_since += bytes;
  if (read_since < kMostPages) return;
  read_since = 0;
  if (source.file) forget_pages(source.file->bytes());
  if (source.bundle) source.bundle->forget_pages();
  trim_heap();
}

GraphBuilder& OpCall::b() const { return lowering.builder(); }

ValueId OpCall::in(size_t i) const {
  if (i < inputs.size() && inputs[i].kind == Tensor::Kind::kValue) return inputs[i].value;
  return b().error(ErrorCode::kUnsupported, fmt::format("input {} is no tensor that .tflite can hold", i));
}

ValueId OpCall::index(size_t i) const {
  const ValueId id = in(i);
  return b().dtype(id) == DType::kInt64 ? b().cast(id, DType::kInt32) : id;
}

Result<std::vector<int32_t>> OpCall::ints(size_t i, const char* what) const {
  const auto values = b().int_values(in(i));
  if (!values) return unsupported("its {} must be known at conversion, and are computed", what);
  std::vector<int32_t> out;
  // TensorFlow writes INT64_MAX for "to the end".
  for (int64_t v : *values) out.push_back(static_cast<int32_t>(std::clamp<int64_t>(v, INT32_MIN, INT32_MAX)));
  return out;
}

Result<int32_t> OpCall::integer(size_t i, const char* what) const {
  FB_ASSIGN(const auto values, ints(i, what));
  if (values.size() != 1) return unsupported("its {} must be one number, and is {}", what, values.size());
  return values[0];
}

Result<std::vector<int32_t>> OpCall::axes(size_t i, ValueId of, const char* what) const {
  FB_ASSIGN(auto values, ints(i, what));
  const int rank = b().rank(of);
  for (int32_t& axis : values) {
    if (axis < -rank || axis >= rank) return unsupported("axis {} of a tensor of rank {}", axis, rank);
    if (axis < 0) axis += rank;
  }
  return values;
}

Result<int32_t> OpCall::axis(size_t i, ValueId of) const {
  FB_ASSIGN(const auto values, axes(i, of, "axis"));
  if (values.size() != 1) return unsupported("its axis must be one number, and is {}", values.size());
  return values[0];
}

void Lowering::problem(const NodeView& node, const std::string& why) {
  const std::string name = scope_.empty() ? std::string(node.name) : fmt::format("{}/{}", scope_, node.name);
  conversion_.problems.insert(why.empty() ? fmt::format("'{}' ({})", name, node.op)
                                          : fmt::format("'{}' ({}): {}", name, node.op, why));
}

ValueId Lowering::constant(const ConstTensor& tensor, const std::string& name) {
  return builder_.constant(tensor.data, tensor.dtype, tensor.shape, name);
}

Result<ValueId> Lowering::read_variable(const std::string& node_name) {
  if (const auto found = variable_values_.find(node_name); found != variable_values_.end()) return found->second;
  auto& read = conversion_.variables;
  if (read.find(node_name) == read.end()) {
    const auto key = conversion_.source.variable_keys.find(node_name);
    if (key == conversion_.source.variable_keys.end() || !conversion_.source.bundle) {
      return fail(ErrorCode::kNotFound, "the variable '{}' has no values in the checkpoint", node_name);
    }
    FB_ASSIGN(ConstTensor tensor, conversion_.source.bundle->read(key->second));
    // Most weights are transposed as soon as they are read: the pages they came from are of no more use.
    conversion_.looked_at(tensor.data.bytes().size());
    read.emplace(node_name, std::move(tensor));
  }
  const ValueId id = constant(read.at(node_name), node_name);
  variable_values_.emplace(node_name, id);
  return id;
}

Result<Tensors> Lowering::call(const Body& function, std::span<const Tensor> arguments, const std::string& scope,
                               const Attrs::List* caller) {
  auto& calls = conversion_.calls;
  if (std::find(calls.begin(), calls.end(), &function) != calls.end() || calls.size() > kMaxCallDepth)
    return fail(ErrorCode::kUnsupported, "the function '{}' calls itself", function.name());
  if (arguments.size() != static_cast<size_t>(function.argument_count())) {
    return fail(ErrorCode::kInvalidModel, "the function '{}' takes {} arguments and gets {}", function.name(),
                function.argument_count(), arguments.size());
  }
  // What a function writes is run whether its result is read or not.
  for (const auto& node : function.nodes()) {
    if (writes_variables(node.op)) {
      problem(node, "writes a variable while the model runs; save a function for inference (training=False)");
    }
  }
  calls.push_back(&function);
  auto results = evaluate(function, arguments, function.returns(), scope, caller);
  calls.pop_back();
  return results;
}

Result<Tensors> Lowering::lower_call(const tf::NodeDef& node, const Attrs& attrs, std::span<const Tensor> inputs) {
  const tf::NameAttrList* function = attrs.function("f");
  const std::string name = function != nullptr ? function->name() : node.op();
  FB_ASSIGN(const Body* body, conversion_.functions.find(name));
  if (body == nullptr) return fail(ErrorCode::kInvalidModel, "calls the function '{}', which is not there", name);
  const std::string outer = scope_;
  auto results =
      call(*body, inputs, scope_of_call(outer, node.name()), function != nullptr ? &function->attr() : &node.attr());
  scope_ = outer;
  return results;
}

Result<Tensors> Lowering::lower(const NodeView& view, std::span<const Tensor> inputs, const Attrs::List* caller) {
  if (++conversion_.lowered > kMostNodes)
    return fail(ErrorCode::kUnsupported, "with its functions written out, the graph has more than {} nodes",
                kMostNodes);
  const std::string name(view.name);
  if (const auto found = placeholders_.find(name); found != placeholders_.end() && conversion_.calls.empty())
    return Tensors{found->second};
  if (view.op == "VarHandleOp") return Tensors{{.kind = Tensor::Kind::kVariable, .variable = name}};
  FB_ASSIGN(const auto node, view.parse());
  conversion_.looked_at(view.message.size());
  const Attrs attrs(node->attr(), caller);
  const bool is_call = view.op == "PartitionedCall" || view.op == "StatefulPartitionedCall" ||
                       (find_rule(view.op) == nullptr && conversion_.functions.has(view.op));
  if (is_call) return lower_call(*node, attrs, inputs);
  const Rule rule = find_rule(view.op);
  if (rule == nullptr) {
    problem(view, "");
    return Tensors{failed()};
  }
  const bool broken = std::any_of(inputs.begin(), inputs.end(),
                                  [](const Tensor& tensor) { return tensor.kind == Tensor::Kind::kFailed; });
  if (broken || !builder_.ok()) return Tensors{failed()};
  builder_.set_scope(scope_.empty() ? name : scope_ + "/" + name);
  auto outputs = rule(OpCall(*this, node, attrs, inputs));
  if (!outputs && (outputs.error().code == ErrorCode::kInvalidModel || outputs.error().code == ErrorCode::kNotFound))
    return with_context(std::move(outputs.error()), fmt::format("'{}' ({})", name, view.op));
  if (!outputs || !builder_.ok()) {
    problem(view, outputs ? builder_.status().error().message : outputs.error().message);
    return Tensors{failed()};
  }
  return outputs;
}

Result<Tensors> Lowering::evaluate(const Body& body, std::span<const Tensor> arguments,
                                   const std::vector<std::string>& wanted, const std::string& scope,
                                   const Attrs::List* caller) {
  scope_ = scope;
  std::unordered_map<size_t, Tensors> done;
  std::unordered_set<size_t> open;
  const auto tensor_of = [&](const InputRef& ref) -> Tensor {
    if (ref.kind == InputRef::Kind::kArgument) return arguments[static_cast<size_t>(ref.index)];
    return output_of(done.at(ref.node), ref.index);
  };
  const auto run = [&](size_t root) -> Status {
    std::vector<size_t> stack{root};
    while (!stack.empty()) {
      const size_t id = stack.back();
      if (done.count(id) != 0) {
        stack.pop_back();
        continue;
      }
      const NodeView& node = body.node(id);
      std::vector<InputRef> refs;
      std::vector<size_t> missing;
      for (std::string_view input : node.inputs()) {
        FB_ASSIGN(InputRef ref, body.resolve(input));
        if (ref.kind == InputRef::Kind::kControl) continue;
        if (ref.kind == InputRef::Kind::kNode && done.count(ref.node) == 0) missing.push_back(ref.node);
        refs.push_back(ref);
      }
      if (!missing.empty()) {
        if (!open.insert(id).second)
          return fail(ErrorCode::kUnsupported,
                      "'{}' ({}) depends on its own output: a loop of TensorFlow 1; "
                      "save the model with control flow v2",
                      node.name, node.op);
        // The first input first, so that operators come in the order in which they are written.
        stack.insert(stack.end(), missing.rbegin(), missing.rend());
        continue;
      }
      Tensors inputs;
      for (const InputRef& ref : refs) inputs.push_back(tensor_of(ref));
      FB_ASSIGN(Tensors outputs, lower(node, inputs, caller));
      done.emplace(id, std::move(outputs));
      stack.pop_back();
    }
    return {};
  };
  Tensors results;
  for (const std::string& name : wanted) {
    FB_ASSIGN(const InputRef ref, body.resolve(name));
    if (ref.kind == InputRef::Kind::kControl)
      return fail(ErrorCode::kInvalidModel, "{}: '{}' is no tensor", body.name(), name);
    if (ref.kind == InputRef::Kind::kNode) FB_TRY(run(ref.node));
    results.push_back(tensor_of(ref));
  }
  return results;
}

}  // namespace fewbits::savedmodel
