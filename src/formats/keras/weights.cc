// Two ways of keeping weights: lists by layer name, and groups by class name and place.
#include "formats/keras/weights.h"

#include <algorithm>
#include <cctype>

namespace fewbits::keras {

LayerWeights::LayerWeights(std::shared_ptr<const Hdf5File> file, std::string group)
    : file_(std::move(file)), group_(std::move(group)), next_(std::make_shared<size_t>(0)) {}

LayerWeights::LayerWeights(std::shared_ptr<const Hdf5File> file, std::vector<std::string> datasets)
    : file_(std::move(file)),
      datasets_(std::make_shared<const std::vector<std::string>>(std::move(datasets))),
      next_(std::make_shared<size_t>(0)) {}

Result<NumberArray> LayerWeights::take() {
  if (file_ == nullptr) return fail(ErrorCode::kNotFound, "the layer has no weights");
  const size_t i = (*next_)++;
  if (datasets_ == nullptr) return file_->read(fmt::format("{}/vars/{}", group_, i));
  if (i >= datasets_->size())
    return fail(ErrorCode::kInvalidModel, "{}: the layer has {} weights, and needs more", file_->name(),
                datasets_->size());
  return file_->read((*datasets_)[i]);
}

LayerWeights LayerWeights::part(const std::string& name) const {
  if (file_ == nullptr || datasets_ != nullptr) return *this;
  return LayerWeights(file_, group_ + "/" + name);
}

LayerWeights LayerWeights::of_layer(const std::string& layer_name) const {
  std::vector<std::string> own;
  const std::string middle = "/" + layer_name + "/";
  if (datasets_ != nullptr) {
    std::copy_if(datasets_->begin(), datasets_->end(), std::back_inserter(own),
                 [&](const std::string& path) { return path.find(middle) != std::string::npos; });
  }
  return LayerWeights(file_, std::move(own));
}

Result<LayerWeights> h5_layer_weights(const std::shared_ptr<const Hdf5File>& file, const std::string& root,
                                      const std::string& layer_name) {
  const std::string group = (root == "/" ? "" : root) + "/" + layer_name;
  std::vector<std::string> datasets;
  // HDF5 limits an attribute to 64 KB: Keras cuts long lists into weight_names0, weight_names1, ...
  std::vector<std::string> attributes;
  if (file->has_attribute(group, "weight_names")) attributes.push_back("weight_names");
  for (int i = 0; attributes.empty() || i > 0; ++i) {
    const std::string name = fmt::format("weight_names{}", i);
    if (!file->has_attribute(group, name)) break;
    attributes.push_back(name);
  }
  for (const std::string& attribute : attributes) {
    FB_ASSIGN(const auto names, file->texts(group, attribute));
    for (const std::string& name : names) datasets.push_back(group + "/" + name);
  }
  return LayerWeights(file, std::move(datasets));
}

std::string snake_case(const std::string& class_name) {
  std::string once;  // a capital followed by small letters begins a word
  for (size_t i = 0; i < class_name.size(); ++i) {
    const bool capital = std::isupper(static_cast<unsigned char>(class_name[i])) != 0;
    const bool small_next =
        i + 1 < class_name.size() && std::islower(static_cast<unsigned char>(class_name[i + 1])) != 0;
    if (i > 0 && capital && small_next) once += '_';
    once += class_name[i];
  }
  std::string out;  // and so does a capital after a small letter
  for (size_t i = 0; i < once.size(); ++i) {
    if (i > 0 && std::isupper(static_cast<unsigned char>(once[i])) != 0 &&
        std::islower(static_cast<unsigned char>(once[i - 1])) != 0)
      out += '_';
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(once[i])));
  }
  return out;
}

}  // namespace fewbits::keras
