// Calibration and evaluation data: the DATA argument of the command line, as a stream of model inputs.
//
// What DATA may be (names that begin with a dot are passed over; the order is that of the paths' bytes):
//   pictures   a folder of JPEG and PNG files, or one of them. Labels, the first that applies:
//                one subfolder a class: the subfolders sorted by name are classes 0, 1, ...; where all their names are
//                numbers, those are the classes. A class's own subfolders are searched too.
//                every name begins with a number and an underscore, as in 0042_n01440764.jpg: that number
//              else none. How a picture becomes an input: PreprocessOptions.
//   sounds     the same with .wav files. Mono, cut or padded at the end to the input's length; an input with one
//              dynamic size takes the whole sound.
//   x.npz      one array per input, samples first, found by the input's name, its name in the signature, or those
//   without
//              "serving_default_" and ":0". A model of one input takes the only array, or images, x, input, inputs,
//              data or features. labels, label or y, [n] or [n, 1], are the labels. Scalars scale and zero_point (or
//              NAME_scale and NAME_zero_point) say how integers in the only (or that) array stand for real numbers: (q
//              - zero_point) * scale.
//   x.npy      one array, samples first, for a model of one input.
//   npz, npy   folders of these: one sample a file, without the first dimension of above. Labels as for pictures, or a
//              member of a .npz as above.
//   raw        a folder of .bin or .raw files, each exactly the bytes of the input; for several inputs one subfolder
//   per
//              input, with files of the same names (an input's '/' and ':' may be '_' in the folder's name). Labels
//              from numbers as for pictures.
//
// How an array becomes an input:
//   shape      as it is; or with a missing batch dimension; or with sizes of 1 put in or left out. A dynamic size takes
//   the
//              sample's.
//   numbers    the same type: as they are, so an int8 array for an int8 input holds the model's own codes, unless scale
//   and
//              zero_point say otherwise. uint8 for another input: pixels, see PreprocessOptions. Real numbers
//              (float16/32/64, or integers with a scale) for int8, uint8 and int16 inputs: round(value / scale) + zero
//              point, saturated. float64 for float32: rounded. Integers for float inputs: the same number. Integers for
//              integer inputs that are not quantized: the same number, which must fit. All else is an error.
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

// What to do with NaN and infinity in float data.
enum class NonFinite {
  kError,  // stop: it is most often a broken file
  kSkip,   // hand the sample out as skipped
};

struct DatasetOptions {
  PreprocessOptions preprocess;
  AudioOptions audio;
  NonFinite non_finite = NonFinite::kError;
  // Compressed arrays of up to this many bytes are held in memory, larger ones streamed.
  size_t memory_limit = size_t{64} << 20;
};

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

  virtual size_t size() const noexcept = 0;  // at least 1
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

}  // namespace fewbits::calibrate
