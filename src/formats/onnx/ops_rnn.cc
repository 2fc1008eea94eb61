// ONNX recurrent networks: written out step by step where the steps are few and known, else as a loop over time. TFLite's own
// operators keep their state between runs, which is not what ONNX computes (passes/fuse_recurrent.cc).
#include <algorithm>

#include "formats/onnx/importer.h"
#include "formats/options.h"
#include "formats/time_loop.h"

namespace fewbits::onnx {
namespace {

constexpr int32_t kMostSteps = 1024;

ValueId activate(Call& c, GraphBuilder& b, const std::string& name, ValueId x) {
  if (name == "Sigmoid") return b.unary(Op::LOGISTIC, x);
  if (name == "Tanh") return b.unary(Op::TANH, x);
  if (name == "Relu") return b.unary(Op::RELU, x);
  if (name == "Elu") return b.unary(Op::ELU, x);
  if (name == "HardSigmoid") {
    const auto number = [&](double v) { return b.scalar(v, DType::kFloat32); };
    return b.clamp(b.add(b.mul(x, number(0.2)), number(0.5)), 0, 1);
  }
  return c.unsupported(fmt::format("the activation '{}' in a recurrent network", name));
}

// One direction's operands, and what both directions share.
struct Cell {
  int32_t hidden = 0;
  ValueId weights = kNoValue, recurrent = kNoValue;       // [gates * hidden, in], [gates * hidden, hidden]
  ValueId bias_in = kNoValue, bias_recurrent = kNoValue;  // [gates * hidden]
  ValueId peepholes = kNoValue;                           // [3 * hidden]
  std::string f, g, hh;
  double clip = 0;
};

// One step: the input's product [batch, gates * hidden], and the states before it. Gives those behind it.
using States = std::vector<ValueId>;

ValueId clipped(GraphBuilder& b, const Cell& cell, ValueId x) {
  return cell.clip > 0 ? b.clamp(x, -cell.clip, cell.clip) : x;
}

// i, o, f, c
States lstm_step(Call& c, GraphBuilder& b, const Cell& cell, ValueId from_input, const States& before) {
  const ValueId all = b.add(from_input, b.fully_connected(before[0], cell.recurrent, cell.bias_recurrent));
  auto gates = b.split(all, std::vector<int32_t>(4, cell.hidden), 1);
  std::vector<ValueId> peep;
  if (cell.peepholes != kNoValue) peep = b.split(cell.peepholes, std::vector<int32_t>(3, cell.hidden), 0);
  const auto peeped = [&](ValueId gate, size_t i, ValueId state) {
    return peep.empty() ? gate : b.add(gate, b.mul(peep[i], state));
  };
  const ValueId in = activate(c, b, cell.f, clipped(b, cell, peeped(gates[0], 0, before[1])));
  const ValueId forget = activate(c, b, cell.f, clipped(b, cell, peeped(gates[2], 2, before[1])));
  const ValueId candidate = activate(c, b, cell.g, clipped(b, cell, gates[3]));
  const ValueId state = b.add(b.mul(forget, before[1]), b.mul(in, candidate));
  const ValueId out = activate(c, b, cell.f, clipped(b, cell, peeped(gates[1], 1, state)));
  return {b.mul(out, activate(c, b, cell.hh, state)), state};
}

// z, r, h
States gru_step(Call& c, GraphBuilder& b, const Cell& cell, ValueId from_input, const States& before) {
  const ValueId h = before[0];
  const bool linear = c.int_attr("linear_before_reset", 0) != 0;
  const std::vector<int32_t> sizes = {2 * cell.hidden, cell.hidden};
  const auto in = b.split(from_input, sizes, 1);
  const auto recurrent = b.split(cell.recurrent, sizes, 0);
  const auto bias = b.split(cell.bias_recurrent, sizes, 0);
  const ValueId both = b.add(in[0], b.fully_connected(h, recurrent[0], bias[0]));
  const auto gates = b.split(activate(c, b, cell.f, clipped(b, cell, both)), std::vector<int32_t>(2, cell.hidden), 1);
  const ValueId kept = linear ? b.mul(gates[1], b.fully_connected(h, recurrent[1], bias[1]))
                              : b.fully_connected(b.mul(gates[1], h), recurrent[1], bias[1]);
  const ValueId candidate = activate(c, b, cell.g, clipped(b, cell, b.add(in[1], kept)));
  // (1 - z) * candidate + z * h
  return {b.add(candidate, b.mul(gates[0], b.sub(h, candidate)))};
}

States rnn_step(Call& c, GraphBuilder& b, const Cell& cell, ValueId from_input, const States& before) {
  const ValueId sum = b.add(from_input, b.fully_connected(before[0], cell.recurrent, cell.bias_recurrent));
  return {activate(c, b, cell.f, clipped(b, cell, sum))};
}

struct Kind {
  int gates;
  States (*step)(Call&, GraphBuilder&, const Cell&, ValueId, const States&);
  std::vector<std::string> activations;
};

// Slice `i` of the leading dimension, which goes.
ValueId part(Call& c, ValueId x, int32_t i) {
  if (x == kNoValue) return x;
  const ValueId slice = c.b.strided_slice(x, {0}, {i}, {i + 1}, {1});
  return c.b.squeeze(slice, {0});
}

// The outputs of all steps [steps, batch, hidden] in time's order, and the states behind the last one.
struct Results {
  ValueId all = kNoValue;
  States last;
};

Results write_out(Call& c, const Cell& cell, const Kind& kind, ValueId x, States states, bool reverse) {
  const int32_t steps = c.b.dim(x, 0), batch = c.b.dim(x, 1);
  const ValueId flat = c.b.reshape(x, {steps * batch, c.b.dim(x, 2)});
  ValueId all = c.b.fully_connected(flat, cell.weights, cell.bias_in);
  all = c.b.reshape(all, {steps, batch, kind.gates * cell.hidden});
  std::vector<ValueId> outputs(static_cast<size_t>(steps), kNoValue);
  for (int32_t i = 0; i < steps && c.b.ok(); ++i) {
    const int32_t t = reverse ? steps - 1 - i : i;
    states = kind.step(c, c.b, cell, part(c, all, t), states);
    outputs[static_cast<size_t>(t)] = states[0];
  }
  return {c.wants(0) && c.b.ok() ? c.b.pack(outputs, 0) : kNoValue, std::move(states)};
}

// Whether the step can be said in a loop's body, which has constants of its own.
bool has_constant_weights(const GraphBuilder& b, const Cell& cell) {
  return b.is_const(cell.recurrent) && b.is_const(cell.bias_recurrent) &&
         (cell.peepholes == kNoValue || b.is_const(cell.peepholes));
}

Results run_loop(Call& c, const Cell& cell, const Kind& kind, ValueId x, States states, bool reverse, ValueId mask) {
  formats::TimeLoop loop;
  loop.name = c.node().name().empty() ? c.op() : c.node().name();
  const auto turned = [&](ValueId sequence) {
    return c.b.node(Op::REVERSE_V2, {sequence, c.b.ints({0})}, formats::options(tflite::ReverseV2OptionsT()));
  };
  // Sequence operators read time forwards only.
  const bool turn = reverse && mask == kNoValue && c.importer().wants_loops();
  loop.x = c.b.fully_connected(turn ? turned(x) : x, cell.weights, cell.bias_in);
  loop.time_axis = 0;
  loop.units = cell.hidden;
  loop.states = std::move(states);
  loop.keep_all = c.wants(0);
  loop.reverse = reverse && !turn;
  loop.mask = mask;
  loop.zeros = true;
  loop.step = [&](GraphBuilder& b, ValueId from_input, const States& before) {
    Cell inside = cell;
    for (ValueId* id : {&inside.recurrent, &inside.bias_recurrent, &inside.peepholes}) {
      if (*id != kNoValue) *id = formats::constant_in(b, c.b.value(*id));
    }
    return kind.step(c, b, inside, from_input, before);
  };
  const formats::Sequence done = formats::run_over_time(c.b, loop);
  return {turn && done.all != kNoValue ? turned(done.all) : done.all, done.states};
}

// [batch, steps] bool: which steps each sequence has; kNoValue where all have all.
ValueId length_mask(Call& c, ValueId x) {
  if (!c.has(4)) return kNoValue;
  const int32_t steps = c.b.dim(x, 0);
  const auto lengths = c.b.int_values(c.in(4));
  if (lengths && std::all_of(lengths->begin(), lengths->end(), [&](int64_t n) { return n == steps; })) return kNoValue;
  const ValueId length = c.b.expand_dims(c.b.cast(c.in(4), DType::kInt32), {1});
  const ValueId step = c.b.node(Op::RANGE, {c.b.int_scalar(0), c.b.size_of(x, 0), c.b.int_scalar(1)});
  return c.b.binary(Op::LESS, c.b.expand_dims(step, {0}), length);
}

// Attributes that no step here has.
bool is_known(Call& c) {
  if (c.int_attr("input_forget", 0) != 0) c.unsupported("input_forget");
  if (!c.floats_attr("activation_alpha").empty() || !c.floats_attr("activation_beta").empty())
    c.unsupported("activations with parameters of their own (activation_alpha, activation_beta)");
  return c.b.ok();
}

Cell cell_of(Call& c, const Kind& kind, int32_t hidden, int32_t direction) {
  Cell cell;
  cell.hidden = hidden;
  cell.clip = c.float_attr("clip", 0);
  std::vector<std::string> names;
  if (const proto::Attribute* given = c.attr("activations"))
    names.assign(given->strings().begin(), given->strings().end());
  const size_t base = static_cast<size_t>(direction) * kind.activations.size();
  const auto activation = [&](size_t i) {
    return base + i < names.size() ? names[base + i] : i < kind.activations.size() ? kind.activations[i] : "";
  };
  cell.f = activation(0);
  cell.g = activation(1);
  cell.hh = activation(2);
  cell.weights = part(c, c.need(1), direction);
  cell.recurrent = part(c, c.need(2), direction);
  const int32_t size = kind.gates * hidden;
  if (c.has(3)) {
    const auto halves = c.b.split(part(c, c.in(3), direction), {size, size}, 0);
    cell.bias_in = halves[0];
    cell.bias_recurrent = halves.back();
  } else {
    cell.bias_in = cell.bias_recurrent = c.b.floats(std::vector<float>(static_cast<size_t>(size), 0.0f));
  }
  if (kind.gates == 4 && c.has(7)) cell.peepholes = part(c, c.in(7), direction);
  return cell;
}

void recurrent(Call& c, const Kind& kind) {
  const bool batch_first = c.int_attr("layout", 0) != 0;
  ValueId x = c.need(0);
  if (c.rank(x) != 3) return (void)c.invalid("its input has not three dimensions");
  if (batch_first) x = c.b.transpose(x, {1, 0, 2});
  const int32_t steps = c.b.dim(x, 0), batch = c.b.dim(x, 1), hidden = c.b.dim(c.need(2), 2);
  if (hidden < 1 || c.b.dim(x, 2) < 1 || !is_known(c))
    return (void)c.unsupported("a recurrent network whose input or state has an open size");
  const std::string direction = c.string_attr("direction", "forward");
  const int32_t directions = direction == "bidirectional" ? 2 : 1;
  const ValueId mask = length_mask(c, x);
  const bool may_write_out = steps > 0 && steps <= kMostSteps && batch > 0 && mask == kNoValue;
  const auto initial = [&](size_t input, int32_t d) {
    if (!c.has(input)) return formats::zeros_of(c.b, {c.b.size_of(x, 1), c.b.int_scalar(hidden)});
    return part(c, batch_first ? c.b.transpose(c.in(input), {1, 0, 2}) : c.in(input), d);
  };
  std::vector<ValueId> all, last_h, last_state;
  for (int32_t d = 0; d < directions && c.b.ok(); ++d) {
    const Cell cell = cell_of(c, kind, hidden, d);
    States states{initial(5, d)};
    if (kind.gates == 4) states.push_back(initial(6, d));
    const bool reverse = d == 1 || direction == "reverse";
    const bool constant = has_constant_weights(c.b, cell);
    if (!may_write_out && !constant)
      return (void)c.unsupported(
          "a recurrent network with computed weights over an open number of steps or rows, more than "
          "1024 steps, or sequences of different lengths");
    const Results results = may_write_out && !(constant && c.importer().wants_loops())
                                ? write_out(c, cell, kind, x, std::move(states), reverse)
                                : run_loop(c, cell, kind, x, std::move(states), reverse, mask);
    if (!c.b.ok()) return;
    all.push_back(results.all);
    last_h.push_back(results.last[0]);
    last_state.push_back(results.last.back());
  }
  if (!c.b.ok()) return;
  // [steps, directions, batch, hidden], or [batch, steps, directions, hidden]
  if (c.wants(0)) {
    if (batch_first) {
      for (ValueId& one : all) one = c.b.transpose(one, {1, 0, 2});
    }
    c.out(c.b.pack(all, batch_first ? 2 : 1), 0);
  }
  c.out(c.b.pack(last_h, batch_first ? 1 : 0), 1);
  if (kind.gates == 4) c.out(c.b.pack(last_state, batch_first ? 1 : 0), 2);
}

void map_lstm(Call& c) { recurrent(c, {4, lstm_step, {"Sigmoid", "Tanh", "Tanh"}}); }
void map_gru(Call& c) { recurrent(c, {3, gru_step, {"Sigmoid", "Tanh"}}); }
void map_rnn(Call& c) { recurrent(c, {1, rnn_step, {"Tanh"}}); }

constexpr OpEntry kOps[] = {
    {"GRU", map_gru},
    {"LSTM", map_lstm},
    {"RNN", map_rnn},
};

}  // namespace

std::span<const OpEntry> rnn_ops() { return kOps; }

}  // namespace fewbits::onnx
