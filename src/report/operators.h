// The operators of the model that a report draws: what they are, what they hold, where they stand.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "report/data.h"
#include "report/histogram.h"

namespace fewbits::report {

// Pairs operators of a quantized model's main subgraph with those of the float model that made them, by the names of their
// outputs.
class Operators {
 public:
  // `reference` may be null; both must outlive this.
  Operators(const Model* reference, const Model& model);

  // For each operator of the model: its counterpart's place among the reference's operators, or -1.
  const std::vector<int>& counterparts() const noexcept { return counterparts_; }
  const SubgraphDescription& reference() const noexcept { return reference_; }
  const SubgraphDescription& model() const noexcept { return model_; }

  // One view an operator, with types, shapes, precision, weights and places; and the edges between them.
  void describe(Data& data) const;
  // The tensors of the reference to watch, each with the range that the model gives its values.
  std::map<int32_t, HistogramBuilder> watched() const;

 private:
  Precision precision_of(const OperatorDescription& op) const;
  std::optional<Weights> weights_of(size_t place) const;

  const Model* reference_model_;
  const Model& quantized_model_;
  SubgraphDescription reference_, model_;
  std::vector<int> counterparts_;
};

// What integers of this tensor stand for at most; nothing for others.
std::optional<Range> range_of(const TensorDescription& tensor);
// A tensor's name without what the quantizer put behind it for its integer twin.
std::string without_twin(const std::string& name);

}  // namespace fewbits::report
