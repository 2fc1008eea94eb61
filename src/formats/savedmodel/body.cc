// Names to nodes. A function's body names outputs by their argument in the operator's definition, a graph by their number.
#include "formats/savedmodel/body.h"

#include <charconv>
#include <optional>

namespace fewbits::savedmodel {
namespace {

// Operators with several output arguments, each of one tensor: for files that bring no definitions. Those with one output
// argument need none: its elements count from 0.
struct Outputs {
  std::string_view op;
  std::vector<std::string_view> arguments;
};
const std::vector<Outputs>& known_outputs() {
  static const std::vector<Outputs> kKnown = {
      {"FusedBatchNorm", {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"}},
      {"FusedBatchNormV2", {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"}},
      {"FusedBatchNormV3",
       {"y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"}},
      {"TopKV2", {"values", "indices"}},
      {"Switch", {"output_false", "output_true"}},
      {"Merge", {"output", "value_index"}},
      {"Unique", {"y", "idx"}},
      {"NonMaxSuppressionV4", {"selected_indices", "valid_outputs"}},
      {"NonMaxSuppressionV5", {"selected_indices", "selected_scores", "valid_outputs"}},
      {"TensorListPopBack", {"output_handle", "tensor"}},
      {"TensorListConcatV2", {"tensor", "lengths"}},
      {"CudnnRNN", {"output", "output_h", "output_c", "reserve_space"}},
      {"CudnnRNNV3", {"output", "output_h", "output_c", "reserve_space", "host_reserved"}},
      {"Moments", {"mean", "variance"}},
      {"MaxPoolWithArgmax", {"output", "argmax"}},
  };
  return kKnown;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// How many tensors an output argument stands for.
int64_t length_of(const tf::OpDef::ArgDef& argument, const Attrs& attrs) {
  if (!argument.number_attr().empty()) return attrs.integer(argument.number_attr(), 0);
  if (!argument.type_list_attr().empty()) {
    const tf::AttrValue* types = attrs.find(argument.type_list_attr());
    return types == nullptr ? 0 : types->list().type_size();
  }
  return 1;
}

}  // namespace

const tf::AttrValue* Attrs::find(std::string_view key) const noexcept {
  const auto in = [](const List* list, std::string_view name) -> const tf::AttrValue* {
    if (list == nullptr) return nullptr;
    for (const auto& entry : *list) {
      if (entry.key() == name) return &entry.value();
    }
    return nullptr;
  };
  const tf::AttrValue* value = in(own_, key);
  if (value != nullptr && value->value_case() == tf::AttrValue::kPlaceholder) return in(caller_, value->placeholder());
  return value;
}
std::string Attrs::text(std::string_view key, const std::string& otherwise) const {
  const tf::AttrValue* value = find(key);
  return value == nullptr ? otherwise : value->s();
}
int64_t Attrs::integer(std::string_view key, int64_t otherwise) const noexcept {
  const tf::AttrValue* value = find(key);
  return value == nullptr ? otherwise : value->i();
}
float Attrs::real(std::string_view key, float otherwise) const noexcept {
  const tf::AttrValue* value = find(key);
  return value == nullptr ? otherwise : value->f();
}
bool Attrs::flag(std::string_view key, bool otherwise) const noexcept {
  const tf::AttrValue* value = find(key);
  return value == nullptr ? otherwise : value->b();
}
tf::DataType Attrs::type(std::string_view key, tf::DataType otherwise) const noexcept {
  const tf::AttrValue* value = find(key);
  return value == nullptr ? otherwise : value->type();
}
std::vector<int64_t> Attrs::integers(std::string_view key) const {
  const tf::AttrValue* value = find(key);
  if (value == nullptr) return {};
  return {value->list().i().begin(), value->list().i().end()};
}
const tf::NameAttrList* Attrs::function(std::string_view key) const noexcept {
  const tf::AttrValue* value = find(key);
  return value == nullptr || value->value_case() != tf::AttrValue::kFunc ? nullptr : &value->func();
}

std::vector<std::string_view> NodeView::inputs() const {
  std::vector<std::string_view> out;
  for (Fields fields(message); fields.next();) {
    if (fields.number() == tf::NodeDef::kInputFieldNumber) out.push_back(text_of(fields.bytes()));
  }
  return out;
}

Result<std::shared_ptr<const tf::NodeDef>> NodeView::parse() const {
  auto node = std::make_shared<tf::NodeDef>();
  if (message.size() > INT32_MAX || !node->ParseFromArray(message.data(), static_cast<int>(message.size())))
    return fail(ErrorCode::kInvalidModel, "the node '{}' cannot be read: the file is damaged", name);
  return node;
}

bool add_node(ByteSpan message, std::vector<NodeView>& nodes) {
  NodeView node;
  node.message = message;
  Fields fields(message);
  while (fields.next()) {
    if (fields.number() == tf::NodeDef::kNameFieldNumber) node.name = text_of(fields.bytes());
    if (fields.number() == tf::NodeDef::kOpFieldNumber) node.op = text_of(fields.bytes());
  }
  nodes.push_back(node);
  return !fields.damaged();
}

bool GraphView::add(ByteSpan graph) {
  const auto add_function = [&](ByteSpan function) {
    std::string_view name;
    Fields parts(function);
    while (parts.next()) {
      if (parts.number() != tf::FunctionDef::kSignatureFieldNumber) continue;
      for (Fields signature(parts.bytes()); signature.next();) {
        if (signature.number() == tf::OpDef::kNameFieldNumber) name = text_of(signature.bytes());
      }
    }
    functions.emplace(name, function);
    return !parts.damaged();
  };
  Fields fields(graph);
  while (fields.next()) {
    if (fields.number() == tf::GraphDef::kNodeFieldNumber && !add_node(fields.bytes(), nodes)) return false;
    if (fields.number() != tf::GraphDef::kLibraryFieldNumber) continue;
    Fields library(fields.bytes());
    while (library.next()) {
      if (library.number() == tf::FunctionDefLibrary::kFunctionFieldNumber && !add_function(library.bytes()))
        return false;
    }
    if (library.damaged()) return false;
  }
  return !fields.damaged();
}

Body::Body(std::string_view name, std::span<const NodeView> nodes, const tf::OpList* ops)
    : name_(name), ops_(ops), nodes_(nodes) {
  by_name_.reserve(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) by_name_.emplace(nodes_[i].name, static_cast<uint32_t>(i));
}

Body::Body(const GraphView& graph, const tf::OpList* ops) : Body("the graph", graph.nodes, ops) {}

Result<Body> Body::of_function(ByteSpan function, std::string_view name, const tf::OpList* ops) {
  tf::OpDef signature;
  std::vector<tf::RetEntry> returned;
  std::vector<NodeView> nodes;
  bool whole = true;
  const auto parse = [&](auto& message, ByteSpan bytes) {
    whole = whole && bytes.size() <= INT32_MAX && message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  };
  Fields fields(function);
  while (fields.next()) {
    switch (fields.number()) {
      case tf::FunctionDef::kSignatureFieldNumber: parse(signature, fields.bytes()); break;
      case tf::FunctionDef::kNodeDefFieldNumber: whole = add_node(fields.bytes(), nodes) && whole; break;
      case tf::FunctionDef::kRetFieldNumber: parse(returned.emplace_back(), fields.bytes()); break;
      default: break;
    }
  }
  if (!whole || fields.damaged())
    return fail(ErrorCode::kInvalidModel, "the function '{}' cannot be read: the file is damaged", name);
  nodes.shrink_to_fit();
  Body body(name, nodes, ops);
  body.own_nodes_ = std::move(nodes);
  for (const auto& argument : signature.input_arg()) body.arguments_.emplace(argument.name(), body.argument_count_++);
  for (const auto& result : signature.output_arg()) {
    for (const auto& entry : returned) {
      if (entry.key() == result.name()) body.returns_.push_back(entry.value());
    }
  }
  return body;
}

Result<int> Body::output_index(const NodeView& node, std::string_view argument, int index) const {
  const auto unknown = [&] {
    return fail(ErrorCode::kInvalidModel, "{}: node '{}' ({}) has no output '{}'", name_, node.name, node.op, argument);
  };
  if (ops_ != nullptr) {
    for (const auto& op : ops_->op()) {
      if (op.name() != node.op) continue;
      // How many tensors the outputs before are is in the node's attributes; the first needs none.
      if (op.output_arg_size() > 0 && op.output_arg(0).name() == argument) return index;
      FB_ASSIGN(const auto message, node.parse());
      const Attrs attrs(message->attr());
      int64_t before = 0;
      for (const auto& output : op.output_arg()) {
        if (output.name() == argument) {
          if (before + index > INT32_MAX) return unknown();
          return static_cast<int>(before) + index;
        }
        before += length_of(output, attrs);
        if (before < 0 || before > INT32_MAX) return unknown();
      }
      return unknown();
    }
  }
  for (const Outputs& known : known_outputs()) {
    if (known.op != node.op) continue;
    for (size_t i = 0; i < known.arguments.size(); ++i) {
      if (known.arguments[i] == argument) return static_cast<int>(i) + index;
    }
    return unknown();
  }
  return index;
}

Result<InputRef> Body::resolve(std::string_view text) const {
  InputRef ref;
  if (!text.empty() && text[0] == '^') {
    ref.kind = InputRef::Kind::kControl;
    return ref;
  }
  const size_t colon = text.find(':');
  const std::string_view head = text.substr(0, colon);
  if (const auto argument = arguments_.find(head); argument != arguments_.end()) {
    ref.kind = InputRef::Kind::kArgument;
    ref.index = argument->second;
    return ref;
  }
  const auto node = by_name_.find(head);
  if (node == by_name_.end()) return fail(ErrorCode::kInvalidModel, "{}: reads '{}', which is not there", name_, text);
  ref.node = node->second;
  if (colon == std::string_view::npos) return ref;
  const std::string_view rest = text.substr(colon + 1);
  const size_t second = rest.rfind(':');
  const auto index = number(second == std::string_view::npos ? rest : rest.substr(second + 1));
  if (second == std::string_view::npos && index) {
    ref.index = *index;
    return ref;
  }
  if (second == std::string_view::npos || !index)
    return fail(ErrorCode::kInvalidModel, "{}: '{}' does not name an output", name_, text);
  FB_ASSIGN(ref.index, output_index(nodes_[ref.node], rest.substr(0, second), *index));
  return ref;
}

int Body::returned_argument(size_t i) const {
  if (i >= returns_.size()) return -1;
  std::string_view input = returns_[i];
  for (int steps = 0; steps < 8; ++steps) {
    const auto ref = resolve(input);
    if (!ref || ref->kind == InputRef::Kind::kControl) return -1;
    if (ref->kind == InputRef::Kind::kArgument) return ref->index;
    const auto inputs = nodes_[ref->node].inputs();
    if (nodes_[ref->node].op != "Identity" || inputs.empty()) return -1;
    input = inputs[0];
  }
  return -1;
}

Result<const Body*> FunctionLibrary::find(const std::string& name) {
  if (const auto found = bodies_.find(name); found != bodies_.end()) return found->second.get();
  const auto function = graph_.functions.find(name);
  if (function == graph_.functions.end()) return nullptr;
  FB_ASSIGN(Body body, Body::of_function(function->second, name, ops_));
  return bodies_.emplace(name, std::make_unique<const Body>(std::move(body))).first->second.get();
}

}  // namespace fewbits::savedmodel
