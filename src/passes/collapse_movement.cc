// Chains of reshapes, transposes and slices that together only pick elements along one dimension (channel shuffles, even and odd
// channels) become one STRIDED_SLICE or GATHER. What a chain does is found out by running it on the numbers 0, 1, 2, ...
#include <algorithm>
#include <map>
#include <numeric>

#include "ops/evaluate.h"
#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

constexpr size_t kMostElements = size_t{1} << 22, kLongestChain = 8;

bool moves(Op op) {
  switch (op) {
    case Op::RESHAPE:
    case Op::TRANSPOSE:
    case Op::SQUEEZE:
    case Op::EXPAND_DIMS:
    case Op::GATHER:
    case Op::SLICE:
    case Op::STRIDED_SLICE: return true;
    default: return false;
  }
}

bool is_link(const Rewriter& r, NodeId id) {
  if (id < 0 || !moves(r.node(id).op)) return false;
  const Node& node = r.node(id);
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (!r.is_const(node.inputs[i])) return false;
  }
  return is_static_shape(r.value(node.inputs[0])) && is_static_shape(r.value(node.outputs[0])) &&
         !r.is_const(node.inputs[0]);
}

// The element of the source that each element of the last node's result is.
Result<std::vector<int32_t>> trace(const Model& model, Rewriter& r, const std::vector<NodeId>& chain) {
  std::vector<int32_t> numbers(element_count(r.value(r.node(chain.front()).inputs[0]).shape));
  std::iota(numbers.begin(), numbers.end(), 0);
  for (NodeId id : chain) {
    const Node& node = r.node(id);
    if (node.op == Op::RESHAPE || node.op == Op::SQUEEZE || node.op == Op::EXPAND_DIMS) continue;
    Value stand_in = r.value(node.inputs[0]);  // int32 in place of what the graph has
    stand_in.dtype = DType::kInt32;
    stand_in.quant = {};
    stand_in.is_const = true;
    stand_in.data = ConstData::own(std::move(numbers));
    Graph& graph = r.graph();
    const DType type = graph.value(node.outputs[0]).dtype;
    graph.value(node.outputs[0]).dtype = DType::kInt32;
    std::vector<TensorInfo> inputs = {ops::tensor_info(stand_in)};
    for (size_t i = 1; i < node.inputs.size(); ++i) inputs.push_back(ops::tensor_info(graph.value(node.inputs[i])));
    auto folded = ops::fold_node(model, graph, id, inputs);
    graph.value(node.outputs[0]).dtype = type;
    if (!folded) return tl::unexpected<Error>(folded.error());
    if (!*folded) return std::vector<int32_t>();
    const auto& bytes = (**folded)[0].bytes;
    const auto* first = reinterpret_cast<const int32_t*>(bytes.data());
    numbers.assign(first, first + bytes.size() / sizeof(int32_t));
  }
  return numbers;
}

struct Pick {
  int32_t axis = 0;
  std::vector<int32_t> indices;
};

// The one dimension along which `numbers` picks from a source of shape `from`; nothing when they do more.
std::optional<Pick> picked(const std::vector<int32_t>& numbers, const Shape& from, const Shape& to) {
  if (from.size() != to.size() || numbers.size() != element_count(to) || numbers.empty()) return std::nullopt;
  for (size_t axis = 0; axis < from.size(); ++axis) {
    bool others = true;
    for (size_t i = 0; i < from.size(); ++i) others = others && (i == axis || from[i] == to[i]);
    if (!others) continue;
    size_t inner = 1;
    for (size_t i = axis + 1; i < from.size(); ++i) inner *= static_cast<size_t>(from[i]);
    const auto in = static_cast<size_t>(from[axis]), out = static_cast<size_t>(to[axis]);
    Pick pick{static_cast<int32_t>(axis), {}};
    bool fits = true;
    for (size_t j = 0; j < out; ++j) {
      const auto at = static_cast<size_t>(numbers[j * inner]);
      fits = fits && at % inner == 0 && at / inner < in;
      pick.indices.push_back(static_cast<int32_t>(at / inner));
    }
    for (size_t i = 0; fits && i < numbers.size(); ++i) {
      const size_t outer = i / (out * inner), j = i / inner % out, rest = i % inner;
      fits = static_cast<size_t>(numbers[i]) == (outer * in + static_cast<size_t>(pick.indices[j])) * inner + rest;
    }
    if (fits) return pick;
  }
  return std::nullopt;
}

Node picking_node(Rewriter& r, ValueId x, ValueId y, const Pick& pick) {
  const auto& list = pick.indices;
  const int32_t step = list.size() > 1 ? list[1] - list[0] : 1;
  bool even = step > 0;
  for (size_t i = 1; i < list.size(); ++i) even = even && list[i] - list[i - 1] == step;
  Node node;
  node.outputs = {y};
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  const std::string name = r.value(y).name;
  if (!even) {
    node.op = Op::GATHER;
    node.inputs = {x, r.add_ints(list, name + "/channels")};
    tflite::GatherOptionsT table;
    table.axis = pick.axis;
    options->Set(std::move(table));
  } else {
    const Shape& shape = r.value(x).shape;
    std::vector<int32_t> begin(shape.size(), 0), end(shape.begin(), shape.end()), steps(shape.size(), 1);
    const auto axis = static_cast<size_t>(pick.axis);
    begin[axis] = list.front();
    end[axis] = list.back() + 1;
    steps[axis] = step;
    node.op = Op::STRIDED_SLICE;
    node.inputs = {x, r.add_ints(begin, name + "/begin"), r.add_ints(end, name + "/end"),
                   r.add_ints(steps, name + "/step")};
    options->Set(tflite::StridedSliceOptionsT());
  }
  node.options = std::move(options);
  return node;
}

}  // namespace

Result<size_t> collapse_movement(Model& model, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (!r.live(id) || !is_link(r, id)) continue;
    const ValueId y = r.node(id).outputs[0];
    if (element_count(r.value(y).shape) > kMostElements) continue;
    std::vector<NodeId> chain = {id};
    bool transposes = r.node(id).op == Op::TRANSPOSE;
    while (chain.size() < kLongestChain && is_link(r, r.producer(r.node(chain.front()).inputs[0]))) {
      chain.insert(chain.begin(), r.producer(r.node(chain.front()).inputs[0]));
      transposes = transposes || r.node(chain.front()).op == Op::TRANSPOSE;
      const ValueId x = r.node(chain.front()).inputs[0];
      const Shape &from = r.value(x).shape, &to = r.value(y).shape;
      if (!transposes || chain.size() < 3 || from.size() != to.size() || element_count(from) > kMostElements) continue;
      FB_ASSIGN(const std::vector<int32_t> numbers, trace(model, r, chain));
      const auto pick = picked(numbers, from, to);
      if (!pick) continue;
      r.insert_before(picking_node(r, x, y, *pick), id);
      r.remove(id);
      ++changes;
      break;
    }
  }
  return changes;
}

}  // namespace fewbits::passes
