// WHILE of functions, with TensorLists as loop variables.
#include <algorithm>

#include "formats/options.h"
#include "formats/savedmodel/subgraph.h"

namespace fewbits::savedmodel {
namespace {

constexpr int kMaxAttempts = 3;  // at finding sizes that stay the same from turn to turn

// What the loop carries from turn to turn.
struct Carried {
  size_t argument = 0;              // of the functions
  std::optional<Shape> open_shape;  // -1 where turns differ; none: it stays as it is before the loop
};

// One function of the loop as a subgraph.
Result<Subgraph> lower_function(const OpCall& op, const Body& body, std::span<const Tensor> arguments,
                                const std::vector<Carried>& carried, Tensors& results) {
  Subgraph sub = new_subgraph(op, body.name());
  std::vector<const Carried*> of_argument(arguments.size(), nullptr);
  for (const Carried& one_carried : carried) of_argument[one_carried.argument] = &one_carried;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Carried* turns = of_argument[i];
    const Shape* open_shape = turns != nullptr && turns->open_shape ? &*turns->open_shape : nullptr;
    sub.arguments.push_back(argument_in(op, sub, arguments[i], i, turns == nullptr, open_shape));
  }
  FB_ASSIGN(results, sub.lowering->call(body, sub.arguments, "", nullptr));
  return sub;
}

bool failed(const Tensors& tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const Tensor& tensor) { return tensor.kind == Tensor::Kind::kFailed; });
}

// The shape of `before` with -1 where `after` is another size.
Shape opened(const GraphBuilder& b, ValueId before, ValueId after) {
  const Shape both = merged(b.shape(before), b.shape(after));
  // Sizes that neither knows, and that still differ: nothing is known of any of them.
  return both == b.shape(before) ? Shape(both.size(), -1) : both;
}

// A size of a list's elements that is not known at conversion, taken from a loop variable of the same sizes: Keras keeps the
// outputs of a step beside its state.
ValueId size_like(const OpCall& op, std::span<const Tensor> arguments, const Shape& element, size_t axis) {
  GraphBuilder& b = op.b();
  for (const Tensor& tensor : arguments) {
    if (tensor.kind == Tensor::Kind::kValue && b.shape(tensor.value) == element)
      return b.size_of(tensor.value, static_cast<int>(axis));
  }
  for (const Tensor& tensor : arguments) {
    if (tensor.kind == Tensor::Kind::kList && tensor.value != kNoValue &&
        b.rank(tensor.value) == static_cast<int>(element.size()) + 1)
      return b.size_of(tensor.value, static_cast<int>(axis) + 1);
  }
  return b.error(ErrorCode::kUnsupported,
                 "a TensorList whose elements have a size that is not known; give the input's shape");
}

// Lists that nobody has written to get their elements' shape from the body: it is lowered once for that, and forgotten.
Status shape_lists(const OpCall& op, const Body& body, Tensors& arguments) {
  const auto is_open = [](const Tensor& tensor) {
    return tensor.kind == Tensor::Kind::kList && tensor.value == kNoValue;
  };
  if (std::none_of(arguments.begin(), arguments.end(), is_open)) return {};
  GraphBuilder& b = op.b();
  Conversion& conversion = op.lowering.conversion();
  const size_t graphs = conversion.model.graphs.size();
  const auto problems = conversion.problems;
  std::vector<Carried> carried;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].value != kNoValue) carried.push_back({i, std::nullopt});
  }
  Tensors results;
  FB_ASSIGN(const Subgraph sub, lower_function(op, body, arguments, carried, results));
  std::vector<std::pair<Shape, DType>> elements(arguments.size());
  for (size_t i = 0; i < arguments.size() && i < results.size(); ++i) {
    if (!is_open(arguments[i])) continue;
    const ValueId element = results[i].list_element;
    if (element == kNoValue) return op.unsupported("a TensorList that its body never writes to");
    elements[i] = {sub.lowering->builder().shape(element), sub.lowering->builder().dtype(element)};
  }
  conversion.model.graphs.resize(graphs);
  conversion.problems = problems;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!is_open(arguments[i])) continue;
    std::vector<ValueId> sizes{arguments[i].list_count};
    for (size_t axis = 0; axis < elements[i].first.size(); ++axis) {
      const int32_t size = elements[i].first[axis];
      sizes.push_back(size >= 0 ? b.int_scalar(size) : size_like(op, arguments, elements[i].first, axis));
    }
    arguments[i].value =
        b.node(Op::FILL, {b.pack(sizes, 0), b.scalar(0, elements[i].second)}, formats::options(tflite::FillOptionsT()));
  }
  return {};
}

Result<Tensors> lower_loop(const OpCall& op, const Body& condition, const Body& body) {
  GraphBuilder& b = op.b();
  Conversion& conversion = op.lowering.conversion();
  Tensors arguments(op.inputs.begin(), op.inputs.end());
  FB_TRY(shape_lists(op, body, arguments));
  if (!b.ok()) return Tensors{};
  std::vector<Carried> carried;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool stays = body.returned_argument(i) == static_cast<int>(i);
    if (arguments[i].value == kNoValue && !stays) return op.unsupported("it changes a loop variable that is no tensor");
    if (arguments[i].value == kNoValue || (stays && b.is_const(arguments[i].value))) continue;
    carried.push_back({i, std::nullopt});
  }
  const size_t graphs = conversion.model.graphs.size();
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    conversion.model.graphs.resize(graphs);
    Tensors truth, results;
    FB_ASSIGN(Subgraph test, lower_function(op, condition, arguments, carried, truth));
    FB_ASSIGN(Subgraph turn, lower_function(op, body, arguments, carried, results));
    if (failed(truth) || failed(results)) return Tensors{{.kind = Tensor::Kind::kFailed}};
    GraphBuilder& inner = turn.lowering->builder();
    bool settled = true;
    for (Carried& one_carried : carried) {
      const ValueId result = results[one_carried.argument].value;
      const ValueId before = turn.arguments[one_carried.argument].value;
      if (result == kNoValue || inner.rank(result) != inner.rank(before))
        return op.unsupported("loop variable {} changes its rank", one_carried.argument);
      if (inner.same_shape(result, inner, before) || inner.shape(before) == Shape(inner.shape(before).size(), -1))
        continue;
      one_carried.open_shape = opened(inner, before, result);
      settled = false;
    }
    if (!settled) continue;
    Node node;
    node.op = Op::WHILE;
    std::vector<DType> types;
    for (const Carried& one_carried : carried) {
      node.inputs.push_back(arguments[one_carried.argument].value);
      types.push_back(b.dtype(arguments[one_carried.argument].value));
      inner.output(results[one_carried.argument].value, fmt::format("result{}", one_carried.argument));
    }
    if (truth.size() != 1 || truth[0].value == kNoValue) return op.unsupported("its condition is no tensor");
    test.lowering->builder().output(truth[0].value, "condition");
    FB_TRY(test.lowering->builder().finish());
    FB_TRY(inner.finish());
    tflite::WhileOptionsT table;
    table.cond_subgraph_index = test.index;
    table.body_subgraph_index = turn.index;
    node.options = formats::options(std::move(table));
    const std::vector<ValueId> outputs = b.typed_nodes(std::move(node), types);
    Tensors out = arguments;
    for (size_t i = 0; i < carried.size(); ++i) {
      if (carried[i].open_shape) {
        b.set_shape(outputs[i], *carried[i].open_shape);
      } else {
        b.set_shape_like(outputs[i], b, arguments[carried[i].argument].value);
      }
      out[carried[i].argument].value = outputs[i];
    }
    return out;
  }
  return op.unsupported("a loop whose variables change their sizes from turn to turn");
}

Result<Tensors> while_op(const OpCall& op) {
  FB_ASSIGN(const Body* condition, function_of(op, "cond"));
  FB_ASSIGN(const Body* body, function_of(op, "body"));
  if (body->returns().size() != op.count() || condition->returns().size() != 1)
    return fail(ErrorCode::kInvalidModel, "its functions return {} and {} tensors for {} loop variables",
                condition->returns().size(), body->returns().size(), op.count());
  return lower_loop(op, *condition, *body);
}

constexpr RuleEntry kRules[] = {
    {"StatelessWhile", while_op},
    {"While", while_op},
};

}  // namespace

std::span<const RuleEntry> loop_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
