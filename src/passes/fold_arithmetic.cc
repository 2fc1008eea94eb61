// Arithmetic with constants: what does nothing goes, two in a row become one.
#include <algorithm>
#include <cmath>

#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "passes/weights.h"

namespace fewbits::passes {
namespace {

using tflite::ActivationFunctionType;

// x of "x op c" for a scalar c, or of "c op x" where that is the same.
struct Scalar {
  ValueId x = kNoValue;
  float number = 0;
};
std::optional<Scalar> with_scalar(const Rewriter& r, NodeId id) {
  const Node& node = r.node(id);
  if (node.op != Op::MUL && node.op != Op::DIV && node.op != Op::ADD && node.op != Op::SUB) return std::nullopt;
  if (r.value(node.outputs[0]).dtype != DType::kFloat32) return std::nullopt;
  const auto right = const_scalar(const_cast<Rewriter&>(r).graph(), node.inputs[1]);
  if (right) return Scalar{node.inputs[0], *right};
  if (node.op != Op::MUL && node.op != Op::ADD) return std::nullopt;
  const auto left = const_scalar(const_cast<Rewriter&>(r).graph(), node.inputs[0]);
  return left ? std::optional(Scalar{node.inputs[1], *left}) : std::nullopt;
}

// The number that every element of a float32 constant is.
std::optional<float> uniform(const Graph& graph, ValueId id) {
  if (id == kNoValue) return std::nullopt;
  const Value& value = graph.value(id);
  if (!value.is_const || value.dtype != DType::kFloat32 || value.sparsity != nullptr || value.data.empty())
    return std::nullopt;
  const auto numbers = value.data.as<float>();
  const bool same = std::all_of(numbers.begin(), numbers.end(), [&](float n) { return n == numbers[0]; });
  return same ? std::optional(numbers[0]) : std::nullopt;
}

// x * 1, x / 1, x + 0, x - 0, by a number or a vector of it.
bool does_nothing(Rewriter& r, NodeId id) {
  const Node& node = r.node(id);
  const bool scales = node.op == Op::MUL || node.op == Op::DIV, commutes = node.op == Op::MUL || node.op == Op::ADD;
  if ((!scales && node.op != Op::ADD && node.op != Op::SUB) || activation_of(node) != ActivationFunctionType::NONE)
    return false;
  const float nothing = scales ? 1.0f : 0.0f;
  const ValueId y = node.outputs[0];
  for (size_t constant : {size_t{1}, size_t{0}}) {
    if ((constant == 0 && !commutes) || uniform(r.graph(), node.inputs[constant]) != nothing) continue;
    const ValueId x = node.inputs[1 - constant];
    if (open_shape(r.value(x)) != open_shape(r.value(y)) || r.is_const(x) || !r.replace(y, x)) return false;
    if (r.live(id)) r.remove(id);
    return true;
  }
  return false;
}

// (x * a) * b is x * (a * b); a sum likewise.
bool twice(Rewriter& r, NodeId id, const Scalar& s) {
  const Node& node = r.node(id);
  const NodeId before = r.producer(s.x);
  if (before < 0 || r.node(before).op != node.op || (node.op != Op::MUL && node.op != Op::ADD) || !r.single_use(s.x))
    return false;
  if (activation_of(r.node(before)) != ActivationFunctionType::NONE) return false;
  const auto inner = with_scalar(r, before);
  if (!inner || r.is_const(inner->x) || open_shape(r.value(inner->x)) != open_shape(r.value(s.x))) return false;
  const float both = node.op == Op::MUL ? inner->number * s.number : inner->number + s.number;
  // One number must say what two did: not what overflows or vanishes, nor a sum that cancels (x + 1e9 - 1e9 rounds x).
  if (!std::isfinite(both)) return false;
  if (node.op == Op::MUL && both == 0 && inner->number != 0 && s.number != 0) return false;
  if (node.op == Op::ADD && std::signbit(inner->number) != std::signbit(s.number)) return false;
  const std::string name = r.value(node.outputs[0]).name + "/const";
  const ValueId number = r.add_const(ConstData::own(std::vector<float>{both}), DType::kFloat32, {}, name);
  r.set_input(id, 0, inner->x);
  r.set_input(id, 1, number);
  return true;
}

// x / c is x * (1 / c): integers divide nowhere, and multiply everywhere. Exact for powers of two, else within one rounding.
bool division(Rewriter& r, NodeId id, const Scalar& s) {
  Node& node = r.edit(id);
  if (node.op != Op::DIV || s.number == 0 || s.number != s.number || 1 / s.number == 0) return false;
  const auto activation = activation_of(node);
  const ValueId number = r.add_const(ConstData::own(std::vector<float>{1 / s.number}), DType::kFloat32, {},
                                     r.value(node.outputs[0]).name + "/const");
  Node& changed = r.edit(id);
  changed.op = Op::MUL;
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  options->Set(tflite::MulOptionsT());
  changed.options = std::move(options);
  set_activation(changed, activation);
  r.set_input(id, 1, number);
  return true;
}

// c + -x is c - x, and c + -x * y is c - x * y: integers have no negation of their own.
bool subtraction(Rewriter& r, NodeId id) {
  const Node& node = r.node(id);
  if (node.op != Op::ADD || r.value(node.outputs[0]).dtype != DType::kFloat32) return false;
  for (size_t i : {size_t{1}, size_t{0}}) {
    const ValueId other = node.inputs[1 - i];
    ValueId minuend = node.inputs[i];
    if (minuend == other) continue;
    if (r.made_by(minuend, Op::NEG)) {
      minuend = r.node(r.producer(minuend)).inputs[0];
    } else {
      const NodeId product = r.producer(minuend);
      if (product < 0 || r.node(product).op != Op::MUL || !r.single_use(minuend) ||
          activation_of(r.node(product)) != ActivationFunctionType::NONE)
        continue;
      const size_t negated = r.made_by(r.node(product).inputs[0], Op::NEG) ? 0 : 1;
      const ValueId factor = r.node(product).inputs[negated];
      if (!r.made_by(factor, Op::NEG)) continue;
      r.set_input(product, negated, r.node(r.producer(factor)).inputs[0]);
    }
    const auto activation = activation_of(node);
    Node& changed = r.edit(id);
    changed.op = Op::SUB;
    auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
    options->Set(tflite::SubOptionsT());
    changed.options = std::move(options);
    set_activation(changed, activation);
    r.set_input(id, 0, other);
    r.set_input(id, 1, minuend);
    return true;
  }
  return false;
}

}  // namespace

Result<size_t> fold_arithmetic(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (!r.live(id)) continue;
    if (does_nothing(r, id) || subtraction(r, id)) {
      ++changes;
      continue;
    }
    const auto s = with_scalar(r, id);
    if (s && (twice(r, id, *s) || division(r, id, *s))) ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
