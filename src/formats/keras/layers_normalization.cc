// Normalizations, and the rescaling of inputs.
#include <algorithm>
#include <cmath>

#include "formats/formulas.h"
#include "formats/keras/layer.h"

namespace fewbits::keras {
namespace {

// The axes of a key that holds one or several.
std::vector<int32_t> axes_of(const LayerCall& call, const char* key, int32_t otherwise, int rank) {
  std::vector<int32_t> axes;
  const auto found = call.config.find(key);
  if (found != call.config.end() && found->is_array()) {
    axes = call.integers(key, 0, otherwise);
  } else {
    axes = {call.integer(key, otherwise)};
  }
  for (int32_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) {
      call.unsupported(fmt::format("axis {} of a tensor of rank {}", axis, rank));
      axis = 0;
    }
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

// A weight of the sizes at `axes`, so that it broadcasts against x.
ValueId along(GraphBuilder& b, ValueId weight, ValueId x, const std::vector<int32_t>& axes) {
  const int rank = b.rank(x);
  const Shape sizes = b.shape(weight);
  if (axes.size() == 1 && axes[0] == rank - 1) return weight;
  Shape shape(static_cast<size_t>(std::max(rank, 0)), 1);
  for (size_t i = 0; i < axes.size() && i < sizes.size(); ++i) {
    // Behind an error nothing is known of x: its rank may be less than an axis.
    if (const auto axis = static_cast<size_t>(axes[i]); axis < shape.size()) shape[axis] = sizes[i];
  }
  return b.reshape(weight, shape);
}

// y = x * m + c, which passes/ puts into the layer before it.
Outputs batch_normalization(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const auto axes = axes_of(call, "axis", -1, b.rank(x));
  const ValueId gamma = call.flag("scale", true) ? call.weight("gamma") : kNoValue;
  const ValueId beta = call.flag("center", true) ? call.weight("beta") : kNoValue;
  const ValueId mean = call.weight("moving_mean"), variance = call.weight("moving_variance");
  const auto [factor, addend] = formats::batch_norm(b, gamma, beta, mean, variance, call.number("epsilon", 1e-3));
  return {b.add(b.mul(x, along(b, factor, x, axes)), along(b, addend, x, axes))};
}

// (x - mean) / sqrt(variance + epsilon) over `axes`.
ValueId standardized(GraphBuilder& b, ValueId x, const std::vector<int32_t>& axes, double epsilon) {
  const ValueId mean = b.reduce(Op::MEAN, x, axes, true);
  const ValueId centered = b.sub(x, mean);
  const ValueId variance = b.reduce(Op::MEAN, b.mul(centered, centered), axes, true);
  return b.mul(centered, b.unary(Op::RSQRT, b.add(variance, b.scalar_like(epsilon, x))));
}

Outputs layer_normalization(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const auto axes = axes_of(call, "axis", -1, b.rank(x));
  const bool rms = call.flag("rms_scaling", false);
  const double epsilon = call.number("epsilon", 1e-3);
  if (rms) return {call.unsupported("rms_scaling; use RMSNormalization")};
  ValueId y = standardized(b, x, axes, epsilon);
  if (call.flag("scale", true)) y = b.mul(y, along(b, call.weight("gamma"), x, axes));
  if (call.flag("center", true)) y = b.add(y, along(b, call.weight("beta"), x, axes));
  return {y};
}

Outputs rms_normalization(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const auto axes = axes_of(call, "axis", -1, b.rank(x));
  const ValueId power = b.reduce(Op::MEAN, b.mul(x, x), axes, true);
  const ValueId y = b.mul(x, b.unary(Op::RSQRT, b.add(power, b.scalar_like(call.number("epsilon", 1e-6), x))));
  return {b.mul(y, along(b, call.weight("scale"), x, axes))};
}

Outputs unit_normalization(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const ValueId norm = b.reduce(Op::SUM, b.mul(x, x), axes_of(call, "axis", -1, b.rank(x)), true);
  return {b.mul(x, b.unary(Op::RSQRT, b.binary(Op::MAXIMUM, norm, b.scalar_like(1e-12, x))))};
}

// Channels in groups, each standardized over its channels and all positions.
Outputs group_normalization(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const int rank = b.rank(x);
  const auto axes = axes_of(call, "axis", -1, rank);
  const bool first = axes[0] == 1 && rank > 2;
  if (!first && axes[0] != rank - 1) return {call.unsupported("an axis in the middle")};
  const ValueId last = to_channels_last(b, x, first);
  const int32_t channels = b.dim(last, rank - 1);
  int32_t groups = call.integer("groups", 32);
  if (groups == -1) groups = channels;
  if (channels < 1 || groups < 1 || channels % groups != 0)
    return {call.unsupported("groups that do not fit the channels")};
  // [batch, positions, groups, channels of a group]
  Shape inside{b.dim(last, 0), 1, groups, channels / groups};
  for (int i = 1; i + 1 < rank; ++i) inside[1] = b.dim(last, i) < 0 || inside[1] < 0 ? -1 : inside[1] * b.dim(last, i);
  if (inside[0] < 0 && inside[1] < 0)
    return {call.unsupported("batch and image size both open; give the input's shape")};
  const ValueId grouped = standardized(b, b.reshape(last, inside), {1, 3}, call.number("epsilon", 1e-3));
  ValueId y = b.reshape(grouped, b.shape(last));
  if (call.flag("scale", true)) y = b.mul(y, call.weight("gamma"));
  if (call.flag("center", true)) y = b.add(y, call.weight("beta"));
  return {from_channels_last(b, y, first)};
}

Outputs rescaling(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = b.cast(call.in(), DType::kFloat32);
  const auto values = [&](const char* key, double otherwise) -> ValueId {
    const auto found = call.config.find(key);
    if (found == call.config.end() || !found->is_array()) return b.scalar_like(call.number(key, otherwise), x);
    std::vector<float> list;
    for (const Json& element : *found) list.push_back(element.is_number() ? element.get<float>() : 0.0f);
    return b.floats(std::move(list));
  };
  return {b.add(b.mul(x, values("scale", 1)), values("offset", 0))};
}

// (x - mean) / max(sqrt(variance), 1e-7) with the statistics that adapt() found or the user gave.
Outputs normalization(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = b.cast(call.in(), DType::kFloat32);
  const bool given = call.config.contains("mean") && !call.config["mean"].is_null();
  const auto list = [&](const char* key) {
    std::vector<float> values;
    const std::function<void(const Json&)> flatten = [&](const Json& json) {
      if (json.is_number()) values.push_back(json.get<float>());
      if (json.is_array()) {
        for (const Json& element : json) flatten(element);
      }
    };
    flatten(call.config[key]);
    return values.size() == 1 ? b.scalar(values[0], DType::kFloat32) : b.floats(std::move(values));
  };
  ValueId mean = given ? list("mean") : call.weight("mean");
  ValueId variance = given ? list("variance") : call.weight("variance");
  if (call.config.contains("axis") && !call.config["axis"].is_null() && b.rank(mean) > 0) {
    const auto axes = axes_of(call, "axis", -1, b.rank(x));
    mean = along(b, mean, x, axes);
    variance = along(b, variance, x, axes);
  }
  const ValueId deviation = b.binary(Op::MAXIMUM, b.unary(Op::SQRT, variance), b.scalar(1e-7, DType::kFloat32));
  if (call.flag("invert", false)) return {b.add(mean, b.mul(x, deviation))};
  return {b.div(b.sub(x, mean), deviation)};
}

// ConvNeXt of keras.applications: a factor for each channel.
Outputs layer_scale(LayerCall& call) { return {call.b.mul(call.in(), call.weight("gamma"))}; }

constexpr LayerEntry kLayers[] = {
    {"BatchNormalization", batch_normalization},
    {"BatchNormalizationV1", batch_normalization},
    {"BatchNormalizationV2", batch_normalization},
    {"GroupNormalization", group_normalization},
    {"LayerNormalization", layer_normalization},
    {"LayerScale", layer_scale},
    {"Normalization", normalization},
    {"RMSNormalization", rms_normalization},
    {"Rescaling", rescaling},
    {"SyncBatchNormalization", batch_normalization},
    {"UnitNormalization", unit_normalization},
};

}  // namespace

std::span<const LayerEntry> normalization_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
