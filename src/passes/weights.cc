// Operators with constant weights.
#include "passes/weights.h"

#include <algorithm>
#include <cmath>

namespace fewbits::passes {
namespace {

bool float_constant(const Value& value) {
  return value.is_const && value.dtype == DType::kFloat32 && value.sparsity == nullptr && value.external_buffer == 0;
}
bool plain_float_constant(const Value& value) { return float_constant(value) && !value.quant.quantized(); }

// Integers whose scales can follow those of the outputs.
bool has_output_origin(const Value& value, int32_t out_axis) {
  if (!value.quant.quantized() || (value.quant.per_axis() && value.quant.axis != out_axis)) return false;
  for (size_t i = 0; i < value.quant.scale.size(); ++i) {
    if (value.quant.zero(i) != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<WeightedOp> weighted_op(Op op) {
  switch (op) {
    case Op::CONV_2D: return WeightedOp{};
    case Op::DEPTHWISE_CONV_2D: return WeightedOp{.out_axis = 3};
    case Op::FULLY_CONNECTED: return WeightedOp{};
    case Op::TRANSPOSE_CONV: return WeightedOp{.input = 2, .weights = 1, .bias = 3};
    case Op::CONV_3D: return WeightedOp{.out_axis = 4};
    default: return std::nullopt;
  }
}

std::optional<WeightedOp> weighted_node(const Rewriter& r, NodeId id, bool with_origin) {
  if (id < 0) return std::nullopt;
  const Node& node = r.node(id);
  const auto op = weighted_op(node.op);
  if (!op || node.inputs.size() <= op->weights) return std::nullopt;
  const Value& constant = r.value(node.inputs[op->weights]);
  if (!plain_float_constant(constant) &&
      !(with_origin && float_constant(constant) && has_output_origin(constant, op->out_axis)))
    return std::nullopt;
  if (r.value(node.inputs[op->weights]).shape.size() <= static_cast<size_t>(op->out_axis)) return std::nullopt;
  const bool has_bias = node.inputs.size() > op->bias && node.inputs[op->bias] != kNoValue;
  if (has_bias && !plain_float_constant(r.value(node.inputs[op->bias]))) return std::nullopt;
  if (r.value(node.inputs[op->input]).dtype != DType::kFloat32) return std::nullopt;
  return op;
}

tflite::ActivationFunctionType* fused_activation(tflite::BuiltinOptionsUnion& options) {
  if (auto* o = options.AsConv2DOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsDepthwiseConv2DOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsFullyConnectedOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsTransposeConvOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsConv3DOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsAddOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsSubOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsMulOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsDivOptions()) return &o->fused_activation_function;
  if (auto* o = options.AsPool2DOptions()) return &o->fused_activation_function;
  return nullptr;
}

tflite::ActivationFunctionType activation_of(const Node& node) {
  const auto* found = fused_activation(const_cast<tflite::BuiltinOptionsUnion&>(*node.options));
  return found == nullptr ? tflite::ActivationFunctionType::NONE : *found;
}

void set_activation(Node& node, tflite::ActivationFunctionType activation) {
  auto copy = std::make_shared<tflite::BuiltinOptionsUnion>(*node.options);
  if (auto* slot = fused_activation(*copy)) *slot = activation;
  node.options = std::move(copy);
}

std::optional<std::vector<float>> channel_numbers(const Rewriter& r, ValueId id, int32_t channels) {
  if (id == kNoValue || channels < 1 || !plain_float_constant(r.value(id))) return std::nullopt;
  const Value& value = r.value(id);
  const auto numbers = value.data.as<float>();
  const size_t count = element_count(value.shape);
  if (count == 1) return std::vector<float>(static_cast<size_t>(channels), numbers[0]);
  if (count != static_cast<size_t>(channels) || value.shape.back() != channels) return std::nullopt;
  return std::vector<float>(numbers.begin(), numbers.begin() + channels);
}

int32_t out_channels(const Rewriter& r, NodeId id, const WeightedOp& op) {
  return r.value(r.node(id).inputs[op.weights]).shape[static_cast<size_t>(op.out_axis)];
}

void scale_outputs(Rewriter& r, NodeId id, const WeightedOp& op, const std::vector<float>& scale) {
  const Value& weights = r.value(r.node(id).inputs[op.weights]);
  const auto old = weights.data.as<float>();
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(op.out_axis) + 1; i < weights.shape.size(); ++i) {
    inner *= static_cast<size_t>(weights.shape[i]);
  }
  std::vector<float> scaled(element_count(weights.shape));
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] = old[i] * scale[i / inner % scale.size()];
  const Shape shape = weights.shape;
  const std::string name = weights.name;
  QuantParams origin = weights.quant;
  const ValueId made = r.add_const(ConstData::own(std::move(scaled)), DType::kFloat32, shape, name);
  r.set_input(id, op.weights, made);
  // The integers stay, or change their signs, and their scales follow; no scale may be zero.
  if (origin.quantized() && std::none_of(scale.begin(), scale.end(), [](float s) { return s == 0; })) {
    origin.scale.resize(scale.size(), origin.scale[0]);
    origin.zero_point.assign(scale.size(), 0);
    origin.axis = op.out_axis;
    for (size_t i = 0; i < scale.size(); ++i) origin.scale[i] *= std::abs(scale[i]);
    r.graph().value(made).quant = std::move(origin);
  }
  if (r.node(id).inputs.size() <= op.bias || r.node(id).inputs[op.bias] == kNoValue) return;
  const Value& bias = r.value(r.node(id).inputs[op.bias]);
  const auto numbers = bias.data.as<float>();
  std::vector<float> moved(numbers.begin(), numbers.end());
  for (size_t i = 0; i < moved.size(); ++i) moved[i] *= scale[i % scale.size()];
  const Shape bias_shape = bias.shape;
  const std::string bias_name = bias.name;
  r.set_input(id, op.bias, r.add_const(ConstData::own(std::move(moved)), DType::kFloat32, bias_shape, bias_name));
}

void add_to_bias(Rewriter& r, NodeId id, const WeightedOp& op, const std::vector<float>& addend) {
  std::vector<float> sum = addend;
  std::string name = r.value(r.node(id).outputs[0]).name + "/bias";
  const bool has_bias = r.node(id).inputs.size() > op.bias && r.node(id).inputs[op.bias] != kNoValue;
  if (has_bias) {
    const Value& bias = r.value(r.node(id).inputs[op.bias]);
    const auto numbers = bias.data.as<float>();
    for (size_t i = 0; i < sum.size() && i < numbers.size(); ++i) sum[i] += numbers[i];
    name = bias.name;
  }
  const auto size = static_cast<int32_t>(sum.size());
  const ValueId made = r.add_const(ConstData::own(std::move(sum)), DType::kFloat32, {size}, name);
  if (r.node(id).inputs.size() <= op.bias) r.edit(id).inputs.resize(op.bias + 1, kNoValue);
  r.set_input(id, op.bias, made);
}

}  // namespace fewbits::passes
