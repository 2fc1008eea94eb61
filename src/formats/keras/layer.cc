// Reading a layer's configuration, which is a stranger's JSON, without exceptions.
#include "formats/keras/layer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "formats/keras/masks.h"

namespace fewbits::keras {
namespace {

const Json* find(const Json& config, const char* key) {
  if (!config.is_object()) return nullptr;
  const auto found = config.find(key);
  return found == config.end() || found->is_null() ? nullptr : &*found;
}

std::optional<int32_t> as_integer(const Json& json) {
  if (!json.is_number()) return std::nullopt;
  const double value = json.get<double>();
  if (!(std::abs(value) <= INT32_MAX)) return std::nullopt;
  return static_cast<int32_t>(value);
}

}  // namespace

const Argument* LayerCall::keyword(const std::string& key) const {
  const auto found = keywords.find(key);
  return found == keywords.end() || found->second.size() != 1 ? nullptr : &found->second[0];
}

ValueId LayerCall::mask(size_t i) const {
  if (const auto given = keywords.find("mask"); given != keywords.end() && i < given->second.size()) {
    if (const ValueId id = given->second[i].value; id != kNoValue) return id;
  }
  return context.masks == nullptr || i >= arguments.size() ? kNoValue : context.masks->of(arguments[i].value);
}

ValueId LayerCall::in(size_t i) const {
  if (i < arguments.size() && arguments[i].value != kNoValue) return arguments[i].value;
  if (i < arguments.size() && arguments[i].constant != nullptr && arguments[i].constant->is_number()) {
    for (const Argument& other : arguments) {
      if (other.value != kNoValue) return b.scalar_like(arguments[i].constant->get<double>(), other.value);
    }
  }
  unsupported(fmt::format("argument {} is no tensor", i));
  // Something of a known rank to go on with.
  for (const Argument& other : arguments) {
    if (other.value != kNoValue) return other.value;
  }
  return b.scalar(0, DType::kFloat32);
}

std::vector<ValueId> LayerCall::tensors() const {
  std::vector<ValueId> out;
  for (size_t i = 0; i < arguments.size(); ++i) out.push_back(in(i));
  return out;
}

ValueId LayerCall::weight(const char* role) const {
  auto array = weights.take();
  if (!array) return b.error(array.error().code, array.error().message);
  return b.constant(array->data, DType::kFloat32, array->shape, fmt::format("{}/{}", text("name", class_name), role));
}

std::string LayerCall::text(const char* key, const std::string& otherwise) const {
  const Json* json = find(config, key);
  return json != nullptr && json->is_string() ? json->get<std::string>() : otherwise;
}
bool LayerCall::flag(const char* key, bool otherwise) const {
  const Json* json = find(config, key);
  return json != nullptr && json->is_boolean() ? json->get<bool>() : otherwise;
}
double LayerCall::number(const char* key, double otherwise) const {
  const Json* json = find(config, key);
  return json != nullptr && json->is_number() ? json->get<double>() : otherwise;
}
int32_t LayerCall::integer(const char* key, int32_t otherwise) const {
  const Json* json = find(config, key);
  return json == nullptr ? otherwise : as_integer(*json).value_or(otherwise);
}
std::vector<int32_t> LayerCall::integers(const char* key, size_t count, int32_t otherwise) const {
  const Json* json = find(config, key);
  if (json == nullptr) return std::vector<int32_t>(count, otherwise);
  if (const auto single = as_integer(*json)) return std::vector<int32_t>(count, *single);
  std::vector<int32_t> out;
  if (json->is_array()) {
    for (const Json& element : *json) out.push_back(as_integer(element).value_or(otherwise));
  } else {
    unsupported(fmt::format("its {} is no list of numbers", key));
    out.resize(std::max<size_t>(count, 1), otherwise);
  }
  if (count != 0 && out.size() != count) {
    unsupported(fmt::format("its {} has {} numbers where {} are meant", key, out.size(), count));
    out.resize(count, otherwise);
  }
  return out;
}

ValueId LayerCall::activate(ValueId x, const char* key) const {
  const Json* json = find(config, key);
  return json == nullptr ? x : apply_activation(b, context, x, *json);
}

LayerRule find_layer(std::string_view class_name) noexcept {
  static const std::unordered_map<std::string_view, LayerRule> kRules = [] {
    std::unordered_map<std::string_view, LayerRule> all;
    for (const auto group :
         {activation_layers(), attention_layers(), convolution_layers(), dense_layers(), mask_layers(), merge_layers(),
          normalization_layers(), operation_layers(), pooling_layers(), recurrent_layers(), shape_layers()}) {
      for (const LayerEntry& entry : group) all.emplace(entry.class_name, entry.rule);
    }
    return all;
  }();
  const auto found = kRules.find(class_name);
  return found == kRules.end() ? nullptr : found->second;
}

ValueId to_channels_last(GraphBuilder& b, ValueId x, bool channels_first) {
  const int rank = b.rank(x);
  if (!channels_first || rank < 3) return x;
  std::vector<int32_t> perm(static_cast<size_t>(rank));
  std::iota(perm.begin() + 1, perm.end() - 1, 2);
  perm.back() = 1;
  return b.transpose(x, perm);
}

ValueId from_channels_last(GraphBuilder& b, ValueId x, bool channels_first) {
  const int rank = b.rank(x);
  if (!channels_first || rank < 3) return x;
  std::vector<int32_t> perm(static_cast<size_t>(rank));
  perm[1] = rank - 1;
  std::iota(perm.begin() + 2, perm.end(), 1);
  return b.transpose(x, perm);
}

}  // namespace fewbits::keras
