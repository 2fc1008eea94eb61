// Orders of elements go into the weights around them: an image flattened channels-first before a FULLY_CONNECTED reads it, and
// channels picked in another order behind a convolution.
#include <algorithm>

#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "passes/weights.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

// FULLY_CONNECTED(RESHAPE(TRANSPOSE(x))) with the batch in front: the weights' columns are put in x's order.
bool flattened(Rewriter& r, NodeId id) {
  const auto op = weighted_node(r, id);
  if (!op || r.node(id).op != Op::FULLY_CONNECTED || !r.made_by(r.node(id).inputs[0], Op::RESHAPE)) return false;
  const ValueId flat = r.node(id).inputs[0];
  const ValueId ordered = r.node(r.producer(flat)).inputs[0];
  if (!r.made_by(ordered, Op::TRANSPOSE)) return false;
  const Node& transpose = r.node(r.producer(ordered));
  const auto perm = perm_of(r.graph(), transpose);
  const Value& weights = r.value(r.node(id).inputs[1]);
  const Shape from = open_shape(r.value(ordered)), to = open_shape(r.value(flat));
  if (!perm || (*perm)[0] != 0 || to.size() != 2 || to[0] != from[0] || weights.shape.size() != 2 ||
      to[1] != weights.shape[1]) {
    return false;
  }
  Shape columns = {weights.shape[0]};
  columns.insert(columns.end(), from.begin() + 1, from.end());
  if (std::count(columns.begin(), columns.end(), -1) != 0 || element_count(columns) != element_count(weights.shape))
    return false;
  const auto data = transpose_data(weights.data, weights.dtype, columns, inverse(*perm));
  if (!data) return false;
  const Shape shape = weights.shape;
  const std::string name = weights.name;
  r.set_input(id, 1, r.add_const(*data, DType::kFloat32, shape, name));
  const ValueId x = transpose.inputs[0];
  const ValueId fresh = r.add_value(r.value(flat), to);
  r.insert_before(reshape_node(r, x, fresh, to), id);
  r.set_input(id, 0, fresh);
  return true;
}

// RESHAPE(FULLY_CONNECTED(RESHAPE(x))), where the two only join leading dimensions and part them again (TensorFlow's tensordot):
// the product keeps them. They are those of x, or, where the first reshape does more, those that the second gives.
bool kept_dimensions(Rewriter& r, NodeId id) {
  if (r.node(id).op != Op::FULLY_CONNECTED || !r.made_by(r.node(id).inputs[0], Op::RESHAPE)) return false;
  const ValueId flat = r.node(id).inputs[0], y = r.node(id).outputs[0];
  const ValueId x = r.node(r.producer(flat)).inputs[0];
  const auto* table = r.node(id).options->AsFullyConnectedOptions();
  const Shape from = open_shape(r.value(x)), to = open_shape(r.value(flat)), out = open_shape(r.value(y));
  const auto& readers = r.consumers(y);
  const bool parted =
      !r.is_output(y) && !readers.empty() &&
      std::all_of(readers.begin(), readers.end(), [&](NodeId reader) { return r.node(reader).op == Op::RESHAPE; });
  if (table == nullptr || !parted || r.is_const(x) || to.size() != 2 || out.size() != 2 || to.back() < 1 ||
      !is_reshape_target(r.value(y)) || r.value(x).dtype != DType::kFloat32)
    return false;
  const Shape next = open_shape(r.value(r.node(readers[0]).outputs[0]));
  const bool as_before = from.size() > 2 && from.back() == to.back() && is_reshape_target(r.value(x));
  const bool as_behind = readers.size() == 1 && next.size() > 2 && next.back() == out.back() &&
                         std::count(next.begin(), next.end(), -1) <= 1;
  if (!as_before && !as_behind) return false;
  Shape kept = as_before ? from : next;
  ValueId source = x;
  if (!as_before) {
    kept.back() = to.back();
    source = r.add_value(r.value(flat), kept);
    r.insert_before(reshape_node(r, x, source, kept), id);
  }
  kept.back() = out.back();
  tflite::FullyConnectedOptionsT changed = *table;
  changed.keep_num_dims = true;
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  options->Set(std::move(changed));
  const ValueId wide = r.add_value(r.value(y), kept);
  r.edit(id).options = std::move(options);
  r.set_input(id, 0, source);
  r.set_output(id, 0, wide);
  r.insert_after(reshape_node(r, wide, y, out), id);
  return true;
}

// GATHER of a convolution's channels: its filters in that order.
bool picked_channels(Rewriter& r, NodeId id) {
  const Node& node = r.node(id);
  if (node.op != Op::GATHER) return false;
  const auto* table = node.options->AsGatherOptions();
  const auto order = const_ints(r.graph(), node.inputs[1]);
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const NodeId maker = r.producer(x);
  const auto op = weighted_node(r, maker);
  const auto rank = static_cast<int32_t>(r.value(x).shape.size());
  if (!op || op->out_axis != 0 || !order || r.value(node.inputs[1]).shape.size() != 1 || !r.single_use(x) ||
      table == nullptr || table->batch_dims != 0 || (table->axis != rank - 1 && table->axis != -1)) {
    return false;
  }
  if (r.node(maker).op == Op::CONV_2D &&
      r.value(r.node(maker).inputs[0]).shape.back() != r.value(r.node(maker).inputs[1]).shape.back()) {
    return false;  // groups go with the order of their channels
  }
  const int32_t channels = out_channels(r, maker, *op);
  if (std::any_of(order->begin(), order->end(), [&](int32_t i) { return i < 0 || i >= channels; })) return false;
  for (size_t operand : {op->weights, op->bias}) {
    if (r.node(maker).inputs.size() <= operand || r.node(maker).inputs[operand] == kNoValue) continue;
    const Value& old = r.value(r.node(maker).inputs[operand]);
    const size_t row = element_count(old.shape) / static_cast<size_t>(channels);
    const auto numbers = old.data.as<float>();
    std::vector<float> moved;
    moved.reserve(order->size() * row);
    for (int32_t i : *order) {
      const auto begin = numbers.begin() + static_cast<int64_t>(static_cast<size_t>(i) * row);
      moved.insert(moved.end(), begin, begin + static_cast<int64_t>(row));
    }
    Shape shape = old.shape;
    shape[0] = static_cast<int32_t>(order->size());
    const std::string name = old.name;
    r.set_input(maker, operand, r.add_const(ConstData::own(std::move(moved)), DType::kFloat32, shape, name));
  }
  r.remove(id);
  r.set_output(maker, 0, y);
  return true;
}

}  // namespace

Result<size_t> fold_into_products(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (r.live(id) && (flattened(r, id) || kept_dimensions(r, id) || picked_channels(r, id))) ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
