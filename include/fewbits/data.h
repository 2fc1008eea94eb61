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
//   x.npz      one array per input, samples first, found by the input's name, its name in the signature, or those without
//              "serving_default_" and ":0". A model of one input takes the only array, or images, x, input, inputs,
//              data or features. labels, label or y, [n] or [n, 1], are the labels. Scalars scale and zero_point (or
//              NAME_scale and NAME_zero_point) say how integers in the only (or that) array stand for real numbers:
//              (q - zero_point) * scale.
//   x.npy      one array, samples first, for a model of one input.
//   npz, npy   folders of these: one sample a file, without the first dimension of above. Labels as for pictures, or a
//              member of a .npz as above.
//   raw        a folder of .bin or .raw files, each exactly the bytes of the input; for several inputs one subfolder per
//              input, with files of the same names (an input's '/' and ':' may be '_' in the folder's name). Labels
//              from numbers as for pictures.
//
// How an array becomes an input:
//   shape      as it is; or with a missing batch dimension; or with sizes of 1 put in or left out. A dynamic size takes the
//              sample's.
//   numbers    the same type: as they are, so an int8 array for an int8 input holds the model's own codes, unless scale and
//              zero_point say otherwise. uint8 for another input: pixels, see PreprocessOptions. Real numbers
//              (float16/32/64, or integers with a scale) for int8, uint8 and int16 inputs: round(value / scale) + zero
//              point, saturated. float64 for float32: rounded. Integers for float inputs: the same number. Integers for
//              integer inputs that are not quantized: the same number, which must fit. All else is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fewbits/status.h"
#include "fewbits/types.h"

namespace fewbits {

enum class ChannelOrder { kRgb, kBgr };
enum class ChannelLayout { kNhwc, kNchw };
enum class Interpolation { kBilinear, kBicubic };
// How a picture meets the size of the model's input when the steps before did not make it fit.
enum class Fit {
  kCrop,     // keep the aspect: scale to cover the input (unless resize_short was given), then cut the centre
  kStretch,  // resize both sides to the input's, as detectors are usually trained
};

// From a picture's file to the numbers of a model's input, in this order:
//   1. decode to 8-bit RGB: alpha is dropped (not blended), 16 bits become 8, EXIF orientation is not applied; for an
//      input of one channel turn grey, as Pillow's convert("L")
//   2. resize_short > 0: resize so that the short side is resize_short; the long side is rounded down (as torchvision)
//   3. crop > 0: cut the centre crop x crop
//   4. fit to the height and width of the input, see Fit; an input of dynamic size takes what there is
//   5. put the channels in channel_order, and in layout
//   6. value = (pixel * scale - mean) / std, with pixel in 0..255, and mean and std one number for all channels or one
//      for each, in channel_order. Nothing is normalised unless asked: the defaults leave 0..255.
//   7. a float input takes the value. An int8, uint8 or int16 input takes round(value / input scale) + zero point with the
//      model's own parameters; but a uint8 input without normalisation takes the pixel as it is.
// uint8 arrays of a .npz or .npy are pixels too: they go through 6 and 7, and must have the input's size, order and
// layout.
struct PreprocessOptions {
  int resize_short = 0;
  int crop = 0;
  Fit fit = Fit::kCrop;
  Interpolation interpolation = Interpolation::kBilinear;
  ChannelOrder channel_order = ChannelOrder::kRgb;
  ChannelLayout layout = ChannelLayout::kNhwc;
  float scale = 1;
  std::vector<float> mean;  // empty: 0
  std::vector<float> std;   // empty: 1

  bool normalizes() const noexcept { return scale != 1 || !mean.empty() || !std.empty(); }
  bool operator==(const PreprocessOptions&) const = default;
};

struct AudioOptions {
  int sample_rate = 0;  // what files must have, 0: any. Nothing is resampled: another rate is an error.

  bool operator==(const AudioOptions&) const = default;
};

// What to do with NaN and infinity in float data.
enum class NonFinite {
  kError,  // stop: it is most often a broken file
  kSkip,   // leave the sample out
};

struct DatasetOptions {
  PreprocessOptions preprocess;
  AudioOptions audio;
  NonFinite non_finite = NonFinite::kError;
  // Compressed arrays of up to this many bytes are held in memory, larger ones streamed.
  size_t memory_limit = size_t{64} << 20;
};

// One sample of a program's own: arrays with the names of the model's inputs, or all of them in its order without names, and a
// label.
struct DataItem {
  std::vector<Array> arrays;
  std::optional<int32_t> label;
};

// Samples read one at a time: memory does not grow with their number, but for a file list and labels. Belongs to one thread.
class Dataset {
 public:
  // Opens DATA. Errors: nothing there (kNotFound), no samples or several kinds of them (kInvalidData), bad options
  // (kInvalidArgument).
  static Result<Dataset> open(const std::string& path, const DatasetOptions& options = {});
  // Samples from a program: read(i) for i < count, converted to inputs as arrays of files are. It must not throw.
  static Result<Dataset> from_callback(size_t count, std::function<Result<DataItem>(size_t)> read,
                                       const DatasetOptions& options = {});
  // Samples of unknown number, read once from the first to the last: next() gives one after another, and nothing after
  // the last. It must not throw. A choice of samples can only be a count; a second pass is an error.
  static Result<Dataset> from_stream(std::function<Result<std::optional<DataItem>>()> next,
                                     const DatasetOptions& options = {});
  Dataset(Dataset&&) noexcept;
  Dataset& operator=(Dataset&&) noexcept;
  ~Dataset();

  size_t size() const noexcept;  // at least 1; kUnknownSize for a stream
  static constexpr size_t kUnknownSize = static_cast<size_t>(-1);
  // Whether samples carry labels; a folder of .npz, a callback or a stream may have some all the same.
  bool labeled() const noexcept;
  const PreprocessOptions& preprocess() const noexcept;

  struct Impl;  // no part of the API
  Impl& impl() noexcept { return *impl_; }

 private:
  explicit Dataset(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// Which samples of a dataset to use, always in rising order.
struct SampleChoice {
  // 0: all. Else the first `count`, or, with a seed, as many drawn without repetition: the same on every machine, and a
  // larger count only adds to a smaller one's.
  size_t count = 0;
  std::optional<uint64_t> seed;
  bool others = false;  // all samples but those: to measure on what calibration did not see
};

// Called after each sample; false stops the work, which then returns an error. total is 0 while it is not known.
using ProgressCallback = std::function<bool(size_t done, size_t total)>;

// All arrays of a .npz, or the one of a .npy. Errors name the file and the array.
Result<std::vector<Array>> read_arrays(const std::string& path);
// Writes them so that numpy.load reads them: a .npy for a path that ends so (exactly one array), else a .npz (names must differ).
// Through a temporary that is renamed at the end.
Status write_arrays(const std::string& path, std::span<const Array> arrays);

}  // namespace fewbits
