// Pairs the layers of two models by name.
#include "evaluate/layers.h"

#include <algorithm>

#include "evaluate/real_values.h"
#include "ir/types.h"

namespace fewbits::evaluate {

LayerComparer::LayerComparer(const Model& reference, const Model& other) : reference_(reference), other_(other) {
  for (size_t g = 0; g < std::min(reference.graphs.size(), other.graphs.size()); ++g)
    pair_graph(static_cast<int32_t>(g));
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
    const OwnedTensor& kept = layer.kept[layer.met++];
    // Equal names may hide different tensors when the models come from different hands; those have no common measure.
    if (real_count(kept.view()) != real_count(tensor)) continue;
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
