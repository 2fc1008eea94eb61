// ONNX recurrent networks, unrolled over their steps: state that is kept between runs, as TFLite's own operators do, would not
// be what ONNX computes.
#include <algorithm>

#include "formats/onnx/importer.h"

namespace fewbits::onnx {
namespace {

constexpr int32_t kMostSteps = 1024;

ValueId activate(Call& c, const std::string& name, ValueId x) {
  if (name == "Sigmoid") return c.b.unary(Op::LOGISTIC, x);
  if (name == "Tanh") return c.b.unary(Op::TANH, x);
  if (name == "Relu") return c.b.unary(Op::RELU, x);
  if (name == "Elu") return c.b.unary(Op::ELU, x);
  if (name == "HardSigmoid") {
    const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
    return c.b.clamp(c.b.add(c.b.mul(x, number(0.2)), number(0.5)), 0, 1);
  }
  return c.unsupported(fmt::format("the activation '{}' in a recurrent network", name));
}

// One direction's operands, and what both directions share.
struct Cell {
  int32_t steps = 0, batch = 0, hidden = 0;
  ValueId weights = kNoValue, recurrent = kNoValue;       // [gates * hidden, in], [gates * hidden, hidden]
  ValueId bias_in = kNoValue, bias_recurrent = kNoValue;  // [gates * hidden]
  ValueId h = kNoValue, state = kNoValue, peepholes = kNoValue;
  std::string f, g, hh;
  double clip = 0;
};

ValueId clipped(Call& c, const Cell& cell, ValueId x) {
  return cell.clip > 0 ? c.b.clamp(x, -cell.clip, cell.clip) : x;
}

// i, o, f, c
void lstm_step(Call& c, Cell& cell, ValueId from_input) {
  const ValueId all = c.b.add(from_input, c.b.fully_connected(cell.h, cell.recurrent, cell.bias_recurrent));
  auto gates = c.b.split(all, std::vector<int32_t>(4, cell.hidden), 1);
  std::vector<ValueId> peep;
  if (cell.peepholes != kNoValue) peep = c.b.split(cell.peepholes, std::vector<int32_t>(3, cell.hidden), 0);
  const auto peeped = [&](ValueId gate, size_t i, ValueId state) {
    return peep.empty() ? gate : c.b.add(gate, c.b.mul(peep[i], state));
  };
  const ValueId in = activate(c, cell.f, clipped(c, cell, peeped(gates[0], 0, cell.state)));
  const ValueId forget = activate(c, cell.f, clipped(c, cell, peeped(gates[2], 2, cell.state)));
  const ValueId candidate = activate(c, cell.g, clipped(c, cell, gates[3]));
  cell.state = c.b.add(c.b.mul(forget, cell.state), c.b.mul(in, candidate));
  const ValueId out = activate(c, cell.f, clipped(c, cell, peeped(gates[1], 1, cell.state)));
  cell.h = c.b.mul(out, activate(c, cell.hh, cell.state));
}

// z, r, h
void gru_step(Call& c, Cell& cell, ValueId from_input) {
  const bool linear = c.int_attr("linear_before_reset", 0) != 0;
  const std::vector<int32_t> sizes = {2 * cell.hidden, cell.hidden};
  const auto in = c.b.split(from_input, sizes, 1);
  const auto recurrent = c.b.split(cell.recurrent, sizes, 0);
  const auto bias = c.b.split(cell.bias_recurrent, sizes, 0);
  const ValueId both = c.b.add(in[0], c.b.fully_connected(cell.h, recurrent[0], bias[0]));
  const auto gates = c.b.split(activate(c, cell.f, clipped(c, cell, both)), std::vector<int32_t>(2, cell.hidden), 1);
  const ValueId kept = linear ? c.b.mul(gates[1], c.b.fully_connected(cell.h, recurrent[1], bias[1]))
                              : c.b.fully_connected(c.b.mul(gates[1], cell.h), recurrent[1], bias[1]);
  const ValueId candidate = activate(c, cell.g, clipped(c, cell, c.b.add(in[1], kept)));
  // (1 - z) * candidate + z * h
  cell.h = c.b.add(candidate, c.b.mul(gates[0], c.b.sub(cell.h, candidate)));
}

void rnn_step(Call& c, Cell& cell, ValueId from_input) {
  const ValueId sum = c.b.add(from_input, c.b.fully_connected(cell.h, cell.recurrent, cell.bias_recurrent));
  cell.h = activate(c, cell.f, clipped(c, cell, sum));
}

struct Kind {
  int gates;
  void (*step)(Call&, Cell&, ValueId);
  std::vector<std::string> activations;
};

// Slice `i` of the leading dimension, which goes.
ValueId part(Call& c, ValueId x, int32_t i) {
  if (x == kNoValue) return x;
  const ValueId slice = c.b.strided_slice(x, {0}, {i}, {i + 1}, {1});
  return c.b.squeeze(slice, {0});
}

// Runs one direction over x [steps, batch, in]; gives the states of all steps, in time's order.
std::vector<ValueId> run(Call& c, Cell& cell, const Kind& kind, ValueId x, bool reverse) {
  const ValueId flat = c.b.reshape(x, {cell.steps * cell.batch, c.b.dim(x, 2)});
  ValueId all = c.b.fully_connected(flat, cell.weights, cell.bias_in);
  all = c.b.reshape(all, {cell.steps, cell.batch, kind.gates * cell.hidden});
  std::vector<ValueId> states(static_cast<size_t>(cell.steps), kNoValue);
  for (int32_t i = 0; i < cell.steps && c.b.ok(); ++i) {
    const int32_t t = reverse ? cell.steps - 1 - i : i;
    kind.step(c, cell, part(c, all, t));
    states[static_cast<size_t>(t)] = cell.h;
  }
  return states;
}

bool full_lengths(Call& c, int32_t steps) {
  if (!c.has(4)) return true;
  const auto lengths = c.b.int_values(c.in(4));
  return lengths && std::all_of(lengths->begin(), lengths->end(), [&](int64_t n) { return n == steps; });
}

void recurrent(Call& c, const Kind& kind) {
  const bool batch_first = c.int_attr("layout", 0) != 0;
  ValueId x = c.need(0);
  if (c.rank(x) != 3) return (void)c.invalid("its input has not three dimensions");
  if (batch_first) x = c.b.transpose(x, {1, 0, 2});
  Cell shared;
  shared.steps = c.b.dim(x, 0);
  shared.batch = c.b.dim(x, 1);
  shared.hidden = c.b.dim(c.need(2), 2);
  shared.clip = c.float_attr("clip", 0);
  if (shared.steps < 1 || shared.batch < 1 || shared.hidden < 1 || c.b.dim(x, 2) < 1) {
    return (void)c.unsupported("a recurrent network over an open number of steps or rows: give them with --shape");
  }
  if (shared.steps > kMostSteps) {
    return (void)c.unsupported(
        fmt::format("{} steps of a recurrent network; up to {} are unrolled", shared.steps, kMostSteps));
  }
  if (!full_lengths(c, shared.steps)) return (void)c.unsupported("sequences of different lengths");
  if (c.int_attr("input_forget", 0) != 0) return (void)c.unsupported("input_forget");
  if (!c.floats_attr("activation_alpha").empty() || !c.floats_attr("activation_beta").empty()) {
    return (void)c.unsupported("activations with parameters of their own (activation_alpha, activation_beta)");
  }
  const std::string direction = c.string_attr("direction", "forward");
  const int32_t directions = direction == "bidirectional" ? 2 : 1;
  std::vector<std::string> activations;
  if (const proto::Attribute* names = c.attr("activations")) {
    activations.assign(names->strings().begin(), names->strings().end());
  }
  const auto initial = [&](size_t input, int32_t d) {
    if (!c.has(input)) {
      return c.b.constant(std::vector<float>(static_cast<size_t>(shared.batch * shared.hidden), 0.0f), DType::kFloat32,
                          {shared.batch, shared.hidden});
    }
    return part(c, batch_first ? c.b.transpose(c.in(input), {1, 0, 2}) : c.in(input), d);
  };
  std::vector<std::vector<ValueId>> states;
  std::vector<ValueId> last_h, last_state;
  for (int32_t d = 0; d < directions; ++d) {
    Cell cell = shared;
    const size_t base = static_cast<size_t>(d) * kind.activations.size();
    const auto activation = [&](size_t i) {
      return base + i < activations.size() ? activations[base + i]
             : i < kind.activations.size() ? kind.activations[i]
                                           : "";
    };
    cell.f = activation(0);
    cell.g = activation(1);
    cell.hh = activation(2);
    cell.weights = part(c, c.need(1), d);
    cell.recurrent = part(c, c.need(2), d);
    const int32_t size = kind.gates * cell.hidden;
    if (c.has(3)) {
      const auto halves = c.b.split(part(c, c.in(3), d), {size, size}, 0);
      cell.bias_in = halves[0];
      cell.bias_recurrent = halves.back();
    } else {
      cell.bias_in = cell.bias_recurrent = c.b.floats(std::vector<float>(static_cast<size_t>(size), 0.0f));
    }
    cell.h = initial(5, d);
    if (kind.gates == 4) cell.state = initial(6, d);
    if (kind.gates == 4 && c.has(7)) cell.peepholes = part(c, c.in(7), d);
    states.push_back(run(c, cell, kind, x, d == 1 || direction == "reverse"));
    last_h.push_back(cell.h);
    last_state.push_back(cell.state);
  }
  if (!c.b.ok()) return;
  if (c.wants(0)) {
    std::vector<ValueId> by_direction;
    for (const auto& list : states) by_direction.push_back(c.b.pack(list, batch_first ? 1 : 0));
    c.out(c.b.pack(by_direction, batch_first ? 2 : 1), 0);  // [steps, directions, batch, hidden]
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
