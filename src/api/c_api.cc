// The C API of data, calibration and quantization.
#include "fewbits/c_api.h"

#include <algorithm>

#include "api/runtime/c_handles.h"
#include "fewbits/calibrate.h"
#include "fewbits/data.h"
#include "fewbits/quantize.h"
#include "fewbits/version.h"

using fewbits::Calibration;
using fewbits::Dataset;
using fewbits::ErrorCode;
using fewbits::Result;
using fewbits::Status;
using fewbits::api::make_handle;
using fewbits::api::require;
using fewbits::api::succeeded;

struct fb_dataset {
  Dataset data;
};
struct fb_calibration {
  Calibration calibration;
};

namespace {

template <class Options>
void init(Options* options, const Options& defaults) {
  if (options == nullptr) return;
  *options = defaults;
  options->size = sizeof(Options);
}

fb_dataset_options default_dataset_options() {
  fb_dataset_options options{};
  options.scale = 1;
  std::fill(std::begin(options.std), std::end(options.std), 1.0f);
  return options;
}

fb_calibrate_options default_calibrate_options() {
  fb_calibrate_options options{};
  options.threads = 1;
  return options;
}

fb_quantize_options default_quantize_options() {
  fb_quantize_options options{};
  options.mode = FB_MODE_INT8;
  options.input_type = options.output_type = FB_DTYPE_DEFAULT;
  options.min_elements = fewbits::QuantizeOptions().min_elements;
  options.block_size = fewbits::QuantizeOptions().block_size;
  return options;
}

fewbits::DatasetOptions convert(const fb_dataset_options& from) {
  fewbits::DatasetOptions to;
  to.preprocess.resize_short = from.resize_short;
  to.preprocess.crop = from.crop;
  to.preprocess.scale = from.scale;
  // One number for all channels also fits inputs of one channel.
  const auto numbers = [](const float(&values)[3], float neutral) {
    const bool same = values[0] == values[1] && values[1] == values[2];
    if (same && values[0] == neutral) return std::vector<float>();
    return same ? std::vector<float>{values[0]} : std::vector<float>(std::begin(values), std::end(values));
  };
  to.preprocess.mean = numbers(from.mean, 0);
  to.preprocess.std = numbers(from.std, 1);
  to.preprocess.channel_order = from.bgr ? fewbits::ChannelOrder::kBgr : fewbits::ChannelOrder::kRgb;
  to.preprocess.layout = from.nchw ? fewbits::ChannelLayout::kNchw : fewbits::ChannelLayout::kNhwc;
  to.preprocess.fit = from.stretch ? fewbits::Fit::kStretch : fewbits::Fit::kCrop;
  to.preprocess.interpolation = from.bicubic ? fewbits::Interpolation::kBicubic : fewbits::Interpolation::kBilinear;
  to.non_finite = from.skip_nonfinite ? fewbits::NonFinite::kSkip : fewbits::NonFinite::kError;
  return to;
}

fewbits::CalibrateOptions convert(const fb_calibrate_options& from) {
  fewbits::CalibrateOptions to;
  if (from.signature != nullptr) to.signature = from.signature;
  to.samples.count = from.samples;
  if (from.has_seed) to.samples.seed = from.seed;
  to.threads = from.threads;
  to.ignore_nonfinite = from.ignore_nonfinite;
  if (from.progress != nullptr) {
    to.progress = [progress = from.progress, context = from.context](size_t done, size_t total) {
      return progress(done, total, context);
    };
  }
  return to;
}

std::vector<std::string> strings(const char* const* list) {
  std::vector<std::string> out;
  for (; list != nullptr && *list != nullptr; ++list) out.emplace_back(*list);
  return out;
}

Result<fewbits::QuantizeOptions> convert(const fb_quantize_options& from) {
  fewbits::QuantizeOptions to;
  if (from.mode < FB_MODE_WEIGHTS || from.mode > FB_MODE_INT16X8) {
    return fewbits::fail(ErrorCode::kInvalidArgument, "there is no mode {}", static_cast<int>(from.mode));
  }
  to.mode = static_cast<fewbits::QuantizeMode>(from.mode);
  for (const auto& [type, target] :
       {std::pair(from.input_type, &to.input_type), std::pair(from.output_type, &to.output_type)}) {
    if (type == FB_DTYPE_DEFAULT) continue;
    if (type < 0 || type > static_cast<int>(fewbits::DType::kFloat8E5M2)) {
      return fewbits::fail(ErrorCode::kInvalidArgument, "there is no type {}", static_cast<int>(type));
    }
    *target = static_cast<fewbits::DType>(type);
  }
  to.per_channel = !from.per_tensor;
  if (from.nearest_rounding) to.rounding = fewbits::WeightRounding::kNearest;
  to.correct_bias = !from.plain_bias;
  to.min_elements = from.min_elements;
  to.range = from.average_range ? fewbits::RangeRule::kMovingAverage : fewbits::RangeRule::kMinMax;
  to.include = strings(from.include);
  to.exclude = strings(from.exclude);
  if (from.int4_weights) to.weight_type = fewbits::DType::kInt4;
  to.block_size = from.block_size;
  to.cut_ranges = !from.whole_ranges;
  return to;
}

}  // namespace

extern "C" {

const char* fb_version(void) { return fewbits::version(); }

void fb_dataset_options_init(fb_dataset_options* options) { init(options, default_dataset_options()); }
void fb_calibrate_options_init(fb_calibrate_options* options) { init(options, default_calibrate_options()); }
void fb_quantize_options_init(fb_quantize_options* options) { init(options, default_quantize_options()); }

fb_dataset* fb_dataset_open(const char* path, const fb_dataset_options* options, fb_error** error) {
  return make_handle<fb_dataset>(error, [&]() -> Result<Dataset> {
    FB_TRY(require(path, "path"));
    return Dataset::open(path, convert(options == nullptr ? default_dataset_options() : *options));
  });
}
size_t fb_dataset_size(const fb_dataset* data) { return data->data.size(); }
void fb_dataset_free(fb_dataset* data) { delete data; }

fb_calibration* fb_calibrate(const fb_model* model, fb_dataset* data, const fb_calibrate_options* options,
                             fb_error** error) {
  return make_handle<fb_calibration>(error, [&]() -> Result<Calibration> {
    FB_TRY(require(model, "model"));
    FB_TRY(require(data, "data"));
    return fewbits::calibrate_model(model->model, data->data,
                                    convert(options == nullptr ? default_calibrate_options() : *options));
  });
}

fb_calibration* fb_calibration_load(const char* path, fb_error** error) {
  return make_handle<fb_calibration>(error, [&]() -> Result<Calibration> {
    FB_TRY(require(path, "path"));
    return Calibration::load(path);
  });
}

bool fb_calibration_save(const fb_calibration* calibration, const char* path, fb_error** error) {
  return succeeded(error, [&]() -> Status {
    FB_TRY(require(calibration, "calibration"));
    FB_TRY(require(path, "path"));
    return calibration->calibration.save(path);
  });
}

bool fb_calibration_merge(fb_calibration* calibration, const fb_calibration* later, fb_error** error) {
  return succeeded(error, [&]() -> Status {
    FB_TRY(require(calibration, "calibration"));
    FB_TRY(require(later, "later"));
    return calibration->calibration.merge(later->calibration);
  });
}

uint64_t fb_calibration_samples(const fb_calibration* calibration) { return calibration->calibration.samples(); }
void fb_calibration_free(fb_calibration* calibration) { delete calibration; }

fb_model* fb_quantize(const fb_model* model, const fb_quantize_options* options, const fb_calibration* calibration,
                      fb_error** error) {
  return make_handle<fb_model>(error, [&]() -> Result<fewbits::ModelPtr> {
    FB_TRY(require(model, "model"));
    FB_ASSIGN(const auto converted, convert(options == nullptr ? default_quantize_options() : *options));
    FB_ASSIGN(auto result, fewbits::quantize_model(*model->model, converted,
                                                   calibration == nullptr ? nullptr : &calibration->calibration));
    return std::move(result.model);
  });
}

}  // extern "C"
