// The match works on what is computed, not on one exporter's way to write it: gates are sums of products with the step's input
// and with the state, in any order, whole or as parts of a split.
#include "passes/recurrent_loop.h"

#include <algorithm>

#include "passes/rewriter.h"

namespace fewbits::passes {
namespace {

using tflite::ActivationFunctionType;

constexpr int kMostTerms = 32;  // of a gate's sum

// A graph with the makers of its values.
class View {
 public:
  explicit View(const Graph& graph) : graph_(graph), uses_(graph) {}

  const Graph& graph() const { return graph_; }
  const UseMap& uses() const { return uses_; }
  const Value& value(ValueId id) const { return graph_.value(id); }
  bool is_const(ValueId id) const { return id != kNoValue && value(id).is_const; }
  const Node* maker(ValueId id) const {
    const NodeId node = id == kNoValue || !graph_.valid(id) ? -1 : uses_.producer(id);
    return node < 0 ? nullptr : &graph_.node(node);
  }
  const Node* maker(ValueId id, Op op) const {
    const Node* node = maker(id);
    return node != nullptr && node->op == op ? node : nullptr;
  }
  // Which input of the graph a value is, copies by reshapes to the same shape included; -1: none.
  int argument(ValueId id) const {
    for (const Node* node = maker(id, Op::RESHAPE); node != nullptr; node = maker(id, Op::RESHAPE)) {
      const Value& from = value(node->inputs[0]);
      if (!is_reshape_target(value(id)) || !from.has_rank || open_shape(from) != open_shape(value(id))) break;
      id = node->inputs[0];
    }
    const auto found = std::find(graph_.inputs.begin(), graph_.inputs.end(), id);
    return found == graph_.inputs.end() ? -1 : static_cast<int>(found - graph_.inputs.begin());
  }
  std::optional<int32_t> const_int(ValueId id) const {
    const auto numbers = const_ints(graph_, id);
    return numbers && numbers->size() == 1 ? std::optional((*numbers)[0]) : std::nullopt;
  }

 private:
  const Graph& graph_;
  UseMap uses_;
};

// `id` is the sum of the value `a` and a constant.
bool is_plus(const View& view, ValueId id, int argument, int32_t constant) {
  const Node* add = view.maker(id, Op::ADD);
  if (add == nullptr) return false;
  for (size_t i = 0; i < 2; ++i) {
    if (view.argument(add->inputs[i]) == argument && view.const_int(add->inputs[1 - i]) == constant) return true;
  }
  return false;
}

bool all_zero(const View& view, ValueId id) {
  if (const Node* fill = view.maker(id, Op::FILL)) id = fill->inputs[1];
  if (!view.is_const(id) || view.value(id).dtype != DType::kFloat32 || view.value(id).sparsity != nullptr) return false;
  const auto numbers = view.value(id).data.as<float>();
  return std::all_of(numbers.begin(), numbers.end(), [](float v) { return v == 0; });
}

const float* const_floats(const View& view, ValueId id, size_t count) {
  if (!view.is_const(id) || view.value(id).dtype != DType::kFloat32 || view.value(id).quant.quantized()) return nullptr;
  const auto numbers = view.value(id).data.as<float>();
  return numbers.size() == count ? numbers.data() : nullptr;
}

// What a loop variable is from turn to turn.
enum class Role { kStays, kCounts, kGathers, kState };

class Matcher {
 public:
  Matcher(const View& outer, const Node& loop, const View& test, const View& body)
      : outer_(outer), loop_(loop), test_(test), body_(body) {}

  std::optional<RecurrentLoop> match() {
    if (!assign_roles() || !find_step() || !check_turns() || !check_borders()) return std::nullopt;
    return found_;
  }

 private:
  bool assign_roles() {
    const size_t count = loop_.inputs.size();
    const Graph& graph = body_.graph();
    if (graph.inputs.size() != count || graph.outputs.size() != count || loop_.outputs.size() != count ||
        test_.graph().inputs.size() != count || test_.graph().outputs.size() != 1)
      return false;
    for (size_t i = 0; i < count; ++i) {
      const int index = static_cast<int>(i);
      const ValueId next = graph.outputs[i];
      if (body_.argument(next) == index) {
        roles_.push_back(Role::kStays);
      } else if (is_plus(body_, next, index, 1)) {
        if (outer_.const_int(loop_.inputs[i]) != 0) return false;
        roles_.push_back(Role::kCounts);
      } else if (const Node* update = body_.maker(next, Op::DYNAMIC_UPDATE_SLICE);
                 update != nullptr && body_.argument(update->inputs[0]) == index) {
        if (list_ >= 0) return false;
        list_ = index;
        roles_.push_back(Role::kGathers);
      } else {
        roles_.push_back(Role::kState);
        states_.push_back(i);
      }
    }
    return states_.size() == 1 || states_.size() == 2;
  }

  bool is_turn(ValueId id) const {
    const int argument = body_.argument(id);
    return argument >= 0 && roles_[static_cast<size_t>(argument)] == Role::kCounts;
  }

  // The step as an LSTM of either order of its states, or as a simple RNN.
  bool find_step() {
    found_.is_lstm = states_.size() == 2;
    if (!found_.is_lstm) return read_simple(states_[0]);
    return read_lstm(states_[0], states_[1]) || read_lstm(states_[1], states_[0]);
  }

  bool set_state(size_t h) {
    h_ = h;
    const Value& state = body_.value(body_.graph().inputs[h]);
    if (!state.has_rank || state.shape.size() != 2 || state.dtype != DType::kFloat32) return false;
    found_.last = static_cast<int>(h);
    found_.units = open_shape(state)[1];
    found_.x = kNoValue;
    found_.gates.clear();
    return found_.units > 0;
  }

  bool read_simple(size_t h) {
    if (!set_state(h)) return false;
    ValueId id = body_.graph().outputs[h];
    const Node* node = body_.maker(id);
    if (node == nullptr) return false;
    found_.activation = ActivationFunctionType::NONE;
    bool inside = false;  // the activation is the sum's own
    if (node->op == Op::TANH) {
      found_.activation = ActivationFunctionType::TANH;
    } else if (node->op == Op::RELU) {
      found_.activation = ActivationFunctionType::RELU;
    } else if (node->op == Op::RELU6) {
      found_.activation = ActivationFunctionType::RELU6;
    } else if (node->op == Op::ADD && node->options->AsAddOptions() != nullptr) {
      found_.activation = node->options->AsAddOptions()->fused_activation_function;
      inside = true;
    } else {
      return false;
    }
    return read_gate(inside ? id : node->inputs[0], inside);
  }

  // h' = LOGISTIC(out) * act(c'), c' = LOGISTIC(forget) * c + LOGISTIC(in) * act(cell)
  bool read_lstm(size_t h, size_t c) {
    if (!set_state(h)) return false;
    const ValueId next_h = body_.graph().outputs[h], next_c = body_.graph().outputs[c];
    const Node* out = plain(next_h, Op::MUL);
    const Node* sum = plain(next_c, Op::ADD);
    if (out == nullptr || sum == nullptr) return false;
    ValueId gate_out = kNoValue, gate_forget = kNoValue, gate_in = kNoValue, gate_cell = kNoValue;
    for (size_t i = 0; i < 2 && gate_out == kNoValue; ++i) {
      const Node* sigmoid = body_.maker(out->inputs[i], Op::LOGISTIC);
      const auto activation = activation_of(out->inputs[1 - i]);
      if (sigmoid == nullptr || !activation || body_.maker(out->inputs[1 - i])->inputs[0] != next_c) continue;
      gate_out = sigmoid->inputs[0];
      found_.activation = *activation;
    }
    for (size_t i = 0; i < 2 && gate_forget == kNoValue; ++i) {
      const Node *kept = plain(sum->inputs[i], Op::MUL), *fresh = plain(sum->inputs[1 - i], Op::MUL);
      if (kept == nullptr || fresh == nullptr) continue;
      for (size_t j = 0; j < 2; ++j) {
        const Node* forget = body_.maker(kept->inputs[j], Op::LOGISTIC);
        if (forget != nullptr && body_.argument(kept->inputs[1 - j]) == static_cast<int>(c))
          gate_forget = forget->inputs[0];
        const Node* in = body_.maker(fresh->inputs[j], Op::LOGISTIC);
        if (in == nullptr || activation_of(fresh->inputs[1 - j]) != found_.activation) continue;
        gate_in = in->inputs[0];
        gate_cell = body_.maker(fresh->inputs[1 - j])->inputs[0];
      }
    }
    if (gate_out == kNoValue || gate_forget == kNoValue || gate_in == kNoValue) return false;
    return read_gate(gate_in, false) && read_gate(gate_forget, false) && read_gate(gate_cell, false) &&
           read_gate(gate_out, false);
  }

  // The maker of a value when it has no activation of its own.
  const Node* plain(ValueId id, Op op) const {
    const Node* node = body_.maker(id, op);
    if (node == nullptr) return nullptr;
    const auto none = [](const auto* table) {
      return table == nullptr || table->fused_activation_function == ActivationFunctionType::NONE;
    };
    const bool bare = op == Op::ADD   ? none(node->options->AsAddOptions())
                      : op == Op::MUL ? none(node->options->AsMulOptions())
                                      : none(node->options->AsFullyConnectedOptions());
    return bare ? node : nullptr;
  }

  std::optional<ActivationFunctionType> activation_of(ValueId id) const {
    const Node* node = body_.maker(id);
    if (node == nullptr) return std::nullopt;
    if (node->op == Op::TANH) return ActivationFunctionType::TANH;
    if (node->op == Op::RELU) return ActivationFunctionType::RELU;
    return node->op == Op::RELU6 ? std::optional(ActivationFunctionType::RELU6) : std::nullopt;
  }

  // A gate: the whole of a sum, or one part of its split in equal parts.
  bool read_gate(ValueId id, bool activated_sum) {
    const auto units = static_cast<size_t>(found_.units);
    size_t row = 0, rows = units;
    const Node* split = body_.maker(id);
    if (split != nullptr && (split->op == Op::SPLIT || split->op == Op::SPLIT_V)) {
      const size_t data = split->op == Op::SPLIT ? 1 : 0;
      const auto axis = body_.const_int(split->inputs[split->op == Op::SPLIT ? 0 : 2]);
      if (!axis || (*axis != 1 && *axis != -1)) return false;
      for (ValueId part : split->outputs) {
        const Value& value = body_.value(part);
        if (!value.has_rank || value.shape.size() != 2 || value.shape[1] != found_.units) return false;
      }
      row = units *
            static_cast<size_t>(std::find(split->outputs.begin(), split->outputs.end(), id) - split->outputs.begin());
      rows = units * split->outputs.size();
      id = split->inputs[data];
    }
    GateWeights gate;
    gate.bias.assign(units, 0.0f);
    int terms = 0;
    if (!add_terms(id, row, rows, activated_sum, gate, terms) || gate.input.empty() || gate.recurrent.empty())
      return false;
    found_.gates.push_back(std::move(gate));
    return true;
  }

  // Adds what `id` [batch, rows] sums up to a gate, which is its rows [row, row + units).
  bool add_terms(ValueId id, size_t row, size_t rows, bool activated, GateWeights& gate, int& terms) {
    if (++terms > kMostTerms) return false;
    if (const float* bias = const_floats(body_, id, rows)) {
      add_bias(bias, row, gate);
      return true;
    }
    const Node* add = activated ? body_.maker(id, Op::ADD) : plain(id, Op::ADD);
    if (add != nullptr)
      return add_terms(add->inputs[0], row, rows, false, gate, terms) &&
             add_terms(add->inputs[1], row, rows, false, gate, terms);
    if (body_.maker(id, Op::GATHER) != nullptr) return add_projected(id, row, rows, gate);
    const Node* product = plain(id, Op::FULLY_CONNECTED);
    if (product == nullptr) return false;
    if (body_.argument(product->inputs[0]) == static_cast<int>(h_))
      return add_product(body_, *product, row, rows, found_.units, gate.recurrent, gate);
    if (!take_sequence(product->inputs[0])) return false;
    const int32_t size = body_.value(product->inputs[0]).shape.back();
    return take_input(source_, size) && add_product(body_, *product, row, rows, size, gate.input, gate);
  }

  // The product with the input was computed for all steps before the loop.
  bool add_projected(ValueId id, size_t row, size_t rows, GateWeights& gate) {
    if (!take_sequence(id)) return false;
    const Node* product = outer_.maker(source_, Op::FULLY_CONNECTED);
    if (product == nullptr) return false;
    const auto* table = product->options->AsFullyConnectedOptions();
    const Value& x = outer_.value(product->inputs[0]);
    if (table == nullptr || !table->keep_num_dims || !x.has_rank || x.shape.size() != 3 ||
        table->fused_activation_function != ActivationFunctionType::NONE)
      return false;
    return take_input(product->inputs[0], x.shape[2]) &&
           add_product(outer_, *product, row, rows, x.shape[2], gate.input, gate);
  }

  // GATHER(sequence, turn): notes which loop variable, and the axis.
  bool take_sequence(ValueId id) {
    const Node* gather = body_.maker(id, Op::GATHER);
    if (gather == nullptr || !is_turn(gather->inputs[1])) return false;
    const auto* table = gather->options->AsGatherOptions();
    const int axis = table == nullptr ? 0 : table->axis;
    const int argument = body_.argument(gather->inputs[0]);
    if (argument < 0 || roles_[static_cast<size_t>(argument)] != Role::kStays || axis < 0 || axis > 1 ||
        (table != nullptr && table->batch_dims != 0) || body_.value(gather->inputs[1]).shape != Shape{})
      return false;
    if (found_.x != kNoValue && (sequence_ != argument || found_.time_axis != axis)) return false;
    sequence_ = argument;
    found_.time_axis = axis;
    source_ = loop_.inputs[static_cast<size_t>(argument)];
    const Value& source = outer_.value(source_);
    return source.has_rank && source.shape.size() == 3 && source.dtype == DType::kFloat32;
  }

  bool take_input(ValueId x, int32_t size) {
    if (found_.x != kNoValue && (found_.x != x || found_.size != size)) return false;
    found_.x = x;
    found_.size = size;
    return size > 0;
  }

  bool add_product(const View& view, const Node& product, size_t row, size_t rows, int32_t columns,
                   std::vector<float>& weights, GateWeights& gate) {
    const size_t width = static_cast<size_t>(columns), units = static_cast<size_t>(found_.units);
    const float* all = const_floats(view, product.inputs[1], rows * width);
    if (all == nullptr || !weights.empty()) return false;
    weights.assign(all + row * width, all + (row + units) * width);
    if (product.inputs.size() < 3 || product.inputs[2] == kNoValue) return true;
    const float* bias = const_floats(view, product.inputs[2], rows);
    if (bias == nullptr) return false;
    add_bias(bias, row, gate);
    return true;
  }

  void add_bias(const float* bias, size_t row, GateWeights& gate) const {
    for (size_t i = 0; i < gate.bias.size(); ++i) gate.bias[i] += bias[row + i];
  }

  // The loop runs once for each step of the sequence.
  bool check_turns() const {
    const Shape shape = open_shape(outer_.value(loop_.inputs[static_cast<size_t>(sequence_)]));
    const int32_t steps = shape[static_cast<size_t>(found_.time_axis)];
    int64_t least = INT64_MAX;
    std::vector<ValueId> open = {test_.graph().outputs[0]};
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (const Node* both = test_.maker(id, Op::LOGICAL_AND)) {
        open.insert(open.end(), both->inputs.begin(), both->inputs.end());
        if (open.size() > kMostTerms) return false;
        continue;
      }
      const Node* less = test_.maker(id, Op::LESS);
      const int turn = less == nullptr ? -1 : test_.argument(less->inputs[0]);
      if (turn < 0 || roles_[static_cast<size_t>(turn)] != Role::kCounts) return false;
      if (is_length(less->inputs[1])) {
        if (steps < 0 && least == INT64_MAX) least = steps;
        if (steps >= 0) least = std::min<int64_t>(least, steps);
        continue;
      }
      const auto limit = limit_of(less->inputs[1]);
      if (!limit || steps < 0) return false;
      least = std::min<int64_t>(least, *limit);
    }
    return least == steps;
  }

  std::optional<int32_t> limit_of(ValueId id) const {
    const int argument = test_.argument(id);
    if (argument < 0) return test_.const_int(id);
    const auto i = static_cast<size_t>(argument);
    return roles_[i] == Role::kStays ? outer_.const_int(loop_.inputs[i]) : std::nullopt;
  }

  // STRIDED_SLICE(SHAPE(sequence)) that picks the number of steps.
  bool is_length(ValueId id) const {
    const Node* slice = test_.maker(id, Op::STRIDED_SLICE);
    const Node* shape = slice == nullptr ? nullptr : test_.maker(slice->inputs[0], Op::SHAPE);
    return shape != nullptr && test_.argument(shape->inputs[0]) == sequence_ &&
           test_.const_int(slice->inputs[1]) == found_.time_axis && test_.value(id).shape.empty();
  }

  bool check_borders() {
    const Shape shape = open_shape(outer_.value(found_.x));
    found_.batch = shape[static_cast<size_t>(1 - found_.time_axis)];
    if (found_.batch < 1) return false;
    for (size_t state : states_) {
      if (!all_zero(outer_, loop_.inputs[state])) return false;
    }
    if (list_ >= 0 && !reads_list()) return false;
    for (size_t i = 0; i < loop_.outputs.size(); ++i) {
      const int index = static_cast<int>(i);
      const ValueId id = loop_.outputs[i];
      const bool read = !outer_.uses().consumers(id).empty() || outer_.uses().is_graph_output(id);
      if (read && index != list_ && index != found_.last) return false;
    }
    return true;
  }

  // DYNAMIC_UPDATE_SLICE(list, h' with a size of one for time, where): every step has its place, or all have the only one.
  bool reads_list() {
    const auto i = static_cast<size_t>(list_);
    const Node* update = body_.maker(body_.graph().outputs[i], Op::DYNAMIC_UPDATE_SLICE);
    const Node* written = body_.maker(update->inputs[1]);
    if (written == nullptr || (written->op != Op::RESHAPE && written->op != Op::EXPAND_DIMS) ||
        written->inputs[0] != body_.graph().outputs[h_])
      return false;
    const auto axis = static_cast<size_t>(found_.time_axis);
    const Value &list = outer_.value(loop_.inputs[i]), &step = body_.value(update->inputs[1]);
    if (!list.has_rank || list.shape.size() != 3 || !step.has_rank || step.shape.size() != 3 || step.shape[axis] != 1 ||
        open_shape(list)[2] != found_.units)
      return false;
    if (const_ints(body_.graph(), update->inputs[2]) == std::vector<int32_t>{0, 0, 0} && open_shape(list)[axis] == 1) {
      found_.only = list_;
      return true;
    }
    const Node* start = body_.maker(update->inputs[2], Op::PACK);
    if (start == nullptr || start->inputs.size() != 3) return false;
    for (size_t d = 0; d < 3; ++d) {
      if (d == axis ? !is_turn(start->inputs[d]) : body_.const_int(start->inputs[d]) != 0) return false;
    }
    found_.all = list_;
    return open_shape(list)[axis] == open_shape(outer_.value(loop_.inputs[static_cast<size_t>(sequence_)]))[axis];
  }

  const View& outer_;
  const Node& loop_;
  const View &test_, &body_;
  RecurrentLoop found_;
  std::vector<Role> roles_;
  std::vector<size_t> states_;
  size_t h_ = 0;
  int sequence_ = -1, list_ = -1;
  ValueId source_ = kNoValue;  // the sequence outside of the loop
};

}  // namespace

std::optional<RecurrentLoop> match_recurrent_loop(const Model& model, const Graph& graph, NodeId id) {
  const Node& loop = graph.node(id);
  const auto* table = loop.options->AsWhileOptions();
  if (loop.op != Op::WHILE || table == nullptr) return std::nullopt;
  const View outer(graph), test(model.graphs[static_cast<size_t>(table->cond_subgraph_index)]),
      body(model.graphs[static_cast<size_t>(table->body_subgraph_index)]);
  return Matcher(outer, loop, test, body).match();
}

}  // namespace fewbits::passes
