// Models that are quantized already (QUANTIZE and DEQUANTIZE around float operators, weights that were integers) become integer
// operators with their own parameters. What an operator takes is its OpDef's quantization rule.
#include <algorithm>
#include <cmath>

#include "ir/op_def.h"
#include "ops/evaluate.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

bool equal(const QuantParams& a, const QuantParams& b) { return a.scale == b.scale && a.zero() == b.zero(); }

const OperandRule& rule_of(const std::vector<OperandRule>& rules, size_t i) {
  static const OperandRule kNone;
  return rules.empty() ? kNone : rules[std::min(i, rules.size() - 1)];
}

// Operators that only move bytes, and are the same on int8 and uint8.
bool only_moves(Op op) {
  switch (op) {
    case Op::PAD:
    case Op::RESHAPE:
    case Op::TRANSPOSE:
    case Op::MAX_POOL_2D:
    case Op::SLICE:
    case Op::STRIDED_SLICE:
    case Op::GATHER:
    case Op::DEPTH_TO_SPACE:
    case Op::SPACE_TO_DEPTH:
    case Op::CONCATENATION:
    case Op::SPLIT: return true;
    default: return false;
  }
}

// uint8 values between QUANTIZE and DEQUANTIZE, and what moves them on the way, become int8: the same numbers, 128 lower.
size_t shift_bytes(Rewriter& r) {
  Graph& graph = r.graph();
  std::vector<uint8_t> shifts(graph.value_count(), 0);
  const auto is_bytes = [&](ValueId id) {
    const Value& value = r.value(id);
    return value.dtype == DType::kUInt8 && value.quant.scale.size() == 1 && !value.is_const && !r.is_output(id) &&
           !r.is_input(id);
  };
  for (size_t i = 0; i < shifts.size(); ++i) shifts[i] = is_bytes(static_cast<ValueId>(i));
  // A mover shifts all of its bytes or none.
  const auto all_shift = [&](const Node& node) {
    const auto stays = [&](ValueId id) {
      return id != kNoValue && r.value(id).dtype == DType::kUInt8 && !shifts[static_cast<size_t>(id)];
    };
    return std::none_of(node.inputs.begin(), node.inputs.end(), stays) &&
           std::none_of(node.outputs.begin(), node.outputs.end(), stays);
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < shifts.size(); ++i) {
      if (!shifts[i]) continue;
      const auto id = static_cast<ValueId>(i);
      const NodeId maker = r.producer(id);
      bool fits = maker >= 0 &&
                  (r.node(maker).op == Op::QUANTIZE || (only_moves(r.node(maker).op) && all_shift(r.node(maker))));
      for (NodeId reader : r.consumers(id)) {
        const Node& node = r.node(reader);
        fits = fits && (node.op == Op::DEQUANTIZE || (only_moves(node.op) && all_shift(node)));
      }
      if (!fits) shifts[i] = 0;
      changed = changed || !fits;
    }
  }
  size_t changes = 0;
  for (size_t i = 0; i < shifts.size(); ++i) {
    if (!shifts[i]) continue;
    Value& value = graph.value(static_cast<ValueId>(i));
    value.dtype = DType::kInt8;
    value.quant.zero_point = {value.quant.zero() - 128};
    ++changes;
  }
  return changes;
}

// The quantized value that a float one comes from; kNoValue when it comes from none.
ValueId origin(const Rewriter& r, ValueId id) {
  if (id == kNoValue || !r.made_by(id, Op::DEQUANTIZE)) return kNoValue;
  const ValueId q = r.node(r.producer(id)).inputs[0];
  const Value& value = r.value(q);
  const bool activation = value.dtype == DType::kInt8 && value.quant.scale.size() == 1 && !value.is_const;
  return activation ? q : kNoValue;
}

// The QUANTIZE that alone reads a value.
NodeId only_quantize(const Rewriter& r, ValueId id) {
  if (!r.single_use(id) || r.node(r.consumers(id)[0]).op != Op::QUANTIZE) return -1;
  const NodeId reader = r.consumers(id)[0];
  return r.value(r.node(reader).outputs[0]).dtype == DType::kInt8 ? reader : -1;
}

// The one stream of bytes through an operator that moves them: from input 0 to output 0.
bool moves_one(const Rewriter& r, NodeId id) {
  if (id < 0 || r.node(id).op == Op::CONCATENATION || r.node(id).op == Op::SPLIT || !only_moves(r.node(id).op))
    return false;
  const auto* pool = r.node(id).options->AsPool2DOptions();
  return pool == nullptr || pool->fused_activation_function == tflite::ActivationFunctionType::NONE;
}

// A value like `like` in int8 under `params`.
ValueId add_bytes(Rewriter& r, ValueId like, const QuantParams& params) {
  const QuantParams copy = params;
  const ValueId made = r.add_value(r.value(like), open_shape(r.value(like)));
  r.graph().value(made).dtype = DType::kInt8;
  r.graph().value(made).quant = copy;
  return made;
}

Node converting(Op op, ValueId from, ValueId to) {
  Node node;
  node.op = op;
  node.inputs = {from};
  node.outputs = {to};
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  op == Op::QUANTIZE ? options->Set(tflite::QuantizeOptionsT()) : options->Set(tflite::DequantizeOptionsT());
  node.options = std::move(options);
  return node;
}

// What moves dequantized numbers moves the bytes: DEQUANTIZE comes behind it.
bool sink_dequantize(Rewriter& r, NodeId id) {
  if (!moves_one(r, id) || r.is_output(r.node(id).outputs[0])) return false;
  const ValueId q = origin(r, r.node(id).inputs[0]), y = r.node(id).outputs[0];
  if (q == kNoValue || r.value(y).dtype != DType::kFloat32) return false;
  const ValueId bytes = add_bytes(r, y, r.value(q).quant);
  r.set_input(id, 0, q);
  r.set_output(id, 0, bytes);
  r.insert_after(converting(Op::DEQUANTIZE, bytes, y), id);
  return true;
}

// QUANTIZE comes before what moves the numbers, and needs no RELU before it where the lowest byte is zero.
bool raise_quantize(Rewriter& r, NodeId id) {
  if (r.node(id).op != Op::QUANTIZE) return false;
  const ValueId x = r.node(id).inputs[0], y = r.node(id).outputs[0];
  const NodeId mover = r.producer(x);
  const QuantParams params = r.value(y).quant;
  if (mover < 0 || !r.single_use(x) || r.value(y).dtype != DType::kInt8 || params.scale.size() != 1) return false;
  const ValueId source = r.node(mover).inputs[0];
  if (r.node(mover).op == Op::RELU && params.zero() == -128) {
    r.set_input(id, 0, source);
    return true;
  }
  if (!moves_one(r, mover) || r.is_const(source) || r.value(source).dtype != DType::kFloat32) return false;
  const ValueId bytes = add_bytes(r, source, params);
  r.insert_before(converting(Op::QUANTIZE, source, bytes), mover);
  r.remove(id);
  r.set_input(mover, 0, bytes);
  r.set_output(mover, 0, y);
  return true;
}

// A concatenation of dequantized numbers that is quantized joins bytes: those under other parameters are quantized anew.
bool join_bytes(Rewriter& r, NodeId id) {
  if (r.node(id).op != Op::QUANTIZE) return false;
  const ValueId x = r.node(id).inputs[0], y = r.node(id).outputs[0];
  const NodeId join = r.producer(x);
  const QuantParams params = r.value(y).quant;
  if (join < 0 || r.node(join).op != Op::CONCATENATION || !r.single_use(x) || r.value(y).dtype != DType::kInt8 ||
      params.scale.size() != 1)
    return false;
  const auto* table = r.node(join).options->AsConcatenationOptions();
  if (table == nullptr || table->fused_activation_function != tflite::ActivationFunctionType::NONE) return false;
  const std::vector<ValueId> inputs = r.node(join).inputs;
  if (std::any_of(inputs.begin(), inputs.end(), [&](ValueId v) { return origin(r, v) == kNoValue; })) return false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ValueId q = origin(r, inputs[i]);
    if (!equal(r.value(q).quant, params)) {
      const ValueId bytes = add_bytes(r, q, params);
      r.insert_before(converting(Op::QUANTIZE, q, bytes), join);
      q = bytes;
    }
    r.set_input(join, i, q);
  }
  r.remove(id);
  r.set_output(join, 0, y);
  return true;
}

// A float constant as the integers that it came from: symmetric, per tensor or along the rule's axis. A channel's scale is raised
// to `least`, where it has one: its bias could not be said otherwise, and is 2^30 steps above what is lost.
ValueId integer_weights(Rewriter& r, ValueId id, const OperandRule& rule, const std::vector<float>& least) {
  const Value& value = r.value(id);
  QuantParams quant = value.quant;
  for (size_t i = 0; quant.per_axis() && i < least.size() && i < quant.scale.size(); ++i) {
    quant.scale[i] = std::max(quant.scale[i], least[i]);
  }
  if (!value.is_const || value.dtype != DType::kFloat32 || !quant.quantized()) return kNoValue;
  for (size_t i = 0; i < quant.scale.size(); ++i) {
    if (quant.zero(i) != 0) return kNoValue;
  }
  if (quant.per_axis() && quant.axis != rule.axis) return kNoValue;
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(quant.axis) + 1; i < value.shape.size(); ++i)
    inner *= static_cast<size_t>(value.shape[i]);
  const auto numbers = value.data.as<float>();
  std::vector<int8_t> integers(element_count(value.shape));
  for (size_t i = 0; i < integers.size(); ++i) {
    const float scale = quant.scale[quant.per_axis() ? i / inner % quant.scale.size() : 0];
    integers[i] = static_cast<int8_t>(std::clamp(std::nearbyint(numbers[i] / scale), -128.0f, 127.0f));
  }
  const Shape shape = value.shape;
  const std::string name = value.name;
  const ValueId made = r.add_const(ConstData::own(std::move(integers)), DType::kInt8, shape, name);
  r.graph().value(made).quant = quant;
  return made;
}

ValueId integer_bias(Rewriter& r, ValueId id, const QuantParams& input, const QuantParams& weights) {
  const Value& value = r.value(id);
  if (!value.is_const || value.dtype != DType::kFloat32) return kNoValue;
  const auto numbers = value.data.as<float>();
  QuantParams params;
  for (float scale : weights.scale) params.scale.push_back(scale * input.scale[0]);
  params.zero_point.assign(params.scale.size(), 0);
  std::vector<int32_t> integers(element_count(value.shape));
  if (params.per_axis() && params.scale.size() != integers.size()) return kNoValue;
  for (size_t i = 0; i < integers.size(); ++i) {
    const double exact = numbers[i] / static_cast<double>(params.scale[params.per_axis() ? i : 0]);
    if (std::abs(exact) > 2147483000.0) return kNoValue;
    integers[i] = static_cast<int32_t>(std::nearbyint(exact));
  }
  const Shape shape = value.shape;
  const std::string name = value.name;
  const ValueId made = r.add_const(ConstData::own(std::move(integers)), DType::kInt32, shape, name);
  r.graph().value(made).quant = std::move(params);
  return made;
}

bool is_fixed(const QuantParams& params, const FixedParams& wanted) {
  return std::abs(params.scale[0] - wanted.scale) <= 1e-6f * wanted.scale && params.zero() == wanted.zero_point;
}

class Island {
 public:
  Island(Model& model, Rewriter& r, NodeId id) : model_(model), r_(r), id_(id), node_(r.node(id)) {}

  bool convert() {
    const OpDef* def = find_op(node_);
    if (def == nullptr || !def->quant.int8 || def->quant.custom != nullptr || node_.op == Op::QUANTIZE ||
        node_.op == Op::DEQUANTIZE || declined(*def)) {
      return false;
    }
    inputs_ = node_.inputs;
    if (!outputs(*def) || !operands(*def) || !biases(*def) || !same_) return false;
    if (!touched_) return false;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i] != node_.inputs[i]) r_.set_input(id_, i, inputs_[i]);
    }
    for (const auto& [slot, quantize] : quantizes_) {
      const ValueId q = r_.node(quantize).outputs[0];
      r_.remove(quantize);
      r_.set_output(id_, slot, q);
    }
    return true;
  }

 private:
  bool declined(const OpDef& def) {
    if (def.quant.decline == nullptr) return false;
    std::vector<TensorInfo> in, out;
    for (ValueId v : node_.inputs) in.push_back(v == kNoValue ? TensorInfo{} : ops::tensor_info(r_.value(v)));
    for (ValueId v : node_.outputs) out.push_back(ops::tensor_info(r_.value(v)));
    return !def.quant.decline(OpContext{&model_, &r_.graph(), id_, &node_, in, out, {}}, DType::kInt8).empty();
  }

  // Parameters that every kSame operand of the node must share.
  void meet(const QuantParams& params) {
    if (!shared_) shared_ = params;
    same_ = same_ && equal(*shared_, params);
  }

  bool outputs(const OpDef& def) {
    for (size_t i = 0; i < node_.outputs.size(); ++i) {
      const OperandRule& rule = rule_of(def.quant.outputs, i);
      if (rule.kind == OperandQuant::kNone) continue;
      const NodeId quantize = only_quantize(r_, node_.outputs[i]);
      if (quantize < 0) return false;
      const QuantParams& params = r_.value(r_.node(quantize).outputs[0]).quant;
      if (rule.kind == OperandQuant::kFixed && !is_fixed(params, rule.fixed8)) return false;
      if (rule.kind == OperandQuant::kSame) meet(params);
      quantizes_.emplace_back(i, quantize);
    }
    return true;
  }

  bool operands(const OpDef& def) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const OperandRule& rule = rule_of(def.quant.inputs, i);
      if (inputs_[i] == kNoValue || rule.kind == OperandQuant::kNone || rule.kind == OperandQuant::kBias) continue;
      ValueId q = origin(r_, inputs_[i]);
      if (q == kNoValue && rule.kind == OperandQuant::kWeights) {
        q = integer_weights(r_, inputs_[i], rule, least_scales(def, i));
      }
      if (q == kNoValue) return false;
      const QuantParams& params = r_.value(q).quant;
      if (rule.kind == OperandQuant::kFixed && !is_fixed(params, rule.fixed8)) return false;
      if (rule.kind == OperandQuant::kSame) meet(params);
      inputs_[i] = q;
      touched_ = true;
    }
    return true;
  }

  // The scales of weights `weights` that the operator's bias needs at least.
  std::vector<float> least_scales(const OpDef& def, size_t weights) const {
    std::vector<float> least;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const OperandRule& rule = rule_of(def.quant.inputs, i);
      if (rule.kind != OperandQuant::kBias || static_cast<size_t>(rule.weights) != weights || !r_.is_const(inputs_[i]))
        continue;
      const Value& bias = r_.value(inputs_[i]);
      const QuantParams& input = r_.value(inputs_[static_cast<size_t>(rule.input)]).quant;
      if (bias.dtype != DType::kFloat32 || input.scale.size() != 1) continue;
      for (float b : bias.data.as<float>()) least.push_back(std::abs(b) / (1073741824.0f * input.scale[0]));
    }
    return least;
  }

  bool biases(const OpDef& def) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const OperandRule& rule = rule_of(def.quant.inputs, i);
      if (inputs_[i] == kNoValue || rule.kind != OperandQuant::kBias) continue;
      inputs_[i] = integer_bias(r_, inputs_[i], r_.value(inputs_[static_cast<size_t>(rule.input)]).quant,
                                r_.value(inputs_[static_cast<size_t>(rule.weights)]).quant);
      if (inputs_[i] == kNoValue) return false;
    }
    return true;
  }

  Model& model_;
  Rewriter& r_;
  NodeId id_;
  const Node node_;  // as it was: edits move the original
  std::vector<ValueId> inputs_;
  std::vector<std::pair<size_t, NodeId>> quantizes_;
  std::optional<QuantParams> shared_;
  bool same_ = true, touched_ = false;
};

// QUANTIZE of what DEQUANTIZE gave, under the same parameters, is what was there before.
bool undo(Rewriter& r, NodeId id) {
  if (r.node(id).op != Op::QUANTIZE) return false;
  const ValueId q = origin(r, r.node(id).inputs[0]), y = r.node(id).outputs[0];
  if (q == kNoValue || r.value(q).dtype != r.value(y).dtype || !equal(r.value(q).quant, r.value(y).quant)) return false;
  if (!r.replace(y, q)) return false;
  if (r.live(id)) r.remove(id);
  return true;
}

}  // namespace

Result<size_t> integers_from_qdq(Model& model, Graph& graph) {
  Rewriter r(graph);
  size_t changes = shift_bytes(r);
  for (NodeId id : r.order()) {
    if (!r.live(id)) continue;
    if (undo(r, id) || sink_dequantize(r, id) || raise_quantize(r, id) || join_bytes(r, id) ||
        Island(model, r, id).convert()) {
      ++changes;
    }
  }
  return changes;
}

// Notes on float constants have done their work.
Result<size_t> forget_origins(Model&, Graph& graph) {
  for (size_t i = 0; i < graph.value_count(); ++i) {
    Value& value = graph.value(static_cast<ValueId>(i));
    if (value.is_const && value.dtype == DType::kFloat32) value.quant = {};
  }
  return 0;
}

}  // namespace fewbits::passes
