// How far answers moved, how often they are right, and how long they take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fewbits/data.h"
#include "fewbits/model.h"
#include "fewbits/runtime.h"

namespace fewbits {

// ---- two models on the same data ----

// The difference of two tensors over all samples. Integers count as the real numbers that they stand for. Pairs in which a
// number is not finite are left out of the sums: those that are alike (both NaN, or the same infinity) silently, others are
// counted in `nonfinite`.
struct TensorError {
  uint64_t elements = 0;    // compared
  uint64_t nonfinite = 0;   // not finite on one side only, or not alike
  double sqnr_db = 0;       // 10 log10(sum of reference² / sum of difference²); infinity when there is no difference
  double mean_sqnr_db = 0;  // the mean of each sample's own SQNR, over the samples where it is finite
  double cosine = 1;        // of the angle between the two, as vectors
  double max_abs = 0;       // the worst difference
  double mean_abs = 0;
  double reference_max_abs = 0;  // the largest magnitude of the reference, to judge max_abs by
};

struct OutputComparison {
  std::string name;  // in the reference
  std::string other_name;
  TensorError error;
  // The share of rows (along the last dimension; one of size 1 has none) whose largest element is at the same place; for outputs
  // that are plain integers or booleans, the share of equal elements.
  std::optional<double> agreement;
  uint64_t rows = 0;  // that `agreement` counted: one a sample for a classifier, one a box for a detector
};

struct LayerComparison {
  std::string name;        // the tensor's, in the reference
  std::string other_name;  // its integer twin may have a name of its own
  std::string type;        // of the operator that makes it in the reference
  std::string dtype;       // in the other model
  TensorError error;
};

struct CompareOptions {
  std::string signature;
  SampleChoice samples;
  int threads = 1;
  bool layers = false;  // compare every float tensor of the reference that the other model has too
  ProgressCallback progress;
};

struct Comparison {
  uint64_t samples = 0;
  uint64_t skipped = 0;                   // samples left out by NonFinite::kSkip
  std::vector<OutputComparison> outputs;  // in the reference's order
  std::vector<LayerComparison> layers;    // in the order in which the reference makes them
  uint64_t unmatched_layers = 0;          // float tensors of the reference without a counterpart
};

// One pass; memory holds one sample's tensors. Outputs are paired by signature name, else by tensor name, else by
// position; layers
// by tensor name, with "_int8", "_int16" or "_uint8" behind it where the other model has both. Errors: kInvalidArgument when the
// models' outputs differ in number or shape.
Result<Comparison> compare_models(const ModelPtr& reference, const ModelPtr& other, Dataset& data,
                                  const CompareOptions& options = {});

// ---- labelled data ----

struct AccuracyOptions {
  std::string signature;
  SampleChoice samples;
  int threads = 1;
  // Added to every label. Unset: 1 for a model of 1001 classes (0 is the background), else 0.
  std::optional<int32_t> label_offset;
  ProgressCallback progress;
};

struct Accuracy {
  uint64_t samples = 0, skipped = 0;
  uint64_t top1_hits = 0, top5_hits = 0;
  double top1 = 0, top5 = 0;  // shares
  int32_t classes = 0;        // a single number stands for two: above 0.5 is class 1
  int32_t label_offset = 0;
  std::string output;  // the one that was scored: the first whose last dimension can hold all labels
};

// A class counts as ranked before the true one when its score is higher, or equal with a smaller index. Errors: kInvalidData for
// data without labels, or a label that the model has no class for (the message names the sample).
Result<Accuracy> evaluate_accuracy(const ModelPtr& model, Dataset& data, const AccuracyOptions& options = {});

// ---- time ----

struct BenchmarkOptions {
  std::string signature;
  int threads = 1;
  int warmup = 3;  // runs that are not counted
  int runs = 30;
  bool profile = false;                               // measure each operator, too, which costs a little time
  uint64_t seed = 0;                                  // of the random input
  std::vector<std::pair<std::string, Shape>> shapes;  // by input, for dynamic or resized ones
  ProgressCallback progress;                          // after each run that counts
  bool strict_fp32 = false;                           // as in RuntimeOptions
  std::string pack_cache;                             // as in RuntimeOptions
};

struct Benchmark {
  int runs = 0;
  double median_ms = 0, min_ms = 0, p90_ms = 0, mean_ms = 0;
  double plan_ms = 0;                   // shapes, choice of kernels, packing of weights, memory layout
  size_t peak_bytes = 0;                // of activations, state and workspace
  std::vector<OperatorTime> operators;  // the median of each over the runs; with profile only
};

// Times runs of the model on random input (see random_input).
Result<Benchmark> benchmark_model(const ModelPtr& model, const BenchmarkOptions& options = {});

// Numbers that any model takes: floats in [-1, 1), integers of a quantized input over their whole range, uint8 0..255, other
// integers and booleans 0 or 1, as they may be indices. Dynamic sizes become 1; `shape`, unless it is empty, goes instead of the
// spec's. The same seed gives the same numbers everywhere. kUnsupported for strings and the like.
Result<Array> random_input(const TensorSpec& spec, uint64_t seed, const Shape& shape = {});

}  // namespace fewbits
