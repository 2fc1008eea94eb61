// Calibration: what a model's float tensors range over on real data, measured once, kept, merged and reused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fewbits/data.h"
#include "fewbits/model.h"

namespace fewbits {

struct Statistics;  // its inside is no part of the API

struct CalibrateOptions {
  std::string signature;  // empty: the model's first way in
  SampleChoice samples;
  int threads = 1;
  // NaN and infinity inside the model stop calibration with an error that names the tensor; true leaves such elements out of the
  // range. (NaN and infinity in the data: DatasetOptions::non_finite.)
  bool ignore_nonfinite = false;
  ProgressCallback progress;
};

struct TensorRange {
  std::string name;
  uint64_t samples = 0;                    // how many times it was seen
  float min = 0, max = 0;                  // the widest
  float average_min = 0, average_max = 0;  // the moving average of each sample's
};

// The ranges of one model's tensors, with the preprocessing that made them. A value; copies share what they do not change.
class Calibration {
 public:
  // Errors name the file and what is wrong with it; any bytes are safe.
  static Result<Calibration> load(const std::string& path);
  // A small JSON file, written through a temporary that is renamed at the end. Numbers keep every bit.
  Status save(const std::string& path) const;
  // Continues with `later`, measured on other samples of the same model, perhaps on another machine: parts merged in order give
  // what one pass over all samples gives. kInvalidArgument when model or preprocessing differ.
  Status merge(const Calibration& later);

  uint64_t samples() const noexcept;
  const PreprocessOptions& preprocess() const noexcept;
  std::vector<TensorRange> ranges() const;

  const Statistics& statistics() const noexcept;  // for quantize_model()

 private:
  friend Result<Calibration> calibrate_model(const ModelPtr&, Dataset&, const CalibrateOptions&);
  struct Impl;
  explicit Calibration(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// Runs the model on the samples, one in memory at a time, and measures every float tensor. Each sample starts from the model's
// initial state. Errors name the sample, the operator and the tensor.
Result<Calibration> calibrate_model(const ModelPtr& model, Dataset& data, const CalibrateOptions& options = {});

}  // namespace fewbits
