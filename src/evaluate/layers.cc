// Pairs the layers of two models by name.
#include "evaluate/layers.h"

#include <algorithm>

#include "evaluate/real_values.h"
#include "ir/types.h"

namespace fewbits::evaluate {

LayerComparer::LayerComparer(const Model& reference, const Model& other) : reference_(reference), other_(other) {
  for (size_t g = 0; g < std::min(reference.graphs.size(), other.graphs.size()); ++g) {
    pair_graph(static_cast<int32_t>(g));
    find_unseen(static_cast<int32_t>(g));
  }
}

void LayerComparer::pair_graph(int32_t g) {
  const Graph& mine = reference_.graphs[static_cast<size_t>(g)];
  const Graph& theirs = other_.graphs[static_cast<size_t>(g)];
  std::map<std::string, ValueId> by_name;  // what operators of the other model make; the first of a name
  for (NodeId id : theirs.order()) {
    for (ValueId output : theirs.node(id).outputs) {
      if (output != kNoValue && is_real(theirs.value(output).dtype))
        by_name.try_emplace(theirs.value(output).name, output);
    }
  }
  std::map<std::string, bool> taken;
  for (NodeId id : mine.order()) {
    for (ValueId output : mine.node(id).outputs) {
      if (output == kNoValue || !is_float(mine.value(output).dtype)) continue;
      const std::string& name = mine.value(output).name;
      auto found = by_name.end();
      for (const char* suffix : {"", "_int8", "_int16", "_uint8"}) {
        if (found == by_name.end()) found = by_name.find(name + suffix);
      }
      if (name.empty() || found == by_name.end() || !taken.try_emplace(name, true).second) {
        ++unmatched_;
        continue;
      }
      by_reference_[{g, output}] = layers_.size();
      by_other_.emplace(Key{g, found->second}, layers_.size());
      layers_.push_back({{g, output}, {g, found->second}, id, {}, false, {}, 0});
    }
  }
}

// Asks over far more than the codes' range what readers see of it.
void LayerComparer::find_unseen(int32_t g) {
  std::map<ValueId, quantize::Interval> ends;
  std::map<ValueId, quantize::Codes> values;
  for (const Layer& layer : layers_) {
    const Value& other = value(other_, layer.other);
    if (layer.reference.first != g || other.dtype != DType::kInt8 || other.quant.scale.size() != 1) continue;
    const float scale = other.quant.scale[0], zero = static_cast<float>(other.quant.zero());
    const quantize::Interval end{(-128 - zero) * scale, (127 - zero) * scale};
    const float wide = 2 * (end.max - end.min);
    ends[layer.reference.second] = end;
    values[layer.reference.second] = {{end.min - wide, end.max + wide}, scale};
  }
  const auto visible = quantize::visible_ranges(reference_, g, {}, values, [](NodeId) { return true; });
  const Graph& graph = reference_.graphs[static_cast<size_t>(g)];
  const UseMap uses(graph);
  for (Layer& layer : layers_) {
    const ValueId id = layer.reference.second;
    if (layer.reference.first != g || !ends.contains(id)) continue;
    const quantize::Interval end = ends.at(id);
    const float step = values.at(id).step;
    if (const auto seen = visible.find(id); seen != visible.end()) {
      if (seen->second.min >= end.min - step) layer.unseen_beyond.min = end.min;
      if (seen->second.max <= end.max + step) layer.unseen_beyond.max = end.max;
    }
    const auto readers = uses.consumers(id);
    if (readers.size() != 1 || uses.is_graph_output(id) || graph.node(readers[0]).op != Op::SOFTMAX) continue;
    layer.softmax_depth = quantize::softmax_depth(graph, graph.node(readers[0]));
    if (layer.softmax_depth) layer.unseen_beyond.min = end.min;
  }
}

void LayerComparer::clip_unseen(const Layer& layer, OwnedTensor& tensor) {
  if (tensor.dtype != DType::kFloat32 || tensor.shape.empty()) return;
  const quantize::Interval beyond = layer.unseen_beyond;
  const std::span<float> numbers(reinterpret_cast<float*>(tensor.bytes.data()), tensor.bytes.size() / sizeof(float));
  if (layer.softmax_depth) {
    const auto depth = static_cast<size_t>(tensor.shape.back());
    for (size_t i = 0; i < numbers.size(); i += depth) {
      const auto row = numbers.subspan(i, depth);
      if (!(beyond.min <= *std::max_element(row.begin(), row.end()) - *layer.softmax_depth)) return;
    }
  }
  for (float& number : numbers) number = number < beyond.min ? beyond.min : number > beyond.max ? beyond.max : number;
}

const Value& LayerComparer::value(const Model& model, const Key& key) const {
  return model.graphs[static_cast<size_t>(key.first)].value(key.second);
}

void LayerComparer::start_sample() {
  for (Layer& layer : layers_) {
    layer.kept.clear();
    layer.met = 0;
  }
}

Status LayerComparer::see_reference(int32_t graph, ValueId id, const TensorView& tensor) {
  const auto at = by_reference_.find({graph, id});
  if (at == by_reference_.end() || tensor.data == nullptr) return {};
  Layer& layer = layers_[at->second];
  if (layer.kept.size() >= kMostRepeats) return {};
  const auto* bytes = static_cast<const std::byte*>(tensor.data);
  layer.kept.push_back({tensor.dtype, tensor.shape, {bytes, bytes + tensor.bytes}});
  return {};
}

Status LayerComparer::see_other(int32_t graph, ValueId id, const TensorView& tensor) {
  const auto [first, last] = by_other_.equal_range({graph, id});
  for (auto at = first; at != last; ++at) {
    Layer& layer = layers_[at->second];
    if (layer.met >= layer.kept.size()) continue;
    OwnedTensor& kept = layer.kept[layer.met++];
    // Equal names may hide different tensors when the models come from different hands; those have no common measure.
    if (real_count(kept.view()) != real_count(tensor)) continue;
    clip_unseen(layer, kept);
    FB_TRY(layer.sums.add({kept.view(), &value(reference_, layer.reference).quant},
                          {tensor, &value(other_, layer.other).quant}));
    layer.seen = true;
  }
  return {};
}

std::vector<LayerComparison> LayerComparer::results() const {
  std::vector<LayerComparison> out;
  for (const Layer& layer : layers_) {
    if (!layer.seen) continue;
    const Value& mine = value(reference_, layer.reference);
    const Value& theirs = value(other_, layer.other);
    const Graph& graph = reference_.graphs[static_cast<size_t>(layer.reference.first)];
    out.push_back({mine.name, theirs.name, graph.node(layer.producer).type_name(), dtype_name(theirs.dtype),
                   layer.sums.result()});
  }
  return out;
}

}  // namespace fewbits::evaluate
