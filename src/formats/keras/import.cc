// Which of the two files it is, and where each keeps the configuration and the weights.
#include "formats/keras/import.h"

#include <array>

#include "formats/keras/archive.h"
#include "formats/keras/model.h"

namespace fewbits::keras {
namespace {

constexpr std::array<uint8_t, 8> kHdf5Magic = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

bool is_hdf5(std::span<const uint8_t> head) {
  return head.size() >= kHdf5Magic.size() && std::equal(kHdf5Magic.begin(), kHdf5Magic.end(), head.begin());
}

bool recognizes(const formats::Source& source) {
  if (source.is_folder) return false;
  return is_hdf5(source.head) || source.path.ends_with(".keras") || source.path.ends_with(".h5") ||
         source.path.ends_with(".hdf5");
}

Result<Json> parse(std::string_view text, const std::string& what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object())
    return fail(ErrorCode::kInvalidModel, "{}: its configuration is no JSON object", what);
  return json;
}

int major_version(const std::string& version) {
  return version.empty() || version[0] < '0' || version[0] > '9' ? 3 : version[0] - '0';
}

Result<formats::Imported> read_archive(const std::string& path, const formats::ImportOptions& options) {
  const auto read_config = [&]() -> Result<Json> {
    FB_ASSIGN(const auto text, read_member(path, "config.json"));
    return parse({reinterpret_cast<const char*>(text.data()), text.size()}, path);
  };
  FB_ASSIGN(const Json config, read_config());
  int major = 3;
  if (const auto metadata = read_member(path, "metadata.json")) {
    const Json json = Json::parse(metadata->begin(), metadata->end(), nullptr, false);
    if (json.is_object() && json.contains("keras_version") && json["keras_version"].is_string())
      major = major_version(json["keras_version"].get<std::string>());
  }
  WeightScope scope;
  scope.by_place = true;
  FB_ASSIGN(const Member weights, open_member(path, "model.weights.h5"));
  FB_ASSIGN(Hdf5File file, Hdf5File::from_member(weights, path + ": model.weights.h5"));
  scope.file = std::make_shared<const Hdf5File>(std::move(file));
  scope.root = scope.file->has("/layers") ? "/layers" : "/_layer_checkpoint_dependencies";
  return convert_model(config, scope, major, options, path);
}

Result<formats::Imported> read_h5(const std::string& path, const formats::ImportOptions& options) {
  FB_ASSIGN(Hdf5File file, Hdf5File::open(path));
  if (!file.has_attribute("/", "model_config")) {
    return fail(ErrorCode::kUnsupported, "{}: holds weights without the model; save the whole model with model.save()",
                path);
  }
  const auto read_config = [&]() -> Result<Json> {
    FB_ASSIGN(const auto text, file.texts("/", "model_config"));
    if (text.size() != 1) return fail(ErrorCode::kInvalidModel, "{}: its model_config is no text", path);
    return parse(text[0], path);
  };
  FB_ASSIGN(const Json config, read_config());
  int major = 1;
  if (file.has_attribute("/", "keras_version")) {
    FB_ASSIGN(const auto version, file.texts("/", "keras_version"));
    if (!version.empty()) major = major_version(version[0]);
  }
  WeightScope scope;
  scope.root = file.has("/model_weights") ? "/model_weights" : "/";
  scope.file = std::make_shared<const Hdf5File>(std::move(file));
  return convert_model(config, scope, major, options, path);
}

Result<formats::Imported> read(const std::string& path, const formats::ImportOptions& options) {
  return path.ends_with(".keras") ? read_archive(path, options) : read_h5(path, options);
}

}  // namespace

const formats::Format& format() noexcept {
  static const formats::Format kFormat = {"keras", "Keras (.keras, .h5)", false, recognizes, read};
  return kFormat;
}

}  // namespace fewbits::keras
