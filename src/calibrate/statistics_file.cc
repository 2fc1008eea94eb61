// Statistics as JSON: {"format": "fewbits-statistics", "version": 1, "model": fingerprint, "samples": n, "preprocess": {...},
// "tensors": [{"graph", "value", "name", "samples", "min", "max", "first": [min, max], "rest": [min, max],
// "mean_sums": [...] where channels have means, "least_top" of what SOFTMAX reads}]}.
#include "calibrate/statistics_file.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace fewbits::calibrate {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "fewbits-statistics";
constexpr int kVersion = 1;

json preprocess_json(const PreprocessOptions& options) {
  return {{"resize_short", options.resize_short},
          {"crop", options.crop},
          {"fit", enum_name(options.fit)},
          {"interpolation", enum_name(options.interpolation)},
          {"channel_order", enum_name(options.channel_order)},
          {"layout", enum_name(options.layout)},
          {"scale", options.scale},
          {"mean", options.mean},
          {"std", options.std}};
}

// A field that must be there with the right type; nlohmann's exceptions are caught once, in parse_statistics.
template <class Enum>
Enum read_enum(const json& object, const char* key) {
  const auto value = enum_from_name<Enum>(object.at(key).get<std::string>());
  if (!value) throw std::invalid_argument(fmt::format("'{}' has an unknown value", key));
  return *value;
}

PreprocessOptions read_preprocess(const json& object) {
  PreprocessOptions options;
  options.resize_short = object.at("resize_short");
  options.crop = object.at("crop");
  options.fit = read_enum<Fit>(object, "fit");
  options.interpolation = read_enum<Interpolation>(object, "interpolation");
  options.channel_order = read_enum<ChannelOrder>(object, "channel_order");
  options.layout = read_enum<ChannelLayout>(object, "layout");
  options.scale = object.at("scale");
  options.mean = object.at("mean").get<std::vector<float>>();
  options.std = object.at("std").get<std::vector<float>>();
  return options;
}

TensorStats read_tensor(const json& object) {
  TensorStats stats;
  stats.name = object.at("name");
  stats.samples = object.at("samples");
  stats.min = object.at("min");
  stats.max = object.at("max");
  stats.first_min = object.at("first").at(0);
  stats.first_max = object.at("first").at(1);
  stats.rest_min = object.at("rest").at(0);
  stats.rest_max = object.at("rest").at(1);
  if (object.contains("mean_sums")) stats.mean_sums = object.at("mean_sums").get<std::vector<int64_t>>();
  if (object.contains("least_top")) stats.least_top = object.at("least_top");
  if (stats.samples == 0 || !std::isfinite(stats.min) || !std::isfinite(stats.max) || stats.min > stats.max) {
    throw std::invalid_argument(fmt::format("tensor '{}' has no range", stats.name));
  }
  return stats;
}

}  // namespace

std::string statistics_text(const StatisticsFile& file) {
  json tensors = json::array();
  for (const auto& [key, stats] : file.statistics.tensors) {
    tensors.push_back({{"graph", key.first},
                       {"value", key.second},
                       {"name", stats.name},
                       {"samples", stats.samples},
                       {"min", stats.min},
                       {"max", stats.max},
                       {"first", {stats.first_min, stats.first_max}},
                       {"rest", {stats.rest_min, stats.rest_max}}});
    if (!stats.mean_sums.empty()) tensors.back()["mean_sums"] = stats.mean_sums;
    if (std::isfinite(stats.least_top)) tensors.back()["least_top"] = stats.least_top;
  }
  const json document = {{"format", kFormat},
                         {"version", kVersion},
                         {"model", file.statistics.fingerprint},
                         {"samples", file.statistics.samples},
                         {"preprocess", preprocess_json(file.preprocess)},
                         {"tensors", std::move(tensors)}};
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Status save_statistics(const StatisticsFile& file, const std::string& path) {
  const std::string text = statistics_text(file);
  return write_file_atomically(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

Result<StatisticsFile> parse_statistics(const std::string& text, const std::string& name) {
  try {
    const json document = json::parse(text);
    if (document.at("format") != kFormat || document.at("version") != kVersion) {
      return fail(ErrorCode::kInvalidData, "{}: these are not statistics of version {}", name, kVersion);
    }
    StatisticsFile file;
    file.statistics.fingerprint = document.at("model");
    file.statistics.samples = document.at("samples");
    file.preprocess = read_preprocess(document.at("preprocess"));
    FB_TRY(check_options(file.preprocess));
    for (const json& object : document.at("tensors")) {
      file.statistics.tensors[{object.at("graph"), object.at("value")}] = read_tensor(object);
    }
    return file;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidData, "{}: this is not a statistics file: {}", name, error.what());
  }
}

Result<StatisticsFile> load_statistics(const std::string& path) {
  FB_ASSIGN(const auto file, MappedFile::open(path));
  return parse_statistics({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()}, path);
}

}  // namespace fewbits::calibrate
