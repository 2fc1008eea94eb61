// Bias correction: the mean of the output over positions, tap by tap, since padding hides some taps at the borders.
#include "quantize/algorithms/bias_correction.h"

#include <algorithm>
#include <optional>

#include "ops/window.h"
#include "schema/tflite.h"

namespace fewbits::quantize {
namespace {

// For each tap along one spatial dimension, the share of output positions at which it meets the input.
using Taps = std::vector<double>;

Taps all_taps(int32_t count, double share = 1) { return Taps(static_cast<size_t>(std::max(count, 0)), share); }

Taps window_taps(bool same, int32_t in, int32_t filter, int32_t stride, int32_t dilation) {
  const auto window = ops::place_windows(same, in, filter, stride, dilation);
  if (!window || window->out <= 0 || !same) return all_taps(filter);
  Taps taps = all_taps(filter, 0);
  for (int64_t o = 0; o < window->out; ++o) {
    for (int64_t k = 0; k < filter; ++k) {
      const int64_t at = o * stride - window->pad + k * dilation;
      if (at >= 0 && at < in) taps[static_cast<size_t>(k)] += 1.0 / window->out;
    }
  }
  return taps;
}

struct Operator {
  Taps rows, columns;
  bool depthwise = false;  // weights are [1, rows, columns, outputs], else [outputs, rows, columns, inputs of a group]
};

// Empty when the operator is none of those known, or has dynamic dimensions.
std::optional<Operator> describe(const Graph& graph, const Node& node, const Shape& weights) {
  if (node.op == Op::FULLY_CONNECTED && weights.size() == 2) return Operator{all_taps(1), all_taps(1), false};
  if (weights.size() != 4) return {};
  if (const auto* o = node.options->AsTransposeConvOptions()) {
    if (o->stride_h < 1 || o->stride_w < 1) return {};
    // Each output position meets one tap in stride.
    return Operator{all_taps(weights[1], 1.0 / o->stride_h), all_taps(weights[2], 1.0 / o->stride_w), false};
  }
  const Shape& in = graph.value(node.inputs[0]).shape;
  if (in.size() != 4) return {};
  const auto taps = [&](const auto& o, bool depthwise) {
    const bool same = o.padding == tflite::Padding::SAME;
    return Operator{window_taps(same, in[1], weights[1], o.stride_h, o.dilation_h_factor),
                    window_taps(same, in[2], weights[2], o.stride_w, o.dilation_w_factor), depthwise};
  };
  if (const auto* o = node.options->AsConv2DOptions()) return taps(*o, false);
  if (const auto* o = node.options->AsDepthwiseConv2DOptions()) return taps(*o, true);
  return {};
}

}  // namespace

std::vector<double> mean_shift(const Graph& graph, const Node& node, const Value& weights, const Value& integers,
                               std::span<const double> means) {
  const auto op = describe(graph, node, weights.shape);
  const auto floats = weights.data.as<float>();
  const auto small = integers.data.as<int8_t>();
  if (!op || floats.empty() || small.size() != floats.size() || means.empty()) return {};
  const auto depth = static_cast<size_t>(weights.shape.back());
  const size_t outputs = op->depthwise ? depth : static_cast<size_t>(weights.shape[0]);
  // Each group of outputs reads its own channels: depth of them, or one of a depthwise operator.
  const size_t channels = op->depthwise ? 1 : depth;
  const size_t groups = means.size() / channels;
  const auto& scales = integers.quant.scale;
  if (groups * channels != means.size() || groups == 0 || outputs % groups != 0 ||
      (node.op == Op::FULLY_CONNECTED && groups != 1) || (scales.size() != 1 && scales.size() != outputs)) {
    return {};
  }
  const size_t columns = op->columns.size(), taps = op->rows.size() * columns, in_group = outputs / groups;
  std::vector<double> shift(outputs, 0.0);
  for (size_t tap = 0; tap < taps; ++tap) {
    const double share = op->rows[tap / columns] * op->columns[tap % columns];
    for (size_t output = 0; output < outputs; ++output) {
      const double scale = scales[scales.size() == 1 ? 0 : output];
      for (size_t c = 0; c < channels; ++c) {
        const size_t at = op->depthwise ? tap * outputs + output : (output * taps + tap) * depth + c;
        shift[output] += share * means[output / in_group * channels + c] * (scale * small[at] - floats[at]);
      }
    }
  }
  return shift;
}

}  // namespace fewbits::quantize
