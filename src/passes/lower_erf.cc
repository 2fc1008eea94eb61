// Error functions that no GELU took up, as operators that TFLite has: within 1.5e-7 (Abramowitz and Stegun 7.1.26).
#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

// Writes operators on values of one shape in front of a node.
class Writer {
 public:
  Writer(Rewriter& r, NodeId before, const Value& like)
      : r_(r), before_(before), like_(like), shape_(open_shape(like)) {}

  ValueId number(float value) {
    return r_.add_const(ConstData::own(std::vector<float>{value}), DType::kFloat32, {}, like_.name + "/const");
  }
  ValueId unary(Op op, ValueId x) { return add(op, {x}, nullptr, r_.add_value(like_, shape_)); }
  template <class Table>
  ValueId binary(Op op, ValueId a, ValueId b, ValueId to = kNoValue) {
    auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
    options->Set(Table());
    return add(op, {a, b}, std::move(options), to != kNoValue ? to : r_.add_value(like_, shape_));
  }
  ValueId mul(ValueId a, ValueId b, ValueId to = kNoValue) { return binary<tflite::MulOptionsT>(Op::MUL, a, b, to); }
  ValueId add(ValueId a, ValueId b) { return binary<tflite::AddOptionsT>(Op::ADD, a, b); }

 private:
  ValueId add(Op op, std::vector<ValueId> inputs, std::shared_ptr<const tflite::BuiltinOptionsUnion> options,
              ValueId to) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {to};
    if (options != nullptr) node.options = std::move(options);
    r_.insert_before(std::move(node), before_);
    return to;
  }

  Rewriter& r_;
  NodeId before_;
  Value like_;
  Shape shape_;
};

}  // namespace

Result<size_t> lower_erf(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (r.node(id).op != Op::CUSTOM || r.node(id).custom_code != "fewbits.erf") continue;
    const ValueId x = r.node(id).inputs[0], y = r.node(id).outputs[0];
    Writer w(r, id, r.value(y));
    const ValueId size = w.unary(Op::ABS, x);
    const ValueId t =
        w.binary<tflite::DivOptionsT>(Op::DIV, w.number(1), w.add(w.mul(size, w.number(0.3275911f)), w.number(1)));
    ValueId sum = w.add(w.mul(t, w.number(1.061405429f)), w.number(-1.453152027f));
    for (float k : {1.421413741f, -0.284496736f, 0.254829592f}) sum = w.add(w.mul(sum, t), w.number(k));
    const ValueId decay = w.unary(Op::EXP, w.unary(Op::NEG, w.mul(x, x)));
    const ValueId upper = w.binary<tflite::SubOptionsT>(Op::SUB, w.number(1), w.mul(w.mul(sum, t), decay));
    const ValueId sign = w.unary(Op::SIGN, x);
    w.mul(sign, upper, y);
    const NodeId made = r.producer(y);
    r.remove(id);
    r.set_output(made, 0, y);
    ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
