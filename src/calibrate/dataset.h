// Calibration and evaluation data as a stream of model inputs; what DATA may be: fewbits/data.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "calibrate/audio.h"
#include "calibrate/image.h"
#include "calibrate/npy.h"
#include "fewbits/data.h"
#include "ir/types.h"

namespace fewbits::calibrate {

// What a model's input wants.
struct InputSpec {
  std::string name;
  std::string signature_name;  // its name in the signature, may be empty
  DType dtype = DType::kFloat32;
  Shape shape;      // with the batch dimension; -1 where dynamic
  float scale = 0;  // above 0: the input is quantized
  int64_t zero_point = 0;
};

// How the integers of an array stand for real numbers: (q - zero_point) * scale. A scale of 0: they do not.
struct IntegerCoding {
  float scale = 0;
  int64_t zero_point = 0;
  bool of_input = false;  // they are the model's own codes already, to be copied
};

using fewbits::DatasetOptions;
using fewbits::NonFinite;

struct Sample {
  std::vector<Array> inputs;  // one per InputSpec, in its order, type and shape, batch dimension included
  std::optional<int32_t> label;
  std::string source;   // for messages: a file's path, or x.npz[12]
  std::string picture;  // path of the picture, for reports; empty for other data
  std::string skipped;  // NonFinite::kSkip: why this sample must be left out; inputs is empty then
};

// Samples read one at a time: memory does not grow with their number, but for a file list and labels. Belongs to one
// thread. Reading in rising order is cheapest: a large compressed array starts anew on each step back.
class Dataset {
 public:
  explicit Dataset(DatasetOptions options) : options_(std::move(options)) {}
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  virtual size_t size() const noexcept = 0;  // at least 1; kUnknownSize for a stream
  // Whether there is a sample of this index. A stream looks ahead for it: ask in rising order.
  virtual Result<bool> has(size_t index) { return index < size(); }
  // Whether samples carry labels; a folder of .npz may hold some that it does not know of.
  virtual bool labeled() const noexcept = 0;
  // The class folders' names, by label, where labels come from their order; else empty.
  virtual std::vector<std::string> class_names() const { return {}; }

  // Sample `index` as the inputs of a model. Errors name the sample and the tensor.
  Result<Sample> sample(size_t index, std::span<const InputSpec> inputs);

 protected:
  const DatasetOptions& options() const noexcept { return options_; }

  // Fills everything of the sample but `skipped`, through add(). index < size(), at least one input.
  virtual Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) = 0;
  // Converts an array into the sample's next input.
  Status add(Sample& sample, Array array, const InputSpec& input, const IntegerCoding& coding = {});

 private:
  DatasetOptions options_;
};

// Opens DATA. Errors: nothing there (kNotFound), no samples or several kinds of them (kInvalidData), bad options
// (kInvalidArgument).
Result<std::unique_ptr<Dataset>> open_dataset(const std::string& path, const DatasetOptions& options = {});

// Which of `size` samples to use, in rising order: the first `count`, or with a seed, `count` drawn by the first steps
// of a Fisher-Yates shuffle on SplitMix64, the same on every machine; a larger count only adds to a smaller one's. A
// count of 0, or of size and more: all. Memory grows with count only, but for "all".
std::vector<size_t> select_samples(size_t size, size_t count, std::optional<uint64_t> seed = std::nullopt);

// The samples to go through, one after another: a list of them, or what a stream has.
class SampleWalk {
 public:
  explicit SampleWalk(std::vector<size_t> samples) : samples_(std::move(samples)) {}
  // The first `most` samples of a stream, or all when that is 0.
  static SampleWalk of_stream(size_t most);

  // The index of the next sample, nothing after the last.
  Result<std::optional<size_t>> next(Dataset& data);
  size_t done() const noexcept { return done_; }                             // how many next() gave
  size_t total() const noexcept { return streamed_ ? 0 : samples_.size(); }  // 0: not known
  std::string progress_text() const;                                         // "3 of 10 samples"

 private:
  std::vector<size_t> samples_;
  bool streamed_ = false;
  size_t most_ = 0, done_ = 0;
};

}  // namespace fewbits::calibrate
