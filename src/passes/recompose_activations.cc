// Activations that exporters take apart, put together again: HARD_SWISH and GELU (exact and by tanh).
#include <cmath>

#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

// The number that float32 keeps of b, or one that a few roundings made: what an exporter rounds further (0.1667 for 1 / 6) is a
// function of its own.
bool near(float a, double b) { return std::abs(static_cast<double>(a) - b) <= 1e-6 * std::abs(b); }

class Matcher {
 public:
  explicit Matcher(Rewriter& r) : r_(r) {}

  // The other operand when `id` is `op` of something and the number `c`.
  ValueId with_number(ValueId id, Op op, double c) const {
    const NodeId maker = r_.producer(id);
    if (maker < 0) return kNoValue;
    const Node& node = r_.node(maker);
    if (node.op == op) {
      for (size_t i : {size_t{1}, size_t{0}}) {
        if (i == 0 && (op == Op::DIV || op == Op::SUB)) break;
        const auto number = const_scalar(r_.graph(), node.inputs[i]);
        if (number && near(*number, c)) return node.inputs[1 - i];
      }
    }
    // x / c says x * (1 / c).
    if (op == Op::MUL && node.op == Op::DIV) {
      const auto number = const_scalar(r_.graph(), node.inputs[1]);
      if (number && near(*number, 1 / c)) return node.inputs[0];
    }
    return kNoValue;
  }
  // The operand beside `one` of a MUL; kNoValue when `id` is no such product.
  ValueId beside(ValueId id, ValueId one) const {
    if (!r_.made_by(id, Op::MUL)) return kNoValue;
    const Node& node = r_.node(r_.producer(id));
    if (node.inputs[0] == one) return node.inputs[1];
    return node.inputs[1] == one ? node.inputs[0] : kNoValue;
  }
  bool is_product(ValueId id, ValueId a, ValueId b) const { return beside(id, a) == b; }

 private:
  Rewriter& r_;
};

// Replaces node `id`, whose result is a function of x alone, by one operator.
void become(Rewriter& r, NodeId id, Op op, ValueId x, std::shared_ptr<const tflite::BuiltinOptionsUnion> options) {
  Node node;
  node.op = op;
  node.inputs = {x};
  node.outputs = {r.node(id).outputs[0]};
  node.options = std::move(options);
  const ValueId y = node.outputs[0];
  const NodeId made = r.insert_before(std::move(node), id);
  r.remove(id);
  r.set_output(made, 0, y);
}

template <class Table>
std::shared_ptr<const tflite::BuiltinOptionsUnion> options_of(Table table) {
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  options->Set(std::move(table));
  return options;
}

// x * relu6(x + 3) / 6, in any order.
ValueId hard_swish(const Rewriter& r, const Matcher& m, ValueId y) {
  const auto gate_of = [&](ValueId gate, ValueId x) {  // relu6(x + 3)
    if (!r.made_by(gate, Op::RELU6)) return false;
    return m.with_number(r.node(r.producer(gate)).inputs[0], Op::ADD, 3) == x;
  };
  // (x * gate) * (1 / 6)
  const ValueId product = m.with_number(y, Op::MUL, 1.0 / 6);
  if (product != kNoValue && r.made_by(product, Op::MUL)) {
    const Node& node = r.node(r.producer(product));
    for (size_t i : {size_t{0}, size_t{1}}) {
      if (gate_of(node.inputs[i], node.inputs[1 - i])) return node.inputs[1 - i];
    }
  }
  if (!r.made_by(y, Op::MUL)) return kNoValue;
  const Node& node = r.node(r.producer(y));
  for (size_t i : {size_t{0}, size_t{1}}) {
    // x * (gate / 6), (x / 6) * gate
    const ValueId x = node.inputs[1 - i];
    const ValueId gate = m.with_number(node.inputs[i], Op::MUL, 1.0 / 6);
    if (gate != kNoValue && gate_of(gate, x)) return x;
    const ValueId sixth = m.with_number(x, Op::MUL, 1.0 / 6);
    if (sixth != kNoValue && gate_of(node.inputs[i], sixth)) return sixth;
  }
  return kNoValue;
}

// 0.5 * x * (1 + f(x)): x when `y` is that with the given value for 1 + f(x).
ValueId half_product(const Rewriter& r, const Matcher& m, ValueId y, ValueId bracket) {
  // (x * bracket) * 0.5
  const ValueId product = m.with_number(y, Op::MUL, 0.5);
  if (product != kNoValue) {
    const ValueId x = m.beside(product, bracket);
    if (x != kNoValue) return x;
  }
  // (x * 0.5) * bracket
  const ValueId half = m.beside(y, bracket);
  if (half != kNoValue) return m.with_number(half, Op::MUL, 0.5);
  // x * (bracket * 0.5)
  if (!r.made_by(y, Op::MUL)) return kNoValue;
  const Node& node = r.node(r.producer(y));
  for (size_t i : {size_t{0}, size_t{1}}) {
    if (m.with_number(node.inputs[i], Op::MUL, 0.5) == bracket) return node.inputs[1 - i];
  }
  return kNoValue;
}

// The argument of tanh in the approximation of GELU: sqrt(2 / pi) * (x + 0.044715 * x^3).
bool is_tanh_argument(const Rewriter& r, const Matcher& m, ValueId argument, ValueId x) {
  const ValueId sum = m.with_number(argument, Op::MUL, 0.79788456080286536);
  if (sum == kNoValue || !r.made_by(sum, Op::ADD)) return false;
  const Node& node = r.node(r.producer(sum));
  for (size_t i : {size_t{0}, size_t{1}}) {
    if (node.inputs[i] != x) continue;
    const ValueId cube = m.with_number(node.inputs[1 - i], Op::MUL, 0.044715);
    if (cube == kNoValue) continue;
    const ValueId square = m.beside(cube, x);
    if (square != kNoValue && m.is_product(square, x, x)) return true;
  }
  return false;
}

}  // namespace

Result<size_t> recompose_activations(Model&, Graph& graph) {
  Rewriter r(graph);
  const Matcher m(r);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (!r.live(id) || (r.node(id).op != Op::MUL && r.node(id).op != Op::DIV)) continue;
    const ValueId y = r.node(id).outputs[0];
    const ValueId x = hard_swish(r, m, y);
    if (x != kNoValue && open_shape(r.value(x)) == open_shape(r.value(y))) {
      become(r, id, Op::HARD_SWISH, x, options_of(tflite::HardSwishOptionsT()));
      ++changes;
    }
  }
  for (NodeId id : r.order()) {
    const bool exact = r.node(id).op == Op::CUSTOM && r.node(id).custom_code == "fewbits.erf";
    if (!r.live(id) || (r.node(id).op != Op::TANH && !exact)) continue;
    const ValueId t = r.node(id).outputs[0], argument = r.node(id).inputs[0];
    // 1 + t, then two products.
    for (NodeId plus : std::vector<NodeId>(r.consumers(t))) {
      const ValueId bracket = r.node(plus).outputs[0];
      if (r.node(plus).op != Op::ADD || m.with_number(bracket, Op::ADD, 1) != t) continue;
      std::vector<NodeId> ends;
      for (NodeId first : r.consumers(bracket)) {
        ends.push_back(first);
        for (NodeId second : r.consumers(r.node(first).outputs[0])) ends.push_back(second);
      }
      for (NodeId end : ends) {
        if (!r.live(end) || (r.node(end).op != Op::MUL && r.node(end).op != Op::DIV)) continue;
        const ValueId y = r.node(end).outputs[0];
        const ValueId x = half_product(r, m, y, bracket);
        if (x == kNoValue || open_shape(r.value(x)) != open_shape(r.value(y))) continue;
        const bool fits =
            exact ? m.with_number(argument, Op::MUL, 0.70710678118654752) == x : is_tanh_argument(r, m, argument, x);
        if (!fits) continue;
        tflite::GeluOptionsT table;
        table.approximate = !exact;
        become(r, end, Op::GELU, x, options_of(std::move(table)));
        ++changes;
        break;
      }
    }
  }
  return changes;
}

}  // namespace fewbits::passes
