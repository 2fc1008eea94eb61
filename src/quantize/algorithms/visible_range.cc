// Cuts ranges where readers stop telling numbers apart.
#include "quantize/algorithms/visible_range.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "ops/evaluate.h"
#include "quantize/internal.h"
#include "schema/tflite.h"

namespace fewbits::quantize {
namespace {

constexpr size_t kSamples = 2048;  // of a function over a range
constexpr float kShare = 0.125f;   // of an output's step
constexpr int kMostOperators = 4;  // of a function, one inside the other

constexpr Interval kNothing{Interval{}.max, Interval{}.min};

Interval hull(const Interval& a, const Interval& b) { return {std::min(a.min, b.min), std::max(a.max, b.max)}; }

bool only_moves(const Node& node, const OpDef& def) {
  switch (node.op) {
    case Op::TRANSPOSE:
    case Op::SLICE:
    case Op::STRIDED_SLICE:
    case Op::GATHER:
    case Op::GATHER_ND:
    case Op::SPLIT:
    case Op::SPLIT_V:
    case Op::PACK:
    case Op::UNPACK:
    case Op::CONCATENATION:
    case Op::TILE:
    case Op::BROADCAST_TO:
    case Op::DEPTH_TO_SPACE:
    case Op::SPACE_TO_DEPTH:
    case Op::RESIZE_NEAREST_NEIGHBOR:
    case Op::MAX_POOL_2D: return true;  // the largest of cut numbers is the cut largest
    default: return (def.flags & kView) != 0;
  }
}

class Finder {
 public:
  Finder(const Model& model, int32_t graph, const Statistics& statistics, const std::map<ValueId, Codes>& values,
         const std::function<bool(NodeId)>& is_integer)
      : model_(model),
        graph_id_(graph),
        graph_(model.graphs[static_cast<size_t>(graph)]),
        statistics_(statistics),
        values_(values),
        is_integer_(is_integer),
        uses_(graph_) {}

  std::map<ValueId, Interval> find() {
    const auto& order = graph_.order();
    for (auto id = order.rbegin(); id != order.rend(); ++id) {
      for (ValueId output : graph_.node(*id).outputs) {
        if (output == kNoValue || !values_.contains(output)) continue;
        const Interval seen = of(output);
        if (std::isfinite(seen.min) || std::isfinite(seen.max)) visible_[output] = seen;
      }
    }
    return std::move(visible_);
  }

 private:
  Interval visible(ValueId id) const {
    const auto at = visible_.find(id);
    return at == visible_.end() ? Interval{} : at->second;
  }

  Interval of(ValueId value) const {
    const auto readers = uses_.consumers(value);
    if (readers.empty() || uses_.is_graph_output(value)) return {};
    Interval all = kNothing;
    for (NodeId reader : readers) all = hull(all, seen_by(reader, value));
    const Interval range = values_.at(value).range;
    if (!(std::max(all.min, range.min) < std::min(all.max, range.max))) return {};
    return {all.min > range.min ? all.min : Interval{}.min, all.max < range.max ? all.max : Interval{}.max};
  }

  Interval seen_by(NodeId reader, ValueId value) const {
    const Node& node = graph_.node(reader);
    const OpDef* def = find_op(node);
    if (def == nullptr || !is_integer_(reader)) return {};
    if (node.op == Op::SOFTMAX) return seen_by_softmax(node, value);
    if (only_moves(node, *def)) {
      Interval all = kNothing;
      for (ValueId output : node.outputs) all = hull(all, visible(output));
      return all;
    }
    if (node.outputs.size() != 1 || (def->flags & kPointwise) == 0) return {};
    // x * logistic(x): the product speaks for the logistic function inside it.
    const auto next = uses_.consumers(node.outputs[0]);
    if (next.size() == 1 && reads(next[0], value) && !uses_.is_graph_output(node.outputs[0])) {
      if (function(next[0], value, samples_of(value, 2), kMostOperators)) return kNothing;
    }
    return seen_by_function(reader, *def, value);
  }

  bool reads(NodeId id, ValueId value) const {
    const auto& inputs = graph_.node(id).inputs;
    return std::find(inputs.begin(), inputs.end(), value) != inputs.end();
  }

  Interval seen_by_softmax(const Node& node, ValueId value) const {
    const TensorStats* stats = statistics_.find(graph_id_, value);
    const auto depth = softmax_depth(graph_, node);
    if (stats == nullptr || !std::isfinite(stats->least_top) || !depth) return {};
    return {static_cast<float>(stats->least_top - *depth), Interval{}.max};
  }

  std::vector<float> samples_of(ValueId value, size_t count) const {
    const Interval range = values_.at(value).range;
    std::vector<float> x(count);
    for (size_t i = 0; i < count; ++i) {
      const double part = static_cast<double>(i) / static_cast<double>(count - 1);
      x[i] = static_cast<float>(range.min * (1 - part) + range.max * part);
    }
    return x;
  }

  Interval seen_by_function(NodeId reader, const OpDef& def, ValueId value) const {
    const ValueId output = graph_.node(reader).outputs[0];
    const auto codes = values_.find(output);
    if (codes == values_.end()) return {};
    const std::vector<float> x = samples_of(value, kSamples);
    auto y = function(reader, value, x, kMostOperators);
    if (!y || !std::all_of(y->begin(), y->end(), [](float v) { return std::isfinite(v); })) return {};
    const Interval shown = visible(output);
    const OperandRule& rule = operand_rule(def.quant.outputs, 0);
    const float step = rule.kind == OperandQuant::kFixed ? rule.fixed8.scale : step_of(codes->second, shown);
    for (float& v : *y) v = std::min(std::max(v, shown.min), shown.max);
    const size_t below = flat(y->begin(), y->end(), kShare * step), above = flat(y->rbegin(), y->rend(), kShare * step);
    if (below + above >= kSamples) return {};  // one answer everywhere
    return {below > 1 ? x[below - 1] : Interval{}.min, above > 1 ? x[kSamples - above] : Interval{}.max};
  }

  static float step_of(const Codes& codes, const Interval& cut) {
    if (codes.step > 0) return codes.step;
    const float lo = std::max(cut.min, codes.range.min), hi = std::min(cut.max, codes.range.max);
    return (std::max(hi, 0.0f) - std::min(lo, 0.0f)) / 255;
  }

  // How many numbers from the first on lie within `most` of each other.
  template <class It>
  static size_t flat(It first, It last, float most) {
    float lo = *first, hi = *first;
    for (It at = first; at != last; ++at) {
      lo = std::min(lo, *at);
      hi = std::max(hi, *at);
      if (!(hi - lo <= most)) return static_cast<size_t>(at - first);
    }
    return static_cast<size_t>(last - first);
  }

  // What the operator answers where `value` is x, if that is all it depends on, element by element.
  std::optional<std::vector<float>> function(NodeId id, ValueId value, const std::vector<float>& x, int deep) const {
    const Node& node = graph_.node(id);
    const OpDef* def = find_op(node);
    if (deep == 0 || def == nullptr || !is_integer_(id) || (def->flags & kPointwise) == 0 || node.outputs.size() != 1)
      return std::nullopt;
    std::vector<std::vector<float>> inner(node.inputs.size());
    std::vector<TensorInfo> inputs(node.inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input == kNoValue) continue;
      inputs[i] = ops::tensor_info(graph_.value(input));
      if (inputs[i].is_const && inputs[i].count() == 1 && inputs[i].value->sparsity == nullptr) continue;
      if (inputs[i].is_const || inputs[i].dtype != DType::kFloat32) return std::nullopt;
      if (input == value) {
        inputs[i].data = x.data();
      } else {
        const NodeId producer = uses_.producer(input);
        if (producer < 0 || uses_.consumers(input).size() != 1 || uses_.is_graph_output(input)) return std::nullopt;
        auto made = function(producer, value, x, deep - 1);
        if (!made) return std::nullopt;
        inner[i] = std::move(*made);
        inputs[i].data = inner[i].data();
      }
      inputs[i].shape = {static_cast<int32_t>(x.size())};
      inputs[i].is_const = true;
    }
    const auto made = ops::fold_node(model_, graph_, id, inputs);
    if (!made || !*made || (*made)->size() != 1 || (*made)->front().dtype != DType::kFloat32) return std::nullopt;
    const auto& bytes = (*made)->front().bytes;
    const auto* y = reinterpret_cast<const float*>(bytes.data());
    std::vector<float> out(y, y + bytes.size() / sizeof(float));
    return out.size() == x.size() ? std::optional(std::move(out)) : std::nullopt;
  }

  const Model& model_;
  const int32_t graph_id_;
  const Graph& graph_;
  const Statistics& statistics_;
  std::map<ValueId, Codes> values_;
  const std::function<bool(NodeId)>& is_integer_;
  const UseMap uses_;
  std::map<ValueId, Interval> visible_;
};

}  // namespace

std::optional<double> softmax_depth(const Graph& graph, const Node& softmax) {
  const auto* options = softmax.options->AsSoftmaxOptions();
  const Shape& shape = graph.value(softmax.inputs[0]).shape;
  if (options == nullptr || !(options->beta > 0) || shape.empty() || shape.back() < 1) return std::nullopt;
  const double step = find_op(softmax)->quant.outputs[0].fixed8.scale;
  return std::log(shape.back() / (kShare * step)) / options->beta;
}

std::map<ValueId, Interval> visible_ranges(const Model& model, int32_t graph, const Statistics& statistics,
                                           const std::map<ValueId, Codes>& values,
                                           const std::function<bool(NodeId)>& is_integer) {
  return Finder(model, graph, statistics, values, is_integer).find();
}

}  // namespace fewbits::quantize
