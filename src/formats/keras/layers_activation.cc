// Activations, as layers and by name.
#include <limits>

#include "formats/formulas.h"
#include "formats/keras/layer.h"

namespace fewbits::keras {
namespace {

// 0 below -limit, 1 above it, and a line between: relu6(x + 3) / 6 since Keras 3, 0.2 x + 0.5 before.
ValueId hard_sigmoid(GraphBuilder& b, const ModelContext& context, ValueId x) {
  if (context.keras_major >= 3) {
    return b.mul(b.clamp(b.add(x, b.scalar_like(3, x)), 0, 6), b.scalar_like(1.0 / 6, x));
  }
  return b.clamp(b.add(b.mul(x, b.scalar_like(0.2, x)), b.scalar_like(0.5, x)), 0, 1);
}

ValueId softmax_along(GraphBuilder& b, ValueId x, int axis) {
  const int rank = b.rank(x);
  if (axis < 0) axis += rank;
  if (axis == rank - 1) return b.softmax(x);
  if (axis < 0 || axis >= rank) return b.error(ErrorCode::kUnsupported, "a softmax along an axis that is not there");
  std::vector<int32_t> perm;
  for (int i = 0; i < rank; ++i) perm.push_back(i);
  std::swap(perm[static_cast<size_t>(axis)], perm.back());  // its own inverse
  return b.transpose(b.softmax(b.transpose(x, perm)), perm);
}

ValueId by_name(GraphBuilder& b, const ModelContext& context, ValueId x, const std::string& name) {
  if (name == "linear" || name == "identity") return x;
  if (name == "relu") return b.unary(Op::RELU, x);
  if (name == "relu6") return b.unary(Op::RELU6, x);
  if (name == "sigmoid") return b.unary(Op::LOGISTIC, x);
  if (name == "tanh") return b.unary(Op::TANH, x);
  if (name == "softmax") return b.softmax(x);
  if (name == "log_softmax") return b.unary(Op::LOG_SOFTMAX, x);
  if (name == "softplus") return formats::softplus(b, x);
  if (name == "softsign") return formats::softsign(b, x);
  if (name == "elu") return b.unary(Op::ELU, x);
  if (name == "selu") return formats::selu(b, x);
  if (name == "gelu") return b.gelu(x, false);
  if (name == "exponential") return b.unary(Op::EXP, x);
  if (name == "leaky_relu") return b.leaky_relu(x, 0.2f);
  if (name == "hard_sigmoid") return hard_sigmoid(b, context, x);
  if (name == "swish" || name == "silu") return formats::silu(b, x);
  if (name == "hard_silu" || name == "hard_swish") return b.unary(Op::HARD_SWISH, x);
  if (name == "mish") return b.mul(x, b.unary(Op::TANH, formats::softplus(b, x)));
  if (name == "log_sigmoid") return b.unary(Op::NEG, formats::softplus(b, b.unary(Op::NEG, x)));
  return b.error(ErrorCode::kUnsupported, fmt::format("the activation '{}' is not known", name));
}

Outputs activation(LayerCall& call) { return {call.activate(call.in())}; }

Outputs relu(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const double slope = call.number("negative_slope", call.number("alpha", 0));
  const double threshold = call.number("threshold", 0);
  const double most = call.number("max_value", std::numeric_limits<double>::infinity());
  if (slope == 0 && threshold == 0) return {b.clamp(x, 0, most)};
  if (threshold == 0)
    return {b.clamp(b.leaky_relu(x, static_cast<float>(slope)), -std::numeric_limits<double>::infinity(), most)};
  // x from the threshold on, slope * (x - threshold) below it.
  const ValueId limit = b.scalar_like(threshold, x);
  const ValueId below = b.mul(b.sub(x, limit), b.scalar_like(slope, x));
  return {b.select(b.binary(Op::GREATER_EQUAL, x, limit), b.clamp(x, -std::numeric_limits<double>::infinity(), most),
                   below)};
}

Outputs leaky_relu(LayerCall& call) {
  const double slope = call.number("negative_slope", call.number("alpha", 0.3));
  return {call.b.leaky_relu(call.in(), static_cast<float>(slope))};
}

Outputs prelu(LayerCall& call) { return {call.b.node(Op::PRELU, {call.in(), call.weight("alpha")})}; }

Outputs elu(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const double alpha = call.number("alpha", 1);
  if (alpha == 1) return {b.unary(Op::ELU, x)};
  const ValueId below = b.unary(Op::ELU, b.binary(Op::MINIMUM, x, b.scalar_like(0, x)));
  return {b.add(b.unary(Op::RELU, x), b.mul(below, b.scalar_like(alpha, x)))};
}

Outputs softmax(LayerCall& call) {
  if (call.mask() != kNoValue) return {call.unsupported("a mask in front of a softmax")};
  return {softmax_along(call.b, call.in(), call.integer("axis", -1))};
}

Outputs thresholded_relu(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  return {b.select(b.binary(Op::GREATER, x, b.scalar_like(call.number("theta", 1), x)), x, b.scalar_like(0, x))};
}

constexpr LayerEntry kLayers[] = {
    {"Activation", activation}, {"ELU", elu},   {"LeakyReLU", leaky_relu},
    {"PReLU", prelu},           {"ReLU", relu}, {"ThresholdedReLU", thresholded_relu},
    {"Softmax", softmax},
};

}  // namespace

ValueId apply_activation(GraphBuilder& b, const ModelContext& context, ValueId x, const Json& activation) {
  if (activation.is_string()) return by_name(b, context, x, activation.get<std::string>());
  if (activation.is_object()) {
    const Json empty;
    const Json& config = activation.contains("config") ? activation["config"] : empty;
    if (config.is_string()) return by_name(b, context, x, config.get<std::string>());
    const std::string name = activation.contains("class_name") && activation["class_name"].is_string()
                                 ? activation["class_name"].get<std::string>()
                                 : "";
    if (const LayerRule rule = find_layer(name); rule != nullptr) {
      LayerWeights none;
      LayerCall call(b, context, name, config, none);
      call.arguments = {{x, nullptr}};
      const Outputs outputs = rule(call);
      if (!outputs.empty()) return outputs[0];
    }
    return b.error(ErrorCode::kUnsupported, fmt::format("the activation '{}' is not known", name));
  }
  return b.error(ErrorCode::kUnsupported, "an activation that is neither a name nor a configuration");
}

std::span<const LayerEntry> activation_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
