// Groups of flags that several commands share.
#include "flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "fewbits/calibrate.h"

namespace fewbits::cli {
namespace {

constexpr const char* kPreprocess = "How pictures become the input";
constexpr const char* kSamples = "Which samples";

template <class Enum>
void add_enum(CLI::App& command, const std::string& flag, Enum& target, const std::map<std::string, Enum>& names,
              const std::string& help) {
  std::string list;
  for (const auto& [name, value] : names) list += (list.empty() ? "" : "|") + name;
  command
      .add_option_function<std::string>(
          flag, [&target, names](const std::string& name) { target = names.at(name); }, help)
      ->check([names, list](const std::string& name) {
        return names.count(name) ? std::string() : fmt::format("'{}' is none of {}", name, list);
      })
      ->type_name(list)
      ->group(kPreprocess);
}

std::vector<float> channel_numbers(const std::string& text, const std::string& flag) {
  std::vector<float> out;
  for (double number : parse_numbers(text, flag)) out.push_back(static_cast<float>(number));
  if (out.size() > 1 && out.size() != 3)
    throw UsageError(fmt::format("{} takes one number or three, not {}", flag, out.size()));
  return out;
}

}  // namespace

std::vector<double> parse_numbers(const std::string& text, const std::string& flag) {
  std::vector<double> out;
  for (size_t begin = 0; begin <= text.size() && !text.empty();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    size_t used = 0;
    double number = 0;
    try {
      number = std::stod(part, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != part.size() || !std::isfinite(number)) {
      throw UsageError(fmt::format("{} takes numbers with commas between them, and '{}' is none", flag, part));
    }
    out.push_back(number);
    begin = end + 1;
  }
  return out;
}

void PreprocessFlags::add(CLI::App& command) {
  command.add_option("--resize", options.resize_short, "Resize so that the short side has this many pixels")
      ->type_name("SHORT")
      ->check(CLI::PositiveNumber)
      ->group(kPreprocess);
  command.add_option("--crop", options.crop, "Then cut the centre square of this size")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->group(kPreprocess);
  command.add_option("--mean", mean, "value = (pixel * scale - mean) / std; one number, or one a channel")
      ->type_name("A[,B,C]")
      ->group(kPreprocess);
  command.add_option("--std", std, "See --mean")->type_name("A[,B,C]")->group(kPreprocess);
  command.add_option("--scale", options.scale, "See --mean; 0.00392157 (1/255) for values from 0 to 1")
      ->type_name("S")
      ->group(kPreprocess);
  command
      .add_flag_callback(
          "--bgr", [this] { options.channel_order = ChannelOrder::kBgr; }, "Blue first; the default is RGB")
      ->group(kPreprocess);
  add_enum<ChannelLayout>(command, "--layout", options.layout,
                          {{"nhwc", ChannelLayout::kNhwc}, {"nchw", ChannelLayout::kNchw}},
                          "Order of the dimensions (nhwc)");
  add_enum<Fit>(command, "--fit", options.fit, {{"crop", Fit::kCrop}, {"stretch", Fit::kStretch}},
                "What to do when the picture's aspect is not the input's (crop)");
  add_enum<Interpolation>(command, "--interpolation", options.interpolation,
                          {{"bilinear", Interpolation::kBilinear}, {"bicubic", Interpolation::kBicubic}},
                          "For resizing (bilinear)");
  command.add_option("--sample-rate", audio.sample_rate, "The rate that WAV files must have")
      ->type_name("HZ")
      ->check(CLI::PositiveNumber)
      ->group(kPreprocess);
  command.add_flag("--ignore-nonfinite", ignore_nonfinite, "Leave NaN and infinity out instead of stopping at them");
}

void PreprocessFlags::add_stats(CLI::App& command) {
  command.add_option("--stats", stats, "Prepare pictures as this statistics file says they were for calibration")
      ->type_name("FILE")
      ->group(kPreprocess);
}

bool PreprocessFlags::given() const { return !(options == PreprocessOptions()) || !mean.empty() || !std.empty(); }

Result<DatasetOptions> PreprocessFlags::dataset_options() const {
  DatasetOptions out;
  out.preprocess = options;
  out.preprocess.mean = channel_numbers(mean, "--mean");
  out.preprocess.std = channel_numbers(std, "--std");
  out.audio = audio;
  out.non_finite = ignore_nonfinite ? NonFinite::kSkip : NonFinite::kError;
  if (stats.empty()) return out;
  if (given())
    throw UsageError("--stats says how pictures are prepared, so --resize, --mean and the like cannot be given too");
  auto calibration = Calibration::load(stats);
  if (!calibration) return tl::unexpected<Error>(calibration.error());
  out.preprocess = calibration->preprocess();
  return out;
}

Result<Dataset> PreprocessFlags::open(const std::string& data) const {
  const auto opened = dataset_options();
  if (!opened) return tl::unexpected<Error>(opened.error());
  return Dataset::open(data, *opened);
}

void SampleFlags::add(CLI::App& command, bool with_others) {
  command.add_option("--samples", samples, "Use this many samples; the default is all")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->group(kSamples);
  command.add_option("--seed", seed, "Draw them at random, the same for the same seed; the default is the first ones")
      ->type_name("N")
      ->group(kSamples);
  if (with_others) {
    command
        .add_flag("--others", others,
                  "Use the samples that --samples and --seed would leave out: those that calibration did not see")
        ->needs("--samples")
        ->group(kSamples);
  }
}

int ThreadFlag::default_threads() {
  constexpr int kMost = 4;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMost);
}

void ThreadFlag::add(CLI::App& command) {
  command.add_option("--threads", threads, fmt::format("Threads to compute on ({} here)", default_threads()))
      ->type_name("N")
      ->check(CLI::Range(1, 64));
}

void add_signature(CLI::App& command, std::string& signature) {
  command.add_option("--signature", signature, "Which of the model's signatures; the default is its first")
      ->type_name("NAME");
}

void add_strict_fp32(CLI::App& command, bool& strict_fp32) {
  command.add_flag(
      "--strict-fp32", strict_fp32,
      "Multiply floats as float32 only; processors with AMX else take them as sums of three bfloat16, which is faster "
      "and as exact, but rounds otherwise");
}

void add_pack_cache(CLI::App& command, std::string& pack_cache) {
  command
      .add_option("--pack-cache", pack_cache,
                  "Keep the weights as this machine's kernels take them in a file, which the next start maps")
      ->type_name("FILE");
}

Result<ComparedFlags::Opened> ComparedFlags::open() const {
  auto dataset = preprocess.open(data);
  if (!dataset) return tl::unexpected<Error>(dataset.error());
  auto first = load_model(reference);
  if (!first) return tl::unexpected<Error>(first.error());
  auto second = load_model(other);
  if (!second) return tl::unexpected<Error>(second.error());
  return Opened{*std::move(first), *std::move(second), *std::move(dataset)};
}

void ComparedFlags::add_models(CLI::App& command) {
  command.add_option("REFERENCE", reference, "The .tflite model to measure against, most often the float one")
      ->required();
  command.add_option("OTHER", other, "The model to judge")->required();
  command
      .add_option("--data", data,
                  "What to run both on: a folder of pictures, .wav, .npz, .npy or raw files, a .npz with one array per "
                  "input (samples first), or a .npy")
      ->type_name("DATA")
      ->required();
}

void ComparedFlags::add_rest(CLI::App& command) {
  add_signature(command, signature);
  threads.add(command);
  samples.add(command, true);
  preprocess.add(command);
  preprocess.add_stats(command);
}

void ImportFlags::add(CLI::App& command, bool with_signature) {
  constexpr const char* kGroup = "Models of other formats";
  if (with_signature) {
    command.add_option("--signature", signature, "Which signature of a SavedModel")->type_name("S")->group(kGroup);
  }
  command.add_option("--tags", tags, "Which graph of a SavedModel (serve)")->type_name("T,U")->group(kGroup);
  command.add_option("--shape", shapes, "The shape of an input, NAME=1,3,224,224; -1 leaves a size open; repeatable")
      ->type_name("NAME=N,N")
      ->allow_extra_args(false)
      ->group(kGroup);
  command.add_flag("--keep-layout", keep_layout, "Channels-first images stay so at inputs and outputs")->group(kGroup);
  command
      .add_flag("--fuse-recurrent", fuse_recurrent,
                "LSTM and simple RNN layers become sequence operators, which keep their state between runs")
      ->group(kGroup);
}

ConvertOptions ImportFlags::options() const {
  ConvertOptions options;
  options.signature = signature;
  options.keep_layout = keep_layout;
  options.fuse_recurrent = fuse_recurrent;
  for (size_t begin = 0; begin < tags.size();) {
    const size_t end = std::min(tags.find(',', begin), tags.size());
    options.tags.push_back(tags.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& text : shapes) {
    const size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError(fmt::format("--shape takes NAME=1,2,3, and '{}' is not that", text));
    }
    Shape shape;
    for (double size : parse_numbers(text.substr(equals + 1), "--shape")) {
      if (size != std::floor(size) || size < -1 || size > INT32_MAX) {
        throw UsageError(fmt::format("--shape: {} is no size", size));
      }
      shape.push_back(static_cast<int32_t>(size));
    }
    options.shapes[text.substr(0, equals)] = std::move(shape);
  }
  return options;
}

std::string import_formats() {
  return "TFLite (.tflite), TensorFlow SavedModel (folder, .pb), Keras (.keras, .h5), ONNX (.onnx)";
}

Result<ModelPtr> load_any(const std::string& path, const ImportFlags& flags) {
  auto converted = convert_file(path, flags.options());
  if (!converted) return tl::unexpected<Error>(converted.error());
  return converted->model;
}

}  // namespace fewbits::cli
