// Ranges of tensors, their merge, and the fingerprint that ties them to a model.
#include "ir/statistics.h"

#include <algorithm>
#include <cmath>

namespace fewbits {

void TensorStats::add(float sample_min, float sample_max) noexcept {
  if (samples == 0) {
    first_min = sample_min;
    first_max = sample_max;
  }
  ++samples;
  min = std::min(min, sample_min);
  max = std::max(max, sample_max);
  rest_min = kDecay * rest_min + (1 - kDecay) * sample_min;
  rest_max = kDecay * rest_max + (1 - kDecay) * sample_max;
}

void TensorStats::add_means(std::span<const double> channel_means) {
  if (samples == 1) mean_sums.assign(channel_means.size(), 0);
  std::vector<int64_t> units;
  for (double mean : channel_means) {
    if (!(std::abs(mean) < kMeanUnit * 0x1p62)) return mean_sums.clear();
    units.push_back(std::llround(mean / kMeanUnit));
  }
  add_mean_sums(units);
}

void TensorStats::add_mean_sums(std::span<const int64_t> sums) {
  if (mean_sums.size() != sums.size()) return mean_sums.clear();
  for (size_t c = 0; c < sums.size(); ++c) {
    if (__builtin_add_overflow(mean_sums[c], sums[c], &mean_sums[c])) return mean_sums.clear();
  }
}

std::vector<double> TensorStats::means() const {
  std::vector<double> out;
  for (int64_t sum : mean_sums) out.push_back(static_cast<double>(sum) * kMeanUnit / static_cast<double>(samples));
  return out;
}

double TensorStats::decay() const noexcept { return std::pow(kDecay, static_cast<double>(samples)); }

void TensorStats::merge(const TensorStats& later) noexcept {
  if (later.samples == 0) return;
  if (samples == 0) {
    *this = later;
    return;
  }
  const double d = later.decay();
  rest_min = d * rest_min + later.rest_min;
  rest_max = d * rest_max + later.rest_max;
  min = std::min(min, later.min);
  max = std::max(max, later.max);
  // A part of an older version does not know its rows: then nobody does.
  const bool known = std::isfinite(least_top) && std::isfinite(later.least_top);
  least_top = known ? std::min(least_top, later.least_top) : std::numeric_limits<float>::infinity();
  add_mean_sums(later.mean_sums);
  samples += later.samples;
}

float TensorStats::average_min() const noexcept { return static_cast<float>(decay() * first_min + rest_min); }
float TensorStats::average_max() const noexcept { return static_cast<float>(decay() * first_max + rest_max); }

const TensorStats* Statistics::find(int32_t graph, ValueId value) const {
  const auto at = tensors.find({graph, value});
  return at == tensors.end() ? nullptr : &at->second;
}

Status Statistics::merge(const Statistics& later) {
  if (fingerprint != later.fingerprint) {
    return fail(ErrorCode::kInvalidArgument, "these statistics come from different models ({} and {})", fingerprint,
                later.fingerprint);
  }
  samples += later.samples;
  for (const auto& [key, stats] : later.tensors) {
    TensorStats& mine = tensors[key];
    mine.name = stats.name;
    mine.merge(stats);
  }
  return {};
}

std::string model_fingerprint(const Model& model) {
  uint64_t hash = 1469598103934665603ull;  // FNV-1a, 64 bits
  const auto add = [&](const void* data, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const uint8_t*>(data)[i]) * 1099511628211ull;
  };
  const auto add_ids = [&](const std::vector<int32_t>& ids) { add(ids.data(), ids.size() * sizeof(int32_t)); };
  for (const Graph& graph : model.graphs) {
    for (size_t i = 0; i < graph.value_count(); ++i) {
      const Value& value = graph.value(static_cast<ValueId>(i));
      add(value.name.data(), value.name.size());
      add(&value.dtype, sizeof value.dtype);
      add_ids(value.shape);
    }
    for (NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      add(&node.op, sizeof node.op);
      add(node.custom_code.data(), node.custom_code.size());
      add_ids(node.inputs);
      add_ids(node.outputs);
    }
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace fewbits
