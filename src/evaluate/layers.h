// Pairs the layers of two models by name, and measures them sample by sample.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "evaluate/metrics.h"
#include "quantize/algorithms/visible_range.h"

namespace fewbits::evaluate {

// Compares the float tensors that operators of `reference` make with those of `other` that bear their name, or their name and
// "_int8", "_int16" or "_uint8". Both models must outlive it. Feed it from the taps of two sessions, for each sample all of the
// reference first: it keeps copies of that sample's tensors, and no more. Of a tensor that a loop makes many times in a sample,
// the first kMostRepeats are compared. Numbers beyond an 8-bit tensor's codes count as its outermost one where no reader of the
// reference's tensor tells them apart (quantize/algorithms/visible_range.h): ranges are cut there on purpose.
class LayerComparer {
 public:
  static constexpr size_t kMostRepeats = 8;

  LayerComparer(const Model& reference, const Model& other);

  void start_sample();
  Status see_reference(int32_t graph, ValueId value, const TensorView& tensor);
  Status see_other(int32_t graph, ValueId value, const TensorView& tensor);

  // Layers that were seen, in the order in which the reference makes them.
  std::vector<LayerComparison> results() const;
  uint64_t unmatched() const noexcept { return unmatched_; }

 private:
  using Key = std::pair<int32_t, ValueId>;
  struct Layer {
    Key reference, other;
    NodeId producer = 0;
    ErrorSums sums;
    bool seen = false;
    quantize::Interval unseen_beyond;     // where the reference may be clipped
    std::optional<double> softmax_depth;  // unseen_beyond.min only holds this far below each row's largest element
    std::vector<OwnedTensor> kept;        // of this sample
    size_t met = 0;                       // how many of them the other model has answered
  };
  void pair_graph(int32_t graph);
  void find_unseen(int32_t graph);
  static void clip_unseen(const Layer& layer, OwnedTensor& tensor);
  const Value& value(const Model& model, const Key& key) const;

  const Model& reference_;
  const Model& other_;
  std::vector<Layer> layers_;
  std::map<Key, size_t> by_reference_;
  std::multimap<Key, size_t> by_other_;
  uint64_t unmatched_ = 0;
};

}  // namespace fewbits::evaluate
