// Functions of tensors inside a functional model: Keras 3 saves them as operations, Keras 2 as TFOpLambda layers.
#include <unordered_map>

#include "formats/keras/layer.h"

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
      if (const auto y = call.keywords.find(key); y != call.keywords.end() && call.arguments.size() == 1)
        call.arguments.push_back(y->second);
    }
    return {call.b.binary(found->second, call.in(0), call.in(1))};
  }
  if (const auto found = kUnary.find(function); found != kUnary.end()) return {call.b.unary(found->second, call.in(0))};
  return {call.unsupported(fmt::format("the function '{}' is not known", function))};
}

constexpr LayerEntry kLayers[] = {
    {"Absolute", unary<Op::ABS>},      {"Divide", binary<Op::DIV>},
    {"Exp", unary<Op::EXP>},           {"Gelu", gelu},
    {"HardSigmoid", named_activation}, {"HardSilu", named_activation},
    {"Log", unary<Op::LOG>},           {"Negative", unary<Op::NEG>},
    {"Power", binary<Op::POW>},        {"Relu", unary<Op::RELU>},
    {"Relu6", unary<Op::RELU6>},       {"Rsqrt", unary<Op::RSQRT>},
    {"Sigmoid", unary<Op::LOGISTIC>},  {"Silu", named_activation},
    {"Sqrt", unary<Op::SQRT>},         {"Square", unary<Op::SQUARE>},
    {"TFOpLambda", op_lambda},         {"Tanh", unary<Op::TANH>},
    {"TrueDivide", binary<Op::DIV>},
};

}  // namespace

std::span<const LayerEntry> operation_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
