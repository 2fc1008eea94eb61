// Loops of LSTM and simple RNN steps become TFLite's sequence operators. Only where it is asked for: the operators keep their
// state from run to run, the loops begin at zero (docs/decisions/006).
#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/recurrent_loop.h"
#include "passes/rewriter.h"

namespace fewbits::passes {
namespace {

using Options = std::shared_ptr<const tflite::BuiltinOptionsUnion>;

template <class Table>
Options options_of(Table table) {
  auto all = std::make_shared<tflite::BuiltinOptionsUnion>();
  all->Set(std::move(table));
  return all;
}

ValueId state(Rewriter& r, const RecurrentLoop& loop, const std::string& name) {
  Value like;
  like.name = name;
  const ValueId id = r.add_value(like, {loop.batch, loop.units});
  r.graph().value(id).is_variable = true;
  return id;
}

// The sequence operator's inputs behind x [batch, time, size].
Node sequence_node(Rewriter& r, const RecurrentLoop& loop, ValueId x, const std::string& name) {
  const auto weights = [&](const std::vector<float>& values, int32_t columns, const std::string& what) {
    const Shape shape = columns == 0 ? Shape{loop.units} : Shape{loop.units, columns};
    return r.add_const(ConstData::own(values), DType::kFloat32, shape, name + "/" + what);
  };
  Node node;
  if (!loop.is_lstm) {
    const GateWeights& gate = loop.gates[0];
    node.op = Op::UNIDIRECTIONAL_SEQUENCE_RNN;
    node.inputs = {x, weights(gate.input, loop.size, "kernel"), weights(gate.recurrent, loop.units, "recurrent_kernel"),
                   weights(gate.bias, 0, "bias"), state(r, loop, name + "/state")};
    tflite::SequenceRNNOptionsT table;
    table.fused_activation_function = loop.activation;
    node.options = options_of(std::move(table));
    return node;
  }
  constexpr const char* kGates[] = {"input", "forget", "cell", "output"};
  node.op = Op::UNIDIRECTIONAL_SEQUENCE_LSTM;
  node.inputs.assign(24, kNoValue);  // no peepholes, projection and layer norms
  node.inputs[0] = x;
  for (size_t i = 0; i < 4; ++i) {
    const std::string gate = kGates[i];
    node.inputs[1 + i] = weights(loop.gates[i].input, loop.size, "input_to_" + gate);
    node.inputs[5 + i] = weights(loop.gates[i].recurrent, loop.units, "recurrent_to_" + gate);
    node.inputs[12 + i] = weights(loop.gates[i].bias, 0, gate + "_bias");
  }
  node.inputs[18] = state(r, loop, name + "/state");
  node.inputs[19] = state(r, loop, name + "/cell_state");
  tflite::UnidirectionalSequenceLSTMOptionsT table;
  table.fused_activation_function = loop.activation;
  node.options = options_of(std::move(table));
  return node;
}

// y[:, -1, :]
Node last_step(Rewriter& r, ValueId all, const std::string& name) {
  tflite::StridedSliceOptionsT table;
  table.begin_mask = table.end_mask = 0b101;
  table.shrink_axis_mask = 0b010;
  Node node;
  node.op = Op::STRIDED_SLICE;
  node.inputs = {all, r.add_ints({0, -1, 0}, name + "/begin"), r.add_ints({0, 0, 0}, name + "/end"),
                 r.add_ints({1, 1, 1}, name + "/step")};
  node.options = options_of(std::move(table));
  return node;
}

ValueId swapped(Rewriter& r, ValueId x, NodeId before) {
  Shape shape = open_shape(r.value(x));
  std::swap(shape[0], shape[1]);
  Node node;
  node.op = Op::TRANSPOSE;
  node.inputs = {x, r.add_ints({1, 0, 2}, r.value(x).name + "/perm")};
  node.outputs = {r.add_value(r.value(x), shape)};
  const ValueId out = node.outputs[0];
  r.insert_before(std::move(node), before);
  return out;
}

// False, and nothing done, when nobody reads the results.
bool fuse(Rewriter& r, NodeId id, const RecurrentLoop& loop) {
  const std::vector<ValueId> outputs = r.node(id).outputs;
  // An output of the loop; kNoValue when nobody reads it.
  const auto output = [&](int i) {
    const ValueId value = i < 0 ? kNoValue : outputs[static_cast<size_t>(i)];
    return value != kNoValue && (!r.consumers(value).empty() || r.is_output(value)) ? value : kNoValue;
  };
  const ValueId old_all = output(loop.all), old_last = output(loop.last), old_only = output(loop.only);
  if (old_all == kNoValue && old_last == kNoValue && old_only == kNoValue) return false;
  const std::string name = r.value(old_all != kNoValue ? old_all : old_last != kNoValue ? old_last : old_only).name;
  const bool time_first = loop.time_axis == 0;
  const ValueId x = time_first ? swapped(r, loop.x, id) : loop.x;
  Shape shape = open_shape(r.value(x));
  shape[2] = loop.units;
  Value like;
  like.name = name + "/sequence";
  Node node = sequence_node(r, loop, x, name);
  const ValueId all = r.add_value(like, shape);
  node.outputs = {all};
  r.insert_before(std::move(node), id);
  ValueId last = kNoValue, only = kNoValue;
  if (old_last != kNoValue || old_only != kNoValue) {
    Node slice = last_step(r, all, name + "/last");
    like.name = name + "/last";
    slice.outputs = {last = r.add_value(like, {loop.batch, loop.units})};
    r.insert_before(std::move(slice), id);
  }
  if (old_only != kNoValue) {
    const Shape with_time = time_first ? Shape{1, loop.batch, loop.units} : Shape{loop.batch, 1, loop.units};
    only = r.add_value(r.value(old_only), with_time);
    r.insert_before(reshape_node(r, last, only, with_time), id);
  }
  const ValueId gathered = old_all != kNoValue && time_first ? swapped(r, all, id) : all;
  // The loop lets go of its outputs first: an output of the graph has one maker.
  for (size_t i = 0; i < outputs.size(); ++i)
    r.set_output(id, i, r.add_value(r.value(outputs[i]), open_shape(r.value(outputs[i]))));
  r.remove(id);
  if (old_all != kNoValue) r.replace(old_all, gathered);
  if (old_last != kNoValue) r.replace(old_last, last);
  if (old_only != kNoValue) r.replace(old_only, only);
  return true;
}

}  // namespace

Result<size_t> fuse_recurrent(Model& model, Graph& graph) {
  // A loop's or branch's own state would live on from turn to turn.
  for (const Graph& other : model.graphs) {
    for (NodeId id : other.order()) {
      for (int32_t called : called_graphs(other.node(id))) {
        if (&model.graphs[static_cast<size_t>(called)] == &graph) return size_t{0};
      }
    }
  }
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (!r.live(id) || r.node(id).op != Op::WHILE) continue;
    const auto loop = match_recurrent_loop(model, graph, id);
    if (loop && fuse(r, id, *loop)) ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
