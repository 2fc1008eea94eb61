// Recurrent layers as WHILE loops over time, and the wrappers around layers.
#include <algorithm>
#include <map>
#include <optional>

#include "formats/keras/masks.h"
#include "formats/options.h"
#include "formats/time_loop.h"

namespace fewbits::keras {
namespace {

using formats::constant_in;
using formats::zeros_of;

// What a cell is made of; weights as data, because a loop's body has constants of its own.
struct Cell {
  enum class Kind { kSimple, kLstm, kGru };
  Kind kind = Kind::kSimple;
  int32_t units = 0;
  bool reset_after = true;          // GRU: the reset gate acts on the recurrent product
  const LayerCall* call = nullptr;  // activations
  Value recurrent;                  // [units, gates * units]
  Value recurrent_bias;             // GRU with reset_after: [gates * units]; else not constant
};

ValueId activated(GraphBuilder& b, const Cell& cell, ValueId x, const char* key, const char* otherwise) {
  const auto found = cell.call->config.find(key);
  if (found == cell.call->config.end() || found->is_null())
    return apply_activation(b, cell.call->context, x, Json(otherwise));
  return apply_activation(b, cell.call->context, x, *found);
}
ValueId gate(GraphBuilder& b, const Cell& cell, ValueId x) {
  const char* otherwise = cell.call->context.keras_major >= 3 ? "sigmoid" : "hard_sigmoid";
  return activated(b, cell, x, "recurrent_activation", otherwise);
}
ValueId candidate(GraphBuilder& b, const Cell& cell, ValueId x) { return activated(b, cell, x, "activation", "tanh"); }

// h times columns [from, to) of the recurrent kernel.
ValueId recurrent_product(GraphBuilder& b, const Cell& cell, ValueId h, int32_t from, int32_t to) {
  const ValueId kernel = b.strided_slice(constant_in(b, cell.recurrent), {1}, {from}, {to}, {1});
  const ValueId bias = cell.recurrent_bias.is_const
                           ? b.strided_slice(constant_in(b, cell.recurrent_bias), {0}, {from}, {to}, {1})
                           : kNoValue;
  return b.fully_connected(h, b.transpose(kernel, {1, 0}), bias);
}

// One step: x is the input's product with its kernel, bias added, [batch, gates * units].
std::vector<ValueId> step(GraphBuilder& b, const Cell& cell, ValueId x, const std::vector<ValueId>& states) {
  const int32_t u = cell.units;
  const ValueId h = states[0];
  if (cell.kind == Cell::Kind::kSimple) return {candidate(b, cell, b.add(x, recurrent_product(b, cell, h, 0, u)))};
  if (cell.kind == Cell::Kind::kLstm) {
    const auto gates = b.split(b.add(x, recurrent_product(b, cell, h, 0, 4 * u)), {u, u, u, u}, 1);
    const ValueId kept = b.mul(gate(b, cell, gates[1]), states[1]);
    const ValueId c = b.add(kept, b.mul(gate(b, cell, gates[0]), candidate(b, cell, gates[2])));
    return {b.mul(gate(b, cell, gates[3]), candidate(b, cell, c)), c};
  }
  const auto xs = b.split(x, {u, u, u}, 1);
  ValueId z, fresh;
  if (cell.reset_after) {
    const auto hs = b.split(recurrent_product(b, cell, h, 0, 3 * u), {u, u, u}, 1);
    z = gate(b, cell, b.add(xs[0], hs[0]));
    const ValueId r = gate(b, cell, b.add(xs[1], hs[1]));
    fresh = candidate(b, cell, b.add(xs[2], b.mul(r, hs[2])));
  } else {
    const auto hs = b.split(recurrent_product(b, cell, h, 0, 2 * u), {u, u}, 1);
    z = gate(b, cell, b.add(xs[0], hs[0]));
    const ValueId r = gate(b, cell, b.add(xs[1], hs[1]));
    fresh = candidate(b, cell, b.add(xs[2], recurrent_product(b, cell, b.mul(r, h), 2 * u, 3 * u)));
  }
  return {b.add(b.mul(z, h), b.mul(b.sub(b.scalar_like(1, z), z), fresh))};
}

ValueId reversed_in_time(GraphBuilder& b, ValueId x) {
  return b.node(Op::REVERSE_V2, {x, b.ints({1})}, formats::options(tflite::ReverseV2OptionsT()));
}

// The states that the model gives a recurrent layer to begin with: behind its input (Keras 2) or by name (Keras 3).
std::vector<Argument> initial_states(const LayerCall& call) {
  std::vector<Argument> states;
  for (size_t i = 1; i < call.arguments.size(); ++i) {
    if (call.arguments[i].value != kNoValue) states.push_back(call.arguments[i]);
  }
  if (const auto named = call.keywords.find("initial_state"); named != call.keywords.end()) {
    for (const Argument& state : named->second) {
      if (state.value != kNoValue) states.push_back(state);
    }
  }
  return states;
}

// A recurrent layer: its sequence or last output, then its states when it returns them. `own`: its cell's weights.
Outputs recurrent(LayerCall& call, Cell::Kind kind, LayerWeights own) {
  GraphBuilder& b = call.b;
  if (call.flag("stateful", false)) return {call.unsupported("stateful=True")};
  if (call.flag("time_major", false)) return {call.unsupported("time_major=True")};
  Cell cell;
  cell.kind = kind;
  cell.call = &call;
  cell.units = call.integer("units", 0);
  // GRU of Keras 1 and 2.0 had no reset_after: it stood at False.
  cell.reset_after = kind == Cell::Kind::kGru && call.flag("reset_after", call.context.keras_major >= 3);
  LayerCall weights_of(b, call.context, call.class_name, call.config, own);
  const ValueId kernel = weights_of.weight("kernel");
  const ValueId recurrent_kernel = weights_of.weight("recurrent_kernel");
  ValueId bias = call.flag("use_bias", true) ? weights_of.weight("bias") : kNoValue;
  if (!b.ok()) return {kernel};
  cell.recurrent = b.value(recurrent_kernel);
  if (bias != kNoValue && b.rank(bias) == 2) {  // [2, gates * units]: the input's and the recurrent one
    const ValueId second = b.squeeze(b.strided_slice(bias, {0}, {1}, {2}, {1}), {0});
    cell.recurrent_bias = b.value(second);
    bias = b.squeeze(b.strided_slice(bias, {0}, {0}, {1}, {1}), {0});
  }
  const size_t state_count = kind == Cell::Kind::kLstm ? 2 : 1;
  std::vector<ValueId> states;
  for (const Argument& state : initial_states(call)) states.push_back(state.value);
  if (!states.empty() && states.size() != state_count)
    return {call.unsupported(fmt::format("{} initial states where {} are meant", states.size(), state_count))};
  ValueId x = call.in(0);
  // Keras 3 finds the mask of a call's only tensor: one with initial states has a mask by name or none.
  const bool finds_mask = states.empty() || call.context.keras_major < 3 || call.keywords.count("mask") != 0;
  formats::TimeLoop loop;
  loop.mask = finds_mask ? call.mask() : kNoValue;
  loop.zeros = call.flag("zero_output_for_mask", false);
  if (loop.mask != kNoValue && b.rank(loop.mask) != 2) return {call.unsupported("a mask of this rank")};
  if (call.flag("go_backwards", false)) {
    x = reversed_in_time(b, x);
    if (loop.mask != kNoValue) loop.mask = reversed_in_time(b, loop.mask);
  }
  loop.name = call.text("name", "rnn");
  loop.x = b.fully_connected(x, b.transpose(kernel, {1, 0}), bias);
  while (states.size() < state_count) states.push_back(zeros_of(b, {b.size_of(x, 0), b.int_scalar(cell.units)}));
  loop.states = std::move(states);
  loop.units = cell.units;
  loop.keep_all = call.flag("return_sequences", false);
  loop.step = [&cell](GraphBuilder& turn, ValueId in, const std::vector<ValueId>& before) {
    return step(turn, cell, in, before);
  };
  const formats::Sequence done = formats::run_over_time(b, loop);
  Outputs out{loop.keep_all ? done.all : done.last};
  if (call.flag("return_state", false)) out.insert(out.end(), done.states.begin(), done.states.end());
  return out;
}

Outputs recurrent(LayerCall& call, Cell::Kind kind) { return recurrent(call, kind, call.weights.part("cell")); }
Outputs simple_rnn(LayerCall& call) { return recurrent(call, Cell::Kind::kSimple); }
Outputs lstm(LayerCall& call) { return recurrent(call, Cell::Kind::kLstm); }
Outputs gru(LayerCall& call) { return recurrent(call, Cell::Kind::kGru); }

// ---- wrappers ----

// The configuration of the layer inside a wrapper, and its class.
const Json* wrapped(const LayerCall& call, const char* key, std::string& class_name) {
  const auto found = call.config.find(key);
  if (found == call.config.end() || !found->is_object() || !found->contains("class_name") ||
      !found->contains("config") || !(*found)["class_name"].is_string())
    return nullptr;
  class_name = (*found)["class_name"].get<std::string>();
  return &(*found)["config"];
}

Outputs bidirectional(LayerCall& call) {
  GraphBuilder& b = call.b;
  std::string class_name;
  const Json* config = wrapped(call, "layer", class_name);
  const LayerRule rule = config == nullptr ? nullptr : find_layer(class_name);
  if (rule == nullptr) return {call.unsupported("it wraps a layer that is not known")};
  Json backward = *config;
  std::string backward_class = class_name;
  LayerRule backward_rule = rule;
  if (const Json* own = wrapped(call, "backward_layer", backward_class); own != nullptr) {
    backward = *own;
    backward_rule = find_layer(backward_class);
    if (backward_rule == nullptr) return {call.unsupported("it wraps a layer that is not known")};
  } else {
    backward["go_backwards"] = !(config->contains("go_backwards") && (*config)["go_backwards"] == true);
  }
  // The first half of the initial states is the forward layer's.
  const std::vector<Argument> states = initial_states(call);
  if (states.size() % 2 != 0) return {call.unsupported("initial states that are not as many for both directions")};
  Outputs sides[2];
  for (int side = 0; side < 2; ++side) {
    Json side_config = side == 0 ? *config : backward;
    // Keras gives zeros, not repetitions, where the steps of two directions meet.
    side_config["zero_output_for_mask"] =
        side_config.contains("return_sequences") && side_config["return_sequences"] == true;
    LayerWeights weights = call.weights.part(side == 0 ? "forward_layer" : "backward_layer");
    LayerCall inner(b, call.context, side == 0 ? class_name : backward_class, side_config, weights);
    inner.arguments = {call.arguments[0]};
    if (const auto mask = call.keywords.find("mask"); mask != call.keywords.end())
      inner.keywords["mask"] = mask->second;
    const auto half = static_cast<std::ptrdiff_t>(states.size() / 2);
    inner.arguments.insert(inner.arguments.end(), states.begin() + side * half, states.begin() + (side + 1) * half);
    sides[side] = (side == 0 ? rule : backward_rule)(inner);
    if (!b.ok()) return sides[side];
    const bool sequence = inner.flag("return_sequences", false);
    if (inner.flag("return_state", false)) return {call.unsupported("return_state of both directions")};
    if (side == 1 && sequence) sides[side][0] = reversed_in_time(b, sides[side][0]);
  }
  const ValueId x = sides[0][0], y = sides[1][0];
  const auto merge = call.config.find("merge_mode");
  if (merge != call.config.end() && merge->is_null()) return {x, y};
  const std::string mode = call.text("merge_mode", "concat");
  if (mode == "concat") return {b.concat({x, y}, b.rank(x) - 1)};
  if (mode == "sum") return {b.add(x, y)};
  if (mode == "mul") return {b.mul(x, y)};
  if (mode == "ave") return {b.mul(b.add(x, y), b.scalar_like(0.5, x))};
  return {call.unsupported("the merge mode " + mode)};
}

// Batch and time as one batch around the layer inside.
Outputs time_distributed(LayerCall& call) {
  GraphBuilder& b = call.b;
  std::string class_name;
  const Json* config = wrapped(call, "layer", class_name);
  const LayerRule rule = config == nullptr ? nullptr : find_layer(class_name);
  if (rule == nullptr) return {call.unsupported("it wraps a layer that is not known")};
  const ValueId x = call.in();
  const auto joined = [&](ValueId first, ValueId second, ValueId of, int skip) {
    std::vector<ValueId> sizes;
    if (second == kNoValue) {
      sizes.push_back(first);
    } else {
      sizes = {first, second};
    }
    for (int i = skip; i < b.rank(of); ++i) sizes.push_back(b.size_of(of, i));
    return b.reshape_to(of, b.pack(sizes, 0));
  };
  const ValueId batch = b.size_of(x, 0), time = b.size_of(x, 1);
  LayerWeights weights = call.weights.part("layer");
  LayerCall inner(b, call.context, class_name, *config, weights);
  inner.arguments = {{joined(b.mul(batch, time), kNoValue, x, 2), nullptr}};
  Outputs out = rule(inner);
  if (!b.ok()) return out;
  return {joined(batch, time, out[0], 1)};
}

std::optional<Cell::Kind> cell_kind(std::string_view class_name) {
  if (class_name == "LSTMCell") return Cell::Kind::kLstm;
  if (class_name == "GRUCell") return Cell::Kind::kGru;
  if (class_name == "SimpleRNNCell") return Cell::Kind::kSimple;
  return std::nullopt;
}

// Cells one on top of the other are layers one behind the other.
Outputs stacked_cells(LayerCall& call, const Json& cells) {
  if (!initial_states(call).empty() || call.flag("return_state", false))
    return {call.unsupported("states of StackedRNNCells")};
  const ValueId mask = call.mask();
  const bool backwards = call.flag("go_backwards", false);
  if (mask != kNoValue && backwards) return {call.unsupported("StackedRNNCells that go backwards over a mask")};
  const LayerWeights all = call.weights.part("cell").part("cells");
  std::map<std::string, int> seen;
  Argument x{call.in(), nullptr};
  Outputs out;
  for (size_t i = 0; i < cells.size() && call.b.ok(); ++i) {
    const Json& cell = cells[i];
    const bool is_cell = cell.is_object() && cell.contains("config") && cell.value("class_name", Json()).is_string();
    const std::string class_name = is_cell ? cell["class_name"].get<std::string>() : "no cell";
    const auto kind = cell_kind(class_name);
    if (!kind) return {call.unsupported("a cell that is not known: " + class_name)};
    const bool is_last = i + 1 == cells.size();
    Json config = cell["config"];
    config["name"] = fmt::format("{}/{}", call.text("name", "rnn"), i);
    config["stateful"] = call.flag("stateful", false);
    config["go_backwards"] = i == 0 && backwards;
    config["return_sequences"] = !is_last || call.flag("return_sequences", false);
    config["zero_output_for_mask"] = is_last && call.flag("zero_output_for_mask", false);
    const int number = seen[class_name]++;
    LayerWeights own = all.part(snake_case(class_name) + (number == 0 ? "" : fmt::format("_{}", number)));
    LayerCall inner(call.b, call.context, class_name, config, own);
    inner.arguments = {x};
    if (mask != kNoValue) inner.keywords["mask"] = {{mask, nullptr}};
    out = recurrent(inner, *kind, own);
    x.value = out[0];
  }
  return out;
}

// RNN(cell): the cell's own configuration, the layer's flags.
Outputs rnn(LayerCall& call) {
  std::string class_name;
  const Json* cell = wrapped(call, "cell", class_name);
  if (cell != nullptr && class_name == "StackedRNNCells" && cell->value("cells", Json()).is_array() &&
      !(*cell)["cells"].empty())
    return stacked_cells(call, (*cell)["cells"]);
  const auto kind = cell_kind(class_name);
  if (cell == nullptr || !kind) return {call.unsupported("a cell that is not known: " + class_name)};
  Json config = *cell;
  for (const char* key :
       {"return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask", "name"}) {
    if (call.config.contains(key)) config[key] = call.config[key];
  }
  LayerCall inner(call.b, call.context, class_name, config, call.weights);
  inner.arguments = call.arguments;
  inner.keywords = call.keywords;
  return recurrent(inner, *kind);
}

constexpr LayerEntry kLayers[] = {
    {"Bidirectional", bidirectional},      {"GRU", gru}, {"LSTM", lstm}, {"RNN", rnn}, {"SimpleRNN", simple_rnn},
    {"TimeDistributed", time_distributed},
};

}  // namespace

std::span<const LayerEntry> recurrent_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
