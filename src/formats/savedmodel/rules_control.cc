// Variables and branches: IF of functions, and what a constant condition decides.
#include <algorithm>

#include "formats/options.h"
#include "formats/savedmodel/subgraph.h"

namespace fewbits::savedmodel {
namespace {

Result<Tensors> read_variable(const OpCall& op) {
  if (op.inputs.empty() || op.inputs[0].kind != Tensor::Kind::kVariable) return op.unsupported("it reads no variable");
  FB_ASSIGN(const ValueId id, op.lowering.read_variable(op.inputs[0].variable));
  return one(id);
}
// TensorFlow 1: the variable is its own value.
Result<Tensors> ref_variable(const OpCall& op) {
  FB_ASSIGN(const ValueId id, op.lowering.read_variable(op.node.name()));
  return one(id);
}

Result<Tensors> inline_branch(const OpCall& op, const Body& body, std::span<const Tensor> arguments) {
  return op.lowering.call(body, arguments, op.lowering.scope(), nullptr);
}

Result<Tensors> lower_branches(const OpCall& op, const Body& then_body, const Body& else_body) {
  GraphBuilder& b = op.b();
  const auto arguments = op.inputs.subspan(1);
  Node node;
  node.op = Op::IF;
  // TensorFlow takes any number for a condition.
  const ValueId condition = op.in(0);
  node.inputs.push_back(
      b.dtype(condition) == DType::kBool ? condition : b.binary(Op::NOT_EQUAL, condition, b.scalar_like(0, condition)));
  for (const Tensor& tensor : arguments) {
    if (is_passed(op, tensor)) node.inputs.push_back(tensor.value);
  }
  std::vector<DType> types;
  std::vector<Shape> shapes;
  tflite::IfOptionsT table;
  for (const Body* body : {&then_body, &else_body}) {
    Subgraph sub = new_subgraph(op, body->name());
    for (size_t i = 0; i < arguments.size(); ++i) sub.arguments.push_back(argument_in(op, sub, arguments[i], i, true));
    FB_ASSIGN(const Tensors results, sub.lowering->call(*body, sub.arguments, "", nullptr));
    GraphBuilder& inner = sub.lowering->builder();
    if (body == &else_body && results.size() != types.size())
      return op.unsupported("its branches give {} and {} results", types.size(), results.size());
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].kind == Tensor::Kind::kFailed) return Tensors{results[i]};
      if (results[i].kind != Tensor::Kind::kValue) return op.unsupported("a branch gives what is no tensor");
      const Shape shape = inner.shape(results[i].value);
      if (body == &then_body) {
        types.push_back(inner.dtype(results[i].value));
        shapes.push_back(shape);
      } else {
        if (shapes[i].size() != shape.size() || types[i] != inner.dtype(results[i].value))
          return op.unsupported("its branches give different ranks or types");
        shapes[i] = merged(shapes[i], shape);
      }
      inner.output(results[i].value, fmt::format("result{}", i));
    }
    FB_TRY(inner.finish());
    (body == &then_body ? table.then_subgraph_index : table.else_subgraph_index) = sub.index;
  }
  node.options = formats::options(std::move(table));
  const std::vector<ValueId> outputs = b.typed_nodes(std::move(node), types);
  for (size_t i = 0; i < outputs.size(); ++i) b.set_shape(outputs[i], shapes[i]);
  return many(outputs);
}

Result<Tensors> if_op(const OpCall& op) {
  if (op.inputs.empty()) return op.unsupported("it has no condition");
  FB_ASSIGN(const Body* then_body, function_of(op, "then_branch"));
  FB_ASSIGN(const Body* else_body, function_of(op, "else_branch"));
  GraphBuilder& b = op.b();
  if (const auto known = b.number_values(op.in(0)); known && known->size() == 1)
    return inline_branch(op, (*known)[0] != 0 ? *then_body : *else_body, op.inputs.subspan(1));
  return lower_branches(op, *then_body, *else_body);
}

// ---- Switch and Merge of TensorFlow 1, where the condition is known ----

Result<Tensors> switch_op(const OpCall& op) {
  const auto known = op.b().int_values(op.in(1));
  if (!known || known->size() != 1)
    return op.unsupported("a branch of TensorFlow 1 whose condition is computed; save it with control flow v2");
  Tensors out(2);
  out[(*known)[0] != 0 ? 1 : 0] = op.inputs[0];
  return out;
}
Result<Tensors> merge(const OpCall& op) {
  for (size_t i = 0; i < op.count(); ++i) {
    if (op.inputs[i].kind != Tensor::Kind::kNone)
      return Tensors{op.inputs[i], value_tensor(op.b().int_scalar(static_cast<int32_t>(i)))};
  }
  return op.unsupported("no branch reaches it");
}

constexpr RuleEntry kRules[] = {
    {"If", if_op},         {"Merge", merge},           {"ReadVariableOp", read_variable},
    {"RefMerge", merge},   {"RefSwitch", switch_op},   {"StatelessIf", if_op},
    {"Switch", switch_op}, {"Variable", ref_variable}, {"VariableV2", ref_variable},
};

}  // namespace

std::span<const RuleEntry> control_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
