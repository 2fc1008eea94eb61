// Decides which operators become integers: reasons first, then islands, then groups of values that share parameters.
#include "quantize/integer_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "quantize/algorithms/lstm.h"
#include "quantize/algorithms/visible_range.h"
#include "quantize/internal.h"
#include "quantize/params.h"
#include "quantize/select.h"

namespace fewbits::quantize {

IntegerPlan::IntegerPlan(const Model& model, int32_t graph, const Options& options, const Statistics& statistics)
    : model_(model), graph_(graph), options_(options), statistics_(statistics) {
  const Graph& g = model.graphs[static_cast<size_t>(graph)];
  integer_.assign(g.node_count(), 0);
  parent_.resize(g.value_count());
  std::iota(parent_.begin(), parent_.end(), 0);
}

Status IntegerPlan::make() {
  for (NodeId id : graph().order()) {
    const Node& node = graph().node(id);
    const bool touches = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId v) { return is_float(v); }) ||
                         std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId v) { return is_float(v); });
    if (!touches) continue;
    Decision decision{graph_, id, node.type_name(), output_name(graph(), node), Treatment::kInteger, {}, {}};
    why_float(id, find_op(node), decision);
    if (!decision.reason.empty()) decision.treatment = Treatment::kFloat;
    integer_[static_cast<size_t>(id)] = decision.reason.empty();
    decisions_.push_back(std::move(decision));
  }
  leave_islands();
  for (size_t i = 0; i < graph().value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (const TensorStats* stats = statistics_.find(graph_, id); stats != nullptr && stats->samples > 0) {
      const bool average = options_.range == RangeRule::kMovingAverage;
      range_[id] = {average ? stats->average_min() : stats->min, average ? stats->average_max() : stats->max, true};
    }
  }
  cut_ranges();
  for (NodeId id : graph().order()) {
    if (is_integer(id)) group(id);
  }
  leave_refused_scales();
  return {};
}

// ---- reasons ----

bool IntegerPlan::seen(ValueId id) const {
  const TensorStats* stats = statistics_.find(graph_, id);
  return stats != nullptr && stats->samples > 0 && std::isfinite(stats->min) && std::isfinite(stats->max);
}

void IntegerPlan::why_float(NodeId id, const OpDef* def, Decision& decision) const {
  const Node& node = graph().node(id);
  decision.reason = not_selected(options_, decision.type, decision.output);
  if (!decision.reason.empty()) {
    decision.help = "change --include and --exclude";
    return;
  }
  if (def == nullptr) {
    decision.reason = "fewbits does not know this operator, so it stays as it is";
    decision.help = "replace it by builtin operators before conversion";
    return;
  }
  const bool sixteen = activation() == DType::kInt16;
  if (!(sixteen ? def->quant.int16 : def->quant.int8)) {
    decision.reason = fmt::format("LiteRT has no {} kernel for {}", dtype_name(activation()), decision.type);
    decision.help = sixteen && def->quant.int8 ? "mode int8 has one" : "mode int8 leaves it in float";
    return;
  }
  const NodeView view(model_, graph_, id);
  if (def->quant.decline != nullptr) decision.reason = def->quant.decline(view.context(), activation());
  if (!decision.reason.empty()) return;
  if (def->quant.custom != nullptr) {
    decision.reason = custom_problem(node, *def, view.context());
    if (!decision.reason.empty()) decision.help = "mode weights quantizes its weights";
  } else {
    decision.reason = operand_problem(node, *def, decision.help);
  }
}

std::string IntegerPlan::custom_problem(const Node& node, const OpDef& def, const OpContext& context) const {
  if (std::string_view(def.quant.custom) != "lstm" || activation() != DType::kInt8) {
    return "its integer form needs ranges from inside the operator, which calibration does not see";
  }
  if (!seen(node.inputs[0]) || !seen(node.outputs[0])) return "its input or output was never seen in calibration";
  return lstm_problem(context);
}

std::string IntegerPlan::operand_problem(const Node& node, const OpDef& def, std::string& help) const {
  const auto check = [&](ValueId id, const OperandRule& rule, bool input) -> std::string {
    if (id == kNoValue) return {};
    const Value& value = graph().value(id);
    if (!is_float(id)) {
      if (value.quant.quantized() && rule.kind != OperandQuant::kNone)
        return fmt::format("'{}' is quantized already", value.name);
      return {};
    }
    if (rule.kind == OperandQuant::kNone) return fmt::format("'{}' has no integer form here", value.name);
    if (rule.kind == OperandQuant::kBias && !value.is_const)
      return fmt::format("its bias '{}' is not a constant", value.name);
    if (value.is_const) {
      if (value.sparsity) return fmt::format("its weights '{}' are sparse", value.name);
      const Status finite = check_finite(value.data.as<float>(), value.name);
      return finite ? std::string() : finite.error().message;
    }
    if (value.is_variable) return fmt::format("'{}' is state that it keeps in float", value.name);
    if (!(rule.kind == OperandQuant::kFixed && !input) && !seen(id)) {
      help = "calibrate with samples that reach it";
      return fmt::format("'{}' was never seen in calibration", value.name);
    }
    return {};
  };
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    std::string problem = check(node.inputs[i], operand_rule(def.quant.inputs, i), true);
    if (!problem.empty()) return problem;
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    std::string problem = check(node.outputs[i], operand_rule(def.quant.outputs, i), false);
    if (!problem.empty()) return problem;
  }
  return {};
}

// A mover of data between operators that stay float would only add two conversions: it stays float with them.
void IntegerPlan::leave_islands() {
  if (options_.mode == Mode::kInt8Only) return;
  const UseMap uses(graph());
  for (bool changed = true; changed;) {
    changed = false;
    for (Decision& decision : decisions_) {
      const Node& node = graph().node(decision.node);
      if (!is_integer(decision.node)) continue;
      const auto& rules = find_op(node)->quant.outputs;
      const bool moves = !rules.empty() && std::all_of(rules.begin(), rules.end(), [](const OperandRule& rule) {
        return rule.kind == OperandQuant::kSame || rule.kind == OperandQuant::kNone;
      });
      if (!moves) continue;
      bool touches_integer = false;
      for (ValueId id : node.inputs) {
        if (!is_activation(id)) continue;
        const NodeId producer = uses.producer(id);
        touches_integer |= producer >= 0 ? is_integer(producer) : options_.input_type != DType::kFloat32;
      }
      for (ValueId id : node.outputs) {
        if (!is_float(id)) continue;
        for (NodeId consumer : uses.consumers(id)) touches_integer |= is_integer(consumer);
        touches_integer |= uses.is_graph_output(id) && options_.output_type != DType::kFloat32;
      }
      if (touches_integer) continue;
      decision.treatment = Treatment::kFloat;
      decision.reason = "all its neighbours stay in float";
      integer_[static_cast<size_t>(decision.node)] = 0;
      changed = true;
    }
  }
}

void IntegerPlan::leave_refused_scales() {
  for (Decision& decision : decisions_) {
    const Node& node = graph().node(decision.node);
    if (!is_integer(decision.node) || find_op(node)->quant.scales_problem == nullptr) continue;
    std::vector<float> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!is_float(node.inputs[i])) continue;
      const auto own = operand_params(decision.node, i);
      const auto quant = own ? own : params(node.inputs[i]);
      if (quant) inputs.push_back(quant->scale[0]);
    }
    const auto output = params(node.outputs[0]);
    if (inputs.size() != node.inputs.size()) continue;
    std::string problem = find_op(node)->quant.scales_problem(inputs, output ? output->scale[0] : 1, activation());
    if (problem.empty()) continue;
    decision.treatment = Treatment::kFloat;
    decision.reason = std::move(problem);
    integer_[static_cast<size_t>(decision.node)] = 0;
  }
}

// ---- groups ----

void IntegerPlan::cut_ranges() {
  if (!options_.cut_ranges || activation() != DType::kInt8) return;
  std::map<ValueId, Codes> values;
  for (const auto& [id, range] : range_) values[id].range = {range.min, range.max};
  for (const auto& [id, seen] :
       visible_ranges(model_, graph_, statistics_, values, [&](NodeId node) { return is_integer(node); })) {
    Range& range = range_.at(id);
    const float lo = std::max(range.min, seen.min), hi = std::min(range.max, seen.max);
    // A step further: the outermost codes are to lie outside for sure, wherever rounding the zero point moves them.
    const float step = (std::max(hi, 0.0f) - std::min(lo, 0.0f)) / 254;
    range.min = std::max(range.min, lo - step);
    range.max = std::min(range.max, hi + step);
  }
}

ValueId IntegerPlan::root(ValueId id) const {
  while (parent_[static_cast<size_t>(id)] != id) {
    parent_[static_cast<size_t>(id)] = parent_[static_cast<size_t>(parent_[static_cast<size_t>(id)])];
    id = parent_[static_cast<size_t>(id)];
  }
  return id;
}

IntegerPlan::Range IntegerPlan::range_of(ValueId id) const {
  const auto at = range_.find(root(id));
  return at == range_.end() ? Range{} : at->second;
}

void IntegerPlan::widen(ValueId id, const Range& range) {
  if (!range.known) return;
  Range& mine = range_[root(id)];
  mine = mine.known ? Range{std::min(mine.min, range.min), std::max(mine.max, range.max), true} : range;
}

void IntegerPlan::unite(ValueId a, ValueId b) {
  const ValueId ra = root(a), rb = root(b);
  if (ra == rb) return;
  const Range range = range_of(rb);
  const auto fixed = fixed_.find(rb);
  if (fixed != fixed_.end() && fixed_.count(ra) == 0) fixed_[ra] = fixed->second;
  parent_[static_cast<size_t>(rb)] = ra;
  widen(ra, range);
}

const FixedParams& IntegerPlan::fixed_of(const OperandRule& rule) const {
  return activation() == DType::kInt16 ? rule.fixed16 : rule.fixed8;
}

std::vector<std::pair<size_t, ValueId>> IntegerPlan::same_inputs(const Node& node, const QuantRule& rule) const {
  std::vector<std::pair<size_t, ValueId>> same;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (is_float(node.inputs[i]) && operand_rule(rule.inputs, i).kind == OperandQuant::kSame)
      same.emplace_back(i, node.inputs[i]);
  }
  return same;
}

void IntegerPlan::group(NodeId id) {
  const Node& node = graph().node(id);
  const QuantRule& rule = find_op(node)->quant;
  ValueId leader = kNoValue;  // whose parameters the kSame operands take: an output, else the first input
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    if (!is_float(output)) continue;
    const OperandRule& operand = operand_rule(rule.outputs, i);
    if (operand.kind == OperandQuant::kFixed) fixed_[root(output)] = fixed_of(operand);
    if (operand.kind != OperandQuant::kSame) continue;
    if (leader != kNoValue) unite(leader, output);
    leader = leader == kNoValue ? output : leader;
  }
  const auto same = same_inputs(node, rule);
  std::vector<std::pair<size_t, ValueId>> activations;
  std::copy_if(same.begin(), same.end(), std::back_inserter(activations),
               [&](const auto& s) { return is_activation(s.second); });
  if (leader == kNoValue && !activations.empty()) leader = activations[0].second;
  const auto fixed = [&](ValueId value) {
    const auto at = fixed_.find(root(value));
    return at == fixed_.end() ? FixedParams{} : at->second;
  };
  const bool alike = std::all_of(activations.begin(), activations.end(), [&](const auto& a) {
    const FixedParams mine = fixed(a.second), first = fixed(activations[0].second);
    return mine.scale == first.scale && mine.zero_point == first.zero_point;
  });
  for (const auto& [i, value] : activations) {
    const FixedParams mine = fixed(value);
    if (alike || mine.scale == 0) {
      unite(leader, value);
      continue;
    }
    // Fixed parameters would clip the other operands: this one is requantized on its way in.
    const float lo = activation() == DType::kInt8 ? -128.0f : -32768.0f,
                hi = activation() == DType::kInt8 ? 127.0f : 32767.0f;
    const float zero = static_cast<float>(mine.zero_point);
    widen(leader, {(lo - zero) * mine.scale, (hi - zero) * mine.scale, true});
    follows_[{id, i}] = leader;
  }
  for (const auto& [i, value] : same) {
    if (is_activation(value) || leader == kNoValue) continue;
    const auto values = graph().value(value).data.as<float>();
    if (!values.empty()) {
      const auto [lo, hi] = std::minmax_element(values.begin(), values.end());
      widen(leader, {*lo, *hi, true});
    }
    follows_[{id, i}] = leader;
  }
}

QuantParams IntegerPlan::make_params(const Range& range) const {
  return activation() == DType::kInt16 ? activation_int16(range.min, range.max) : activation_int8(range.min, range.max);
}

std::optional<QuantParams> IntegerPlan::params(ValueId id) const {
  const auto fixed = fixed_.find(root(id));
  if (fixed != fixed_.end()) {
    QuantParams quant;
    quant.scale = {fixed->second.scale};
    quant.zero_point = {fixed->second.zero_point};
    return quant;
  }
  const Range range = range_of(id);
  if (!range.known) return std::nullopt;
  return make_params(range);
}

std::optional<QuantParams> IntegerPlan::operand_params(NodeId id, size_t i) const {
  const auto follows = follows_.find({id, i});
  if (follows != follows_.end()) return params(follows->second);
  const ValueId value = graph().node(id).inputs[i];
  if (!is_float(value) || !graph().value(value).is_const) return std::nullopt;
  const auto values = graph().value(value).data.as<float>();
  Range range{0, 0, true};
  if (!values.empty()) {
    const auto [lo, hi] = std::minmax_element(values.begin(), values.end());
    range = {*lo, *hi, true};
  }
  return make_params(range);
}

}  // namespace fewbits::quantize
