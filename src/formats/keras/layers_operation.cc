// Functions of tensors inside a functional model: Keras 3 saves them as operations, Keras 2 as TFOpLambda layers.
#include <algorithm>
#include <unordered_map>

#include "formats/keras/layer.h"
#include "formats/options.h"

namespace fewbits::keras {
namespace {

template <Op kOp>
Outputs binary(LayerCall& call) {
  return {call.b.binary(kOp, call.in(0), call.in(1))};
}
template <Op kOp>
Outputs unary(LayerCall& call) {
  return {call.b.unary(kOp, call.in(0))};
}
Outputs named_activation(LayerCall& call) {
  return {apply_activation(call.b, call.context, call.in(0), Json(snake_case(call.class_name)))};
}

// The axes of a function: a number, a list, or null for all.
std::vector<int32_t> axes_of(const LayerCall& call, int rank) {
  std::vector<int32_t> axes;
  const auto found = call.config.find("axis");
  if (found == call.config.end() || found->is_null()) {
    for (int i = 0; i < rank; ++i) axes.push_back(i);
    return axes;
  }
  axes = found->is_array() ? call.integers("axis", 0, 0) : std::vector<int32_t>{call.integer("axis", 0)};
  for (int32_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis >= 0 && axis < rank) continue;
    call.unsupported(fmt::format("axis {} of a tensor of rank {}", axis, rank));
    axis = 0;
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

template <Op kOp>
Outputs reduce(LayerCall& call) {
  const ValueId x = call.in();
  const auto axes = axes_of(call, call.b.rank(x));
  return {axes.empty() ? x : call.b.reduce(kOp, x, axes, call.flag("keepdims", false))};
}
Outputs expand_dims(LayerCall& call) {
  const ValueId x = call.in();
  return {call.b.expand_dims(x, axes_of(call, call.b.rank(x) + 1))};
}
Outputs squeeze(LayerCall& call) {
  const ValueId x = call.in();
  if (!call.config.contains("axis") || call.config["axis"].is_null())
    return {call.unsupported("no axis: what it drops would follow from the sizes")};
  return {call.b.squeeze(x, axes_of(call, call.b.rank(x)))};
}

// A tensor like the input of one number, of the type that the configuration names.
template <int kNumber>
Outputs filled_like(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const std::string name = call.text("dtype");
  const auto type = name.empty() ? std::optional(b.dtype(x)) : dtype_from_name(name);
  if (!type) return {call.unsupported("the type " + name)};
  return {b.node(Op::FILL, {b.shape_of(x), b.scalar(kNumber, *type)}, formats::options(tflite::FillOptionsT()))};
}
Outputs cast(LayerCall& call) {
  const auto type = dtype_from_name(call.text("dtype"));
  if (!type) return {call.unsupported("the type " + call.text("dtype"))};
  return {call.b.cast(call.in(), *type)};
}
Outputs where(LayerCall& call) { return {call.b.select(call.in(0), call.in(1), call.in(2))}; }
Outputs matmul(LayerCall& call) {
  if (call.b.rank(call.in(0)) < 2 || call.b.rank(call.in(1)) < 2) return {call.unsupported("a product of vectors")};
  return {call.b.matmul(call.in(0), call.in(1))};
}

Outputs gelu(LayerCall& call) { return {call.b.gelu(call.in(0), call.flag("approximate", true))}; }

// TFOpLambda: "math.multiply" and its like, by the function's name.
Outputs op_lambda(LayerCall& call) {
  static const std::unordered_map<std::string, Op> kBinary = {
      {"__operators__.add", Op::ADD}, {"math.add", Op::ADD},         {"math.subtract", Op::SUB},
      {"math.multiply", Op::MUL},     {"math.truediv", Op::DIV},     {"math.divide", Op::DIV},
      {"math.maximum", Op::MAXIMUM},  {"math.minimum", Op::MINIMUM}, {"math.pow", Op::POW},
  };
  static const std::unordered_map<std::string, Op> kUnary = {
      {"nn.relu", Op::RELU}, {"nn.relu6", Op::RELU6},    {"math.sigmoid", Op::LOGISTIC}, {"math.tanh", Op::TANH},
      {"math.exp", Op::EXP}, {"math.sqrt", Op::SQRT},    {"math.rsqrt", Op::RSQRT},      {"math.square", Op::SQUARE},
      {"math.abs", Op::ABS}, {"math.negative", Op::NEG}, {"math.log", Op::LOG},
  };
  const std::string function = call.text("function");
  if (const auto found = kBinary.find(function); found != kBinary.end()) {
    for (const char* key : {"y", "b"}) {
      if (const Argument* y = call.keyword(key); y != nullptr && call.arguments.size() == 1)
        call.arguments.push_back(*y);
    }
    return {call.b.binary(found->second, call.in(0), call.in(1))};
  }
  if (const auto found = kUnary.find(function); found != kUnary.end()) return {call.b.unary(found->second, call.in(0))};
  return {call.unsupported(fmt::format("the function '{}' is not known", function))};
}

constexpr LayerEntry kLayers[] = {
    {"Absolute", unary<Op::ABS>},
    {"All", reduce<Op::REDUCE_ALL>},
    {"Any", reduce<Op::REDUCE_ANY>},
    {"Cast", cast},
    {"Cos", unary<Op::COS>},
    {"Divide", binary<Op::DIV>},
    {"Equal", binary<Op::EQUAL>},
    {"Exp", unary<Op::EXP>},
    {"ExpandDims", expand_dims},
    {"Floor", unary<Op::FLOOR>},
    {"Gelu", gelu},
    {"Greater", binary<Op::GREATER>},
    {"GreaterEqual", binary<Op::GREATER_EQUAL>},
    {"HardSigmoid", named_activation},
    {"HardSilu", named_activation},
    {"Less", binary<Op::LESS>},
    {"LessEqual", binary<Op::LESS_EQUAL>},
    {"Log", unary<Op::LOG>},
    {"LogicalAnd", binary<Op::LOGICAL_AND>},
    {"LogicalNot", unary<Op::LOGICAL_NOT>},
    {"LogicalOr", binary<Op::LOGICAL_OR>},
    {"Matmul", matmul},
    {"Max", reduce<Op::REDUCE_MAX>},
    {"Mean", reduce<Op::MEAN>},
    {"Min", reduce<Op::REDUCE_MIN>},
    {"Negative", unary<Op::NEG>},
    {"NotEqual", binary<Op::NOT_EQUAL>},
    {"OnesLike", filled_like<1>},
    {"Power", binary<Op::POW>},
    {"Prod", reduce<Op::REDUCE_PROD>},
    {"Relu", unary<Op::RELU>},
    {"Relu6", unary<Op::RELU6>},
    {"Rsqrt", unary<Op::RSQRT>},
    {"Sigmoid", unary<Op::LOGISTIC>},
    {"Silu", named_activation},
    {"Sin", unary<Op::SIN>},
    {"Sqrt", unary<Op::SQRT>},
    {"Square", unary<Op::SQUARE>},
    {"Squeeze", squeeze},
    {"Sum", reduce<Op::SUM>},
    {"TFOpLambda", op_lambda},
    {"Tanh", unary<Op::TANH>},
    {"TrueDivide", binary<Op::DIV>},
    {"Where", where},
    {"ZerosLike", filled_like<0>},
};

}  // namespace

std::span<const LayerEntry> operation_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
