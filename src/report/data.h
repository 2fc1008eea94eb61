// What a report shows, as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fewbits/evaluate.h"
#include "fewbits/model.h"

namespace fewbits::report {

// How often values fell where. Bins are equally wide, from `low` to `high`.
struct Histogram {
  double low = 0, high = 0;
  std::vector<uint64_t> counts;
  uint64_t below = 0, above = 0;  // outside of the bins
  double min = 0, max = 0;        // of all values
  bool empty() const noexcept { return counts.empty(); }
};

// The real numbers that a quantized tensor can stand for.
struct Range {
  double low = 0, high = 0;
};

struct Activation {
  Histogram values;  // of the reference
  std::optional<Range> range;
  uint64_t elements = 0, clipped = 0;  // values outside of the range
};

struct Weights {
  Histogram values;  // of the reference, or of this model's own where there is no reference
  std::string dtype;
  size_t bytes = 0;
  std::vector<float> scales;  // by channel
};

struct ModelSummary {
  std::string path;
  size_t bytes = 0, constant_bytes = 0, operators = 0;
  std::optional<Benchmark> benchmark;
};

enum class Precision { kFloat32, kFloat16, kHybrid, kInt8, kInt16, kConvert, kOther };
const char* precision_name(Precision precision) noexcept;  // "hybrid"

// An operator of the model that is drawn: the quantized one.
struct OperatorView {
  int32_t index = 0;
  std::string type, output, dtype;
  Shape shape;
  Precision precision = Precision::kOther;
  std::string reason, help;  // why it is in float, and what would help
  std::string kernel;
  size_t constant_bytes = 0;
  std::optional<double> ms, reference_ms;
  std::optional<TensorError> error;
  std::optional<Activation> activation;
  std::optional<Weights> weights;
  double x = 0, y = 0;  // where it is drawn
};

struct Edge {
  size_t from = 0, to = 0;                        // places in `operators`
  std::vector<std::pair<double, double>> points;  // between the two
};

struct WorstSample {
  std::string source;
  double sqnr_db = 0;
  std::optional<int32_t> label;
  std::optional<size_t> reference_class, other_class;  // the largest element of the first output, where it is one row
  std::string picture;                                 // a PNG as the model sees it; empty when it is none
};

// The constants of a reference's operator, each counted where it is first used.
struct OperatorSize {
  int32_t index = 0;
  std::string type;
  size_t bytes = 0;
};

struct Advice {
  std::string text, command;  // the command may be empty
};

struct Data {
  std::string version;
  std::optional<ModelSummary> reference;  // absent: the report of one model
  ModelSummary model;
  uint64_t samples = 0, skipped = 0;
  int threads = 1;
  std::vector<OutputComparison> outputs;
  std::vector<OperatorView> operators;  // of the model's main subgraph
  std::vector<Edge> edges;
  uint64_t unmatched_layers = 0;
  std::vector<WorstSample> worst;
  std::vector<OperatorTime> reference_times;
  std::vector<OperatorSize> reference_sizes;  // of its main subgraph; operators without constants are not among them
  std::string verdict;
  std::vector<Advice> advice;
};

}  // namespace fewbits::report
