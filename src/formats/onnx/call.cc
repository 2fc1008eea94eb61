// What a node offers to its mapping: inputs, attributes, constants.
#include <algorithm>

#include "formats/onnx/importer.h"

namespace fewbits::onnx {

bool Call::has(size_t input) const {
  return input < static_cast<size_t>(node_.input_size()) && !node_.input(static_cast<int>(input)).empty();
}
bool Call::wants(size_t output) const {
  return output < static_cast<size_t>(node_.output_size()) && !node_.output(static_cast<int>(output)).empty();
}
ValueId Call::in(size_t input) { return has(input) ? importer_.find(node_.input(static_cast<int>(input))) : kNoValue; }
ValueId Call::need(size_t input) {
  const ValueId id = in(input);
  return id != kNoValue ? id : invalid(fmt::format("input {} is left out", input));
}

std::vector<ValueId> Call::all_inputs() {
  std::vector<ValueId> list;
  for (size_t i = 0; i < input_count(); ++i) list.push_back(need(i));
  return list;
}

void Call::out(ValueId value, size_t output) {
  if (!wants(output)) return;
  importer_.set(node_.output(static_cast<int>(output)), value);
}

proto::Attribute* Call::attr(const char* name) const {
  for (proto::Attribute& attribute : *node_.mutable_attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}
int64_t Call::int_attr(const char* name, int64_t otherwise) const {
  const proto::Attribute* a = attr(name);
  return a != nullptr ? a->i() : otherwise;
}
double Call::float_attr(const char* name, double otherwise) const {
  const proto::Attribute* a = attr(name);
  return a != nullptr ? static_cast<double>(a->f()) : otherwise;
}
std::string Call::string_attr(const char* name, const std::string& otherwise) const {
  const proto::Attribute* a = attr(name);
  return a != nullptr ? a->s() : otherwise;
}
std::vector<int64_t> Call::ints_attr(const char* name) const {
  const proto::Attribute* a = attr(name);
  return a != nullptr ? std::vector<int64_t>(a->ints().begin(), a->ints().end()) : std::vector<int64_t>();
}
std::vector<double> Call::floats_attr(const char* name) const {
  const proto::Attribute* a = attr(name);
  return a != nullptr ? std::vector<double>(a->floats().begin(), a->floats().end()) : std::vector<double>();
}

proto::Graph* Call::graph_attr(const char* name) {
  proto::Attribute* attribute = attr(name);
  if (attribute != nullptr && attribute->has_g()) return attribute->mutable_g();
  invalid(fmt::format("there is no {}", name));
  return nullptr;
}

std::vector<int64_t> Call::const_ints(size_t input) {
  const auto values = b.int_values(need(input));
  if (values) return *values;
  unsupported(fmt::format("input {} is computed at run time, and TFLite must know it beforehand", input));
  return {};
}
std::vector<double> Call::const_numbers(size_t input) {
  const auto values = b.number_values(need(input));
  if (values) return *values;
  unsupported(fmt::format("input {} is computed at run time, and TFLite must know it beforehand", input));
  return {};
}

std::optional<std::vector<int64_t>> Call::ints_either(const char* attribute, size_t input) {
  if (has_attr(attribute)) return ints_attr(attribute);
  if (has(input)) return const_ints(input);
  return std::nullopt;
}

int Call::rank(ValueId x) {
  const int known = b.rank(x);
  if (known < 0) unsupported("the number of its input's dimensions is not known before run time");
  return std::max(known, 0);
}

int Call::axis(int64_t value, int rank) {
  const int64_t normal = value < 0 ? value + rank : value;
  if (normal >= 0 && normal < rank) return static_cast<int>(normal);
  invalid(fmt::format("axis {} does not exist in {} dimensions", value, rank));
  return 0;
}
std::vector<int32_t> Call::axes(const std::vector<int64_t>& values, int rank) {
  std::vector<int32_t> list;
  for (int64_t value : values) list.push_back(axis(value, rank));
  return list;
}

std::vector<int32_t> to_channels_last(int rank) {
  std::vector<int32_t> perm = {0};
  for (int i = 2; i < rank; ++i) perm.push_back(i);
  if (rank > 1) perm.push_back(1);
  return perm;
}
std::vector<int32_t> to_channels_first(int rank) {
  std::vector<int32_t> perm = {0};
  if (rank > 1) perm.push_back(rank - 1);
  for (int i = 1; i + 1 < rank; ++i) perm.push_back(i);
  return perm;
}

}  // namespace fewbits::onnx
