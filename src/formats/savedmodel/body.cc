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

Body::Body(const tf::GraphDef& graph, const tf::OpList* ops) : name_("the graph"), ops_(ops) {
  nodes_.reserve(static_cast<size_t>(graph.node_size()));
  for (const auto& node : graph.node()) nodes_.emplace(node.name(), &node);
}

Body::Body(const tf::FunctionDef& function, const tf::OpList* ops)
    : name_(function.signature().name()), function_(&function), ops_(ops) {
  for (const auto& node : function.node_def()) nodes_.emplace(node.name(), &node);
  for (const auto& argument : function.signature().input_arg()) arguments_.emplace(argument.name(), argument_count_++);
  for (const auto& result : function.signature().output_arg()) {
    for (const auto& entry : function.ret()) {
      if (entry.key() == result.name()) returns_.push_back(entry.value());
    }
  }
}

Result<int> Body::output_index(const tf::NodeDef& node, std::string_view argument, int index) const {
  const auto unknown = [&] {
    return fail(ErrorCode::kInvalidModel, "{}: node '{}' ({}) has no output '{}'", name_, node.name(), node.op(),
                argument);
  };
  if (ops_ != nullptr) {
    for (const auto& op : ops_->op()) {
      if (op.name() != node.op()) continue;
      const Attrs attrs(node.attr());
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
    if (known.op != node.op()) continue;
    for (size_t i = 0; i < known.arguments.size(); ++i) {
      if (known.arguments[i] == argument) return static_cast<int>(i) + index;
    }
    return unknown();
  }
  return index;
}

Result<InputRef> Body::resolve(const std::string& input) const {
  InputRef ref;
  if (!input.empty() && input[0] == '^') {
    ref.kind = InputRef::Kind::kControl;
    return ref;
  }
  const std::string_view text = input;
  const size_t colon = text.find(':');
  const std::string_view head = text.substr(0, colon);
  if (const auto argument = arguments_.find(head); argument != arguments_.end()) {
    ref.kind = InputRef::Kind::kArgument;
    ref.index = argument->second;
    return ref;
  }
  const auto node = nodes_.find(head);
  if (node == nodes_.end()) return fail(ErrorCode::kInvalidModel, "{}: reads '{}', which is not there", name_, input);
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
    return fail(ErrorCode::kInvalidModel, "{}: '{}' does not name an output", name_, input);
  FB_ASSIGN(ref.index, output_index(*ref.node, rest.substr(0, second), *index));
  return ref;
}

int Body::returned_argument(size_t i) const {
  if (i >= returns_.size()) return -1;
  std::string input = returns_[i];
  for (int steps = 0; steps < 8; ++steps) {
    const auto ref = resolve(input);
    if (!ref || ref->kind == InputRef::Kind::kControl) return -1;
    if (ref->kind == InputRef::Kind::kArgument) return ref->index;
    if (ref->node->op() != "Identity" || ref->node->input_size() == 0) return -1;
    input = ref->node->input(0);
  }
  return -1;
}

FunctionLibrary::FunctionLibrary(const tf::GraphDef& graph, const tf::OpList* ops) : ops_(ops) {
  for (const auto& function : graph.library().function()) functions_.emplace(function.signature().name(), &function);
}

const Body* FunctionLibrary::find(const std::string& name) {
  if (const auto found = bodies_.find(name); found != bodies_.end()) return found->second.get();
  const auto function = functions_.find(name);
  if (function == functions_.end()) return nullptr;
  return bodies_.emplace(name, std::make_unique<const Body>(*function->second, ops_)).first->second.get();
}

}  // namespace fewbits::savedmodel
