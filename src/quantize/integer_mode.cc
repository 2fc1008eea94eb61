// The integer modes: rewrites the operators that a plan chose, and puts QUANTIZE and DEQUANTIZE where integers meet floats.
#include <algorithm>
#include <map>
#include <tuple>

#include "quantize/algorithms/bias_correction.h"
#include "quantize/algorithms/lstm.h"
#include "quantize/integer_plan.h"
#include "quantize/internal.h"
#include "quantize/params.h"
#include "schema/tflite.h"

namespace fewbits::quantize {
namespace {

class GraphRewriter {
 public:
  GraphRewriter(Model& model, int32_t graph, const Options& options, const Statistics& statistics,
                const IntegerPlan& plan)
      : model_(model),
        graph_index_(graph),
        options_(options),
        statistics_(statistics),
        plan_(plan),
        uses_(model.graphs[static_cast<size_t>(graph)]) {
    is_interface_ = graph == 0 || std::any_of(model.signatures.begin(), model.signatures.end(),
                                              [&](const Signature& s) { return s.graph == graph; });
    for (const Graph& g : model.graphs) {
      for (NodeId id : g.order()) {
        for (int32_t callee : called_graphs(g.node(id))) is_interface_ &= callee != graph;
      }
    }
  }

  Status run() {
    const std::vector<NodeId> order = graph().order();
    for (NodeId id : order) {
      if (plan_.is_integer(id)) FB_TRY(rewrite(id));
    }
    FB_TRY(join_inputs());
    join_producers();
    FB_TRY(join_outputs());
    name_twins();
    return {};
  }

 private:
  Graph& graph() { return model_.graphs[static_cast<size_t>(graph_index_)]; }
  bool is_float(ValueId id) { return id != kNoValue && graph().value(id).dtype == DType::kFloat32; }

  // The integer value that stands for a float one.
  Result<ValueId> twin(ValueId id) {
    const auto known = twins_.find(id);
    if (known != twins_.end()) return known->second;
    const auto params = plan_.params(id);
    if (!params) {
      return fail(ErrorCode::kInvalidArgument, "tensor '{}' was never seen in calibration", graph().value(id).name);
    }
    Value value = graph().value(id);
    value.dtype = plan_.activation();
    value.quant = *params;
    const ValueId made = graph().add_value(std::move(value));
    twins_[id] = made;
    return made;
  }

  // ---- one operator ----

  Status rewrite(NodeId id) {
    const QuantRule& rule = find_op(graph().node(id))->quant;
    const std::vector<ValueId> inputs = graph().node(id).inputs;
    if (rule.custom != nullptr) {
      FB_ASSIGN(const ValueId input, activation(id, 0, inputs[0]));
      FB_ASSIGN(const ValueId output, twin(graph().node(id).outputs[0]));
      rewrite_lstm(graph(), id, input, output);
      update_version(model_, graph_index_, id);
      return {};
    }
    // Weights before biases: a bias has the scale of its weights.
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!is_float(inputs[i])) continue;
      const OperandRule& operand = operand_rule(rule.inputs, i);
      if (operand.kind == OperandQuant::kBias) continue;
      if (operand.kind == OperandQuant::kWeights && graph().value(inputs[i]).is_const) {
        FB_ASSIGN(graph().node(id).inputs[i], weights(graph().node(id), inputs, rule, i));
      } else {
        FB_ASSIGN(graph().node(id).inputs[i], activation(id, i, inputs[i]));
      }
    }
    // An operator without a bias gets one when there is a shift to take back.
    for (size_t i = 0; i < std::max(inputs.size(), rule.inputs.size()); ++i) {
      const OperandRule& operand = operand_rule(rule.inputs, i);
      const bool absent = i >= inputs.size() || inputs[i] == kNoValue;
      if (operand.kind == OperandQuant::kBias && (absent || is_float(inputs[i]))) set_bias(id, operand, inputs, i);
    }
    const std::vector<ValueId> outputs = graph().node(id).outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!is_float(outputs[i])) continue;
      FB_ASSIGN(graph().node(id).outputs[i], twin(outputs[i]));
    }
    use_general_int16(graph().node(id));
    update_version(model_, graph_index_, id);
    return {};
  }

  Result<ValueId> activation(NodeId id, size_t i, ValueId source) {
    const auto wanted = plan_.operand_params(id, i);
    if (graph().value(source).is_const) return constant(source, *wanted);
    FB_ASSIGN(const ValueId mine, twin(source));
    if (!wanted || same(*wanted, graph().value(mine).quant)) return mine;
    auto& requantized = requantized_[{mine, wanted->scale[0], wanted->zero()}];
    if (requantized == 0) {
      Value value = graph().value(mine);
      value.name += "_requantized";
      value.quant = *wanted;
      const ValueId to = graph().add_value(std::move(value));
      update_version(model_, graph_index_, graph().insert_node(convert_node(Op::QUANTIZE, mine, to), id));
      requantized = to;
    }
    return requantized;
  }

  static bool same(const QuantParams& a, const QuantParams& b) { return a.scale == b.scale && a.zero() == b.zero(); }

  // A constant operand that is no weight: one integer copy for each set of parameters.
  ValueId constant(ValueId source, const QuantParams& params) {
    auto& known = constants_[{source, params.scale[0], params.zero()}];
    if (known != 0) return known;
    Value value = graph().value(source);
    const auto floats = value.data.as<float>();
    value.data = plan_.activation() == DType::kInt16 ? ConstData::own(quantize_int16(floats, params))
                                                     : ConstData::own(quantize_int8(floats, params));
    value.dtype = plan_.activation();
    value.quant = params;
    return known = graph().add_value(std::move(value));
  }

  Result<ValueId> weights(const Node& node, const std::vector<ValueId>& inputs, const QuantRule& rule, size_t i) {
    const ValueId source = inputs[i];
    const Value& value = graph().value(source);
    int axis = options_.per_channel ? operand_rule(rule.inputs, i).axis : -1;
    if (axis >= static_cast<int>(value.shape.size())) axis = -1;
    FB_ASSIGN(std::vector<float> least, bias_limits(inputs, rule, i, axis));
    auto& known = weights_[{source, axis, least}];
    if (known != 0) return known;
    QuantizedWeights quantized = weights_of(node, value, axis, options_, least);
    Value integer = value;
    integer.dtype = DType::kInt8;
    integer.quant = std::move(quantized.quant);
    integer.data = ConstData::own(std::move(quantized.values));
    return known = graph().add_value(std::move(integer));
  }

  // The least scale of each weight channel that keeps its bias within half of int32; empty when no bias comes near.
  Result<std::vector<float>> bias_limits(const std::vector<ValueId>& inputs, const QuantRule& rule, size_t weights_at,
                                         int axis) {
    std::vector<float> least;
    if (plan_.activation() == DType::kInt16) return least;  // int64 biases
    for (size_t b = 0; b < inputs.size(); ++b) {
      const OperandRule& operand = operand_rule(rule.inputs, b);
      if (operand.kind != OperandQuant::kBias || operand.weights != static_cast<int8_t>(weights_at) ||
          !is_float(inputs[b]))
        continue;
      const auto values = graph().value(inputs[b]).data.as<float>();
      FB_ASSIGN(const ValueId input, twin(inputs[static_cast<size_t>(operand.input)]));
      const float input_scale = graph().value(input).quant.scale[0];
      std::vector<float> limits;
      for (float value : values) limits.push_back(min_weight_scale_for_bias(value, input_scale));
      if (axis < 0 && !limits.empty()) limits = {*std::max_element(limits.begin(), limits.end())};
      least = std::move(limits);
    }
    const auto channels =
        axis < 0 ? size_t{1} : static_cast<size_t>(graph().value(inputs[weights_at]).shape[static_cast<size_t>(axis)]);
    if (least.size() != channels) least.clear();
    // Only limits that bind are kept, so that a weight shared by two operators stays shared where it can.
    const QuantizedWeights free = quantize_weights(graph().value(inputs[weights_at]).data.as<float>(),
                                                   graph().value(inputs[weights_at]).shape, axis);
    bool binds = false;
    for (size_t c = 0; c < least.size(); ++c) binds |= least[c] > free.quant.scale[c];
    if (!binds) least.clear();
    return least;
  }

  // How far rounding the weights shifts the mean of each output channel; empty where that is not known. `inputs` are the float
  // operands, the node has the integer ones.
  std::vector<double> shift(const Node& node, const OperandRule& rule, const std::vector<ValueId>& inputs) {
    const TensorStats* stats = statistics_.find(graph_index_, inputs[static_cast<size_t>(rule.input)]);
    if (!options_.correct_bias || stats == nullptr) return {};
    const auto weights_at = static_cast<size_t>(rule.weights);
    return mean_shift(graph(), node, graph().value(inputs[weights_at]), graph().value(node.inputs[weights_at]),
                      stats->means());
  }

  // Operand i of the node, a bias: the float one (or none) less the shift of the mean, in integers.
  void set_bias(NodeId id, const OperandRule& rule, const std::vector<ValueId>& inputs, size_t i) {
    Node& node = graph().node(id);
    const Value& weight = graph().value(node.inputs[static_cast<size_t>(rule.weights)]);
    const std::vector<double> off = shift(node, rule, inputs);
    Value value;
    std::vector<float> floats;
    if (i < inputs.size() && inputs[i] != kNoValue) {
      value = graph().value(inputs[i]);
      floats.assign(value.data.as<float>().begin(), value.data.as<float>().end());
    } else {
      value.name = weight.name + "_bias";
      value.shape = {static_cast<int32_t>(off.size())};
      value.is_const = true;
      floats.resize(off.size());
    }
    if (floats.empty()) return;
    for (size_t c = 0; off.size() == floats.size() && c < off.size(); ++c) {
      floats[c] = static_cast<float>(floats[c] - off[c]);
    }
    const float input_scale = graph().value(node.inputs[static_cast<size_t>(rule.input)]).quant.scale[0];
    value.quant = {};
    for (float scale : weight.quant.scale) value.quant.scale.push_back(input_scale * scale);
    value.quant.zero_point.assign(value.quant.scale.size(), 0);
    if (plan_.activation() == DType::kInt16) {
      value.dtype = DType::kInt64;
      value.data = ConstData::own(quantize_bias_int64(floats, input_scale, weight.quant.scale));
    } else {
      value.dtype = DType::kInt32;
      value.data = ConstData::own(quantize_bias_int32(floats, input_scale, weight.quant.scale));
    }
    if (node.inputs.size() <= i) node.inputs.resize(i + 1, kNoValue);
    node.inputs[i] = graph().add_value(std::move(value));
  }

  // int16 ADD and SUB are written for scales of any kind, not powers of two.
  static void use_general_int16(Node& node) {
    if (node.options->AsAddOptions() == nullptr && node.options->AsSubOptions() == nullptr) return;
    auto options = std::make_shared<tflite::BuiltinOptionsUnion>(*node.options);
    if (auto* add = options->AsAddOptions()) add->pot_scale_int16 = false;
    if (auto* sub = options->AsSubOptions()) sub->pot_scale_int16 = false;
    node.options = std::move(options);
  }

  // ---- where integers meet floats ----

  bool float_consumed(ValueId id) {
    const auto& consumers = uses_.consumers(id);
    return std::any_of(consumers.begin(), consumers.end(), [&](NodeId node) { return !plan_.is_integer(node); });
  }

  NodeId convert(Op op, ValueId from, ValueId to, NodeId after) {
    const NodeId id =
        after < 0 ? (graph().order().empty() ? graph().add_node(convert_node(op, from, to))
                                             : graph().insert_node(convert_node(op, from, to), graph().order().front()))
                  : graph().insert_node_after(convert_node(op, from, to), after);
    update_version(model_, graph_index_, id);
    return id;
  }

  // The value of another integer type that a graph input or output has beside its twin; the twin itself when the types agree.
  Result<ValueId> interface_value(ValueId original, DType type) {
    FB_ASSIGN(const ValueId inner, twin(original));
    if (type == plan_.activation()) return inner;
    Value value = graph().value(inner);
    value.dtype = type;
    if (type == DType::kUInt8) {
      value.quant.zero_point = {value.quant.zero() + 128};
    } else {  // int16 outside, int8 inside
      const QuantParams narrow = value.quant;
      const float lo = static_cast<float>(-128 - narrow.zero()) * narrow.scale[0];
      const float hi = static_cast<float>(127 - narrow.zero()) * narrow.scale[0];
      value.quant = activation_int16(lo, hi);
    }
    return graph().add_value(std::move(value));
  }

  void replace_in_signatures(ValueId from, ValueId to, bool inputs) {
    for (Signature& signature : model_.signatures) {
      if (signature.graph != graph_index_) continue;
      for (SignatureTensor& tensor : inputs ? signature.inputs : signature.outputs) {
        if (tensor.value == from) tensor.value = to;
      }
    }
  }

  Status join_inputs() {
    const DType type = is_interface_ ? options_.input_type : DType::kFloat32;
    const std::vector<ValueId> inputs = graph().inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!is_float(inputs[i])) continue;
      if (type == DType::kFloat32) {
        if (twins_.count(inputs[i])) convert(Op::QUANTIZE, inputs[i], twins_[inputs[i]], -1);
        continue;
      }
      FB_ASSIGN(const ValueId outer, interface_value(inputs[i], type));
      const ValueId inner = twins_[inputs[i]];
      if (float_consumed(inputs[i]) || uses_.is_graph_output(inputs[i])) convert(Op::DEQUANTIZE, inner, inputs[i], -1);
      if (outer != inner) convert(Op::QUANTIZE, outer, inner, -1);
      graph().value(outer).name = graph().value(inputs[i]).name;
      named_[outer] = true;
      graph().inputs[i] = outer;
      replace_in_signatures(inputs[i], outer, true);
    }
    return {};
  }

  // Behind each operator: its float outputs get an integer copy where integers read them, and the other way round.
  void join_producers() {
    for (const auto& [original, integer] : twins_) {
      const NodeId producer = uses_.producer(original);
      if (producer < 0) continue;
      if (!plan_.is_integer(producer)) {
        convert(Op::QUANTIZE, original, integer, producer);
      } else if (float_consumed(original) || (uses_.is_graph_output(original) && output_type() == DType::kFloat32)) {
        convert(Op::DEQUANTIZE, integer, original, producer);
      }
    }
  }

  DType output_type() const { return is_interface_ ? options_.output_type : DType::kFloat32; }

  Status join_outputs() {
    if (output_type() == DType::kFloat32) return {};
    std::map<ValueId, ValueId> done;
    for (ValueId& output : graph().outputs) {
      if (!is_float(output) || graph().value(output).is_const) continue;
      auto& replaced = done.try_emplace(output, kNoValue).first->second;
      if (replaced == kNoValue) {
        const bool had_twin = twins_.count(output) > 0;
        FB_ASSIGN(replaced, interface_value(output, output_type()));
        const ValueId inner = twins_[output];
        if (!had_twin) convert(Op::QUANTIZE, output, inner, graph().order().empty() ? -1 : graph().order().back());
        if (replaced != inner) convert(Op::QUANTIZE, inner, replaced, graph().order().back());
        named_[replaced] = true;
        graph().value(replaced).name = graph().value(output).name;
        replace_in_signatures(output, replaced, false);
      }
      output = replaced;
    }
    return {};
  }

  // An integer value takes the name of the float one that it replaces; where both live on, it says its type.
  void name_twins() {
    std::vector<uint8_t> alive(graph().value_count(), 0);
    for (NodeId id : graph().order()) {
      for (ValueId v : graph().node(id).inputs)
        if (v != kNoValue) alive[static_cast<size_t>(v)] = 1;
      for (ValueId v : graph().node(id).outputs)
        if (v != kNoValue) alive[static_cast<size_t>(v)] = 1;
    }
    std::map<std::string, bool> taken;
    for (const auto& [value, yes] : named_) taken[graph().value(value).name] = yes;
    for (const auto& [original, integer] : twins_) {
      if (named_.count(integer)) continue;
      Value& value = graph().value(integer);
      if (alive[static_cast<size_t>(original)] || taken.count(value.name))
        value.name += std::string("_") + dtype_name(value.dtype);
    }
  }

  Model& model_;
  const int32_t graph_index_;
  const Options& options_;
  const Statistics& statistics_;
  const IntegerPlan& plan_;
  const UseMap uses_;          // of the graph as it was
  bool is_interface_ = false;  // users see its inputs and outputs, no other graph calls it
  std::map<ValueId, ValueId> twins_;
  std::map<std::tuple<ValueId, float, int64_t>, ValueId> requantized_, constants_;
  std::map<std::tuple<ValueId, int, std::vector<float>>, ValueId> weights_;
  std::map<ValueId, bool> named_;
};

tl::unexpected<Error> offenders(const std::vector<Decision>& decisions) {
  std::string list;
  size_t count = 0;
  for (const Decision& decision : decisions) {
    if (decision.treatment != Treatment::kFloat) continue;
    ++count;
    list += fmt::format("\n  operator {} ({}, output '{}'): {}{}", decision.node, decision.type, decision.output,
                        decision.reason, decision.help.empty() ? "" : "; " + decision.help);
  }
  return fail(ErrorCode::kUnsupported, "{} operator{} cannot run on integers:{}", count, count == 1 ? "" : "s", list);
}

}  // namespace

Status quantize_integer_mode(Model& model, const Options& options, const Statistics& statistics, Quantized& out) {
  const Model before = model;  // plans read the graphs as they were; the rewriter keeps every old id
  std::vector<std::unique_ptr<IntegerPlan>> plans;
  for (size_t g = 0; g < before.graphs.size(); ++g) {
    plans.push_back(std::make_unique<IntegerPlan>(before, static_cast<int32_t>(g), options, statistics));
    FB_TRY(plans.back()->make());
    const auto& decisions = plans.back()->decisions();
    out.decisions.insert(out.decisions.end(), decisions.begin(), decisions.end());
  }
  const bool has_float = std::any_of(out.decisions.begin(), out.decisions.end(),
                                     [](const Decision& d) { return d.treatment == Treatment::kFloat; });
  if (options.mode == Mode::kInt8Only && has_float) return offenders(out.decisions);
  for (size_t g = 0; g < before.graphs.size(); ++g) {
    FB_TRY(GraphRewriter(model, static_cast<int32_t>(g), options, statistics, *plans[g]).run());
  }
  return {};
}

}  // namespace fewbits::quantize
