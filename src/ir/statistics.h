// What calibration learnt about a model's float tensors: plain data that quantization reads, and that files keep.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/model.h"

namespace fewbits {

// The range of one tensor over all samples. Merging parts in sample order gives what one pass gives.
struct TensorStats {
  std::string name;      // the tensor's, to notice statistics of another model
  uint64_t samples = 0;  // how many times it was seen
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  // The exponential moving average of each sample's minimum and maximum (factor kDecay; the first sample starts it) as a
  // function of what came before: value = decay * before + rest, where decay = kDecay^samples. `first` is the first sample's.
  double first_min = 0, first_max = 0;
  double rest_min = 0, rest_max = 0;

  // The sum over samples of each channel's mean (its last dimension), of tensors whose consumers' biases can be corrected: in
  // units of kMeanUnit, so that no order of adding changes it. Empty for other tensors, and where the channels vary or the
  // sums go beyond 64 bits.
  std::vector<int64_t> mean_sums;

  // The least of the largest elements of all rows (the last dimension), of what SOFTMAX reads; not finite
  // for other tensors, and where a row has no finite element.
  float least_top = std::numeric_limits<float>::infinity();

  static constexpr double kDecay = 0.95;
  static constexpr double kMeanUnit = 1.0 / (1 << 24);

  void add(float sample_min, float sample_max) noexcept;
  // After add() of the same sample.
  void add_means(std::span<const double> channel_means);
  std::vector<double> means() const;
  void merge(const TensorStats& later) noexcept;
  float average_min() const noexcept;
  float average_max() const noexcept;

 private:
  double decay() const noexcept;
  void add_mean_sums(std::span<const int64_t> sums);
};

struct Statistics {
  std::string fingerprint;  // of the model: see model_fingerprint
  uint64_t samples = 0;
  std::map<std::pair<int32_t, ValueId>, TensorStats> tensors;  // by subgraph and value

  const TensorStats* find(int32_t graph, ValueId value) const;
  // `later` continues this; an error when they come from different models.
  Status merge(const Statistics& later);
};

// Names a model's structure (operators, tensors, shapes, types), not its weights: 16 hexadecimal digits.
std::string model_fingerprint(const Model& model);

}  // namespace fewbits
