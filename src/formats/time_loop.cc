// The loop carries its turn, its input, the states, and where they are asked for the last output, the mask and the outputs of all
// steps.
#include "formats/time_loop.h"

#include "formats/options.h"

namespace fewbits::formats {
namespace {

// A subgraph in which `inside` stands for `inputs`, in order.
GraphBuilder subgraph(GraphBuilder& outer, const std::string& name, const std::vector<ValueId>& inputs,
                      std::vector<ValueId>& inside) {
  Model& model = outer.model();
  model.graphs.emplace_back();
  model.graphs.back().name = name;
  GraphBuilder b(model, static_cast<int32_t>(model.graphs.size()) - 1);
  inside.clear();
  for (size_t i = 0; i < inputs.size(); ++i)
    inside.push_back(b.input_like(fmt::format("{}/arg{}", name, i), outer, inputs[i]));
  return b;
}

// Where the operands lie among the loop's inputs.
struct Places {
  size_t states = 2, output = 0, mask = 0;
};

// One turn: the loop's next inputs.
std::vector<ValueId> turn(GraphBuilder& b, const TimeLoop& loop, const Places& places, const std::vector<ValueId>& in) {
  const size_t count = loop.states.size();
  ValueId time = in[0];
  if (loop.reverse) time = b.sub(b.sub(b.size_of(in[1], loop.time_axis), b.int_scalar(1)), time);
  const ValueId x = b.gather(in[1], time, loop.time_axis);
  const auto first = in.begin() + static_cast<std::ptrdiff_t>(places.states);
  std::vector<ValueId> next = loop.step(b, x, {first, first + static_cast<std::ptrdiff_t>(count)});
  if (!b.ok()) return in;
  ValueId output = next[0], written = output;
  if (loop.mask != kNoValue) {
    const ValueId counts = b.expand_dims(b.gather(in[places.mask], time, 1), {1});
    for (size_t i = 0; i < count; ++i) next[i] = b.select(counts, next[i], in[places.states + i]);
    const ValueId before = in[places.output];
    written = b.select(counts, output, loop.zeros ? b.scalar_like(0, output) : before);
    output = b.select(counts, output, before);
  }
  std::vector<ValueId> out{b.add(in[0], b.int_scalar(1)), in[1]};
  out.insert(out.end(), next.begin(), next.end());
  if (loop.mask != kNoValue) out.insert(out.end(), {output, in[places.mask]});
  if (loop.keep_all) {
    std::vector<ValueId> start(3, b.int_scalar(0));
    start[static_cast<size_t>(loop.time_axis)] = time;
    out.push_back(b.node(Op::DYNAMIC_UPDATE_SLICE,
                         {in.back(), b.expand_dims(written, {loop.time_axis}), b.pack(start, 0)},
                         options(tflite::DynamicUpdateSliceOptionsT())));
  }
  return out;
}

}  // namespace

ValueId constant_in(GraphBuilder& b, const Value& value) {
  return b.constant(value.data, value.dtype, value.shape, value.name);
}

ValueId zeros_of(GraphBuilder& b, const std::vector<ValueId>& sizes) {
  return b.node(Op::FILL, {b.pack(sizes, 0), b.scalar(0, DType::kFloat32)}, options(tflite::FillOptionsT()));
}

Sequence run_over_time(GraphBuilder& b, const TimeLoop& loop) {
  const bool masked = loop.mask != kNoValue;
  std::vector<ValueId> inputs{b.int_scalar(0), loop.x};
  inputs.insert(inputs.end(), loop.states.begin(), loop.states.end());
  const Places places{.output = inputs.size(), .mask = inputs.size() + 1};
  const ValueId batch = b.size_of(loop.x, 1 - loop.time_axis), units = b.int_scalar(loop.units);
  if (masked) inputs.insert(inputs.end(), {zeros_of(b, {batch, units}), loop.mask});
  if (loop.keep_all) {
    const ValueId time = b.size_of(loop.x, loop.time_axis);
    inputs.push_back(
        zeros_of(b, loop.time_axis == 1 ? std::vector{batch, time, units} : std::vector{time, batch, units}));
  }
  tflite::WhileOptionsT table;
  std::vector<ValueId> in;
  {
    GraphBuilder test = subgraph(b, loop.name + "/condition", inputs, in);
    table.cond_subgraph_index = test.graph_index();
    test.output(test.binary(Op::LESS, in[0], test.size_of(in[1], loop.time_axis)), "condition");
    if (const Status status = test.finish(); !status) b.error(status.error().code, status.error().message);
  }
  GraphBuilder body = subgraph(b, loop.name + "/step", inputs, in);
  table.body_subgraph_index = body.graph_index();
  const std::vector<ValueId> out = turn(body, loop, places, in);
  for (size_t i = 0; i < out.size(); ++i) body.output(out[i], fmt::format("result{}", i));
  if (const Status status = body.finish(); !status) b.error(status.error().code, status.error().message);

  Node node;
  node.op = Op::WHILE;
  node.inputs = inputs;
  node.options = options(std::move(table));
  std::vector<DType> types;
  for (ValueId id : inputs) types.push_back(b.dtype(id));
  const std::vector<ValueId> results = b.typed_nodes(std::move(node), types);
  for (size_t i = 0; i < results.size(); ++i) b.set_shape_like(results[i], b, inputs[i]);
  Sequence done;
  const auto first = results.begin() + static_cast<std::ptrdiff_t>(places.states);
  done.states.assign(first, first + static_cast<std::ptrdiff_t>(loop.states.size()));
  done.last = masked ? results[places.output] : done.states[0];
  if (loop.keep_all) done.all = results.back();
  return done;
}

}  // namespace fewbits::formats
