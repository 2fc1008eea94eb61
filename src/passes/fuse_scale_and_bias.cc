// Batch normalization and biases: a multiplication or addition of a number a channel goes into the weights before it; a
// multiplication also into those behind it.
#include <algorithm>

#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "passes/weights.h"

namespace fewbits::passes {
namespace {

using tflite::ActivationFunctionType;

struct Arithmetic {
  ValueId x = kNoValue;
  std::vector<float> numbers;
  bool multiplies = false;
};

// -x, x * c, x / c, x + c, x - c, c * x, c + x; c - x is not.
std::optional<Arithmetic> arithmetic(const Rewriter& r, NodeId id) {
  const Node& node = r.node(id);
  if (node.op == Op::NEG) {
    const Value& in = r.value(node.inputs[0]);
    if (in.dtype != DType::kFloat32 || !in.has_rank || in.shape.empty() || open_shape(in).back() < 1)
      return std::nullopt;
    return Arithmetic{node.inputs[0], std::vector<float>(static_cast<size_t>(in.shape.back()), -1.0f), true};
  }
  if (node.op != Op::MUL && node.op != Op::DIV && node.op != Op::ADD && node.op != Op::SUB) return std::nullopt;
  const Value& out = r.value(node.outputs[0]);
  if (out.dtype != DType::kFloat32 || !out.has_rank || out.shape.empty()) return std::nullopt;
  const bool commutes = node.op == Op::MUL || node.op == Op::ADD;
  const size_t constant = r.is_const(node.inputs[1]) ? 1 : commutes && r.is_const(node.inputs[0]) ? 0 : 2;
  if (constant == 2) return std::nullopt;
  Arithmetic a;
  a.x = node.inputs[1 - constant];
  if (r.is_const(a.x) || open_shape(r.value(a.x)) != open_shape(out)) return std::nullopt;
  const int32_t channels = open_shape(out).back();
  if (r.value(node.inputs[constant]).shape.size() > out.shape.size()) return std::nullopt;
  auto numbers = channel_numbers(r, node.inputs[constant], channels);
  if (!numbers) return std::nullopt;
  a.numbers = *std::move(numbers);
  a.multiplies = node.op == Op::MUL || node.op == Op::DIV;
  if (node.op == Op::DIV) {
    for (float& n : a.numbers) n = 1 / n;
  }
  if (node.op == Op::SUB) {
    for (float& n : a.numbers) n = -n;
  }
  return a;
}

bool into_weights_before(Rewriter& r, NodeId id, const Arithmetic& a) {
  const NodeId maker = r.producer(a.x);
  const auto op = weighted_node(r, maker, true);
  if (!op || !r.single_use(a.x) || activation_of(r.node(maker)) != ActivationFunctionType::NONE) return false;
  if (out_channels(r, maker, *op) != static_cast<int32_t>(a.numbers.size())) return false;
  if (a.multiplies) {
    scale_outputs(r, maker, *op, a.numbers);
  } else {
    add_to_bias(r, maker, *op, a.numbers);
  }
  const ValueId y = r.node(id).outputs[0];
  const auto activation = activation_of(r.node(id));
  r.remove(id);
  r.set_output(maker, 0, y);
  set_activation(r.edit(maker), activation);
  return true;
}

// x * c in front of a convolution or product that reads nothing else: its padding of zeros stays zero.
bool into_weights_behind(Rewriter& r, NodeId id, const Arithmetic& a) {
  const ValueId y = r.node(id).outputs[0];
  if (!a.multiplies || !r.single_use(y) || activation_of(r.node(id)) != ActivationFunctionType::NONE) return false;
  const NodeId reader = r.consumers(y)[0];
  const auto op = weighted_node(r, reader);
  if (!op || r.node(reader).inputs[op->input] != y) return false;
  if (!std::all_of(a.numbers.begin(), a.numbers.end(), [](float n) { return n == n && n - n == 0; })) return false;
  const Value& weights = r.value(r.node(reader).inputs[op->weights]);
  const bool depthwise = r.node(reader).op == Op::DEPTHWISE_CONV_2D,
             last = r.node(reader).op == Op::CONV_2D || r.node(reader).op == Op::FULLY_CONNECTED;
  const size_t channels = a.numbers.size();
  if (!depthwise && !last) return false;
  const auto span = static_cast<size_t>(weights.shape.back());
  if (depthwise ? span % channels != 0 : span != channels) return false;  // grouped: left alone
  const size_t multiplier = depthwise ? span / channels : 1;
  const auto old = weights.data.as<float>();
  std::vector<float> scaled(element_count(weights.shape));
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] = old[i] * a.numbers[i % span / multiplier];
  const Shape shape = weights.shape;
  const std::string name = weights.name;
  r.set_input(reader, op->weights, r.add_const(ConstData::own(std::move(scaled)), DType::kFloat32, shape, name));
  r.set_input(reader, op->input, a.x);
  r.remove(id);
  return true;
}

}  // namespace

Result<size_t> fuse_scale_and_bias(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (!r.live(id)) continue;
    const auto a = arithmetic(r, id);
    if (a && (into_weights_before(r, id, *a) || into_weights_behind(r, id, *a))) ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
