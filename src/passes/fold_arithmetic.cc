// Arithmetic with constants: what does nothing goes, two in a row become one.
#include <algorithm>

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

// x * 1, x / 1, x + 0, x - 0
bool does_nothing(Rewriter& r, NodeId id, const Scalar& s) {
  const Node& node = r.node(id);
  const bool scales = node.op == Op::MUL || node.op == Op::DIV;
  if (s.number != (scales ? 1.0f : 0.0f) || activation_of(node) != ActivationFunctionType::NONE) return false;
  const ValueId y = node.outputs[0];
  if (open_shape(r.value(s.x)) != open_shape(r.value(y)) || r.is_const(s.x)) return false;
  if (!r.replace(y, s.x)) return false;
  if (r.live(id)) r.remove(id);
  return true;
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

}  // namespace

Result<size_t> fold_arithmetic(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (!r.live(id)) continue;
    const auto s = with_scalar(r, id);
    if (s && (does_nothing(r, id, *s) || twice(r, id, *s) || division(r, id, *s))) ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
