// ONNX normalisations.
#include <algorithm>
#include <numeric>

#include "formats/formulas.h"
#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"

namespace fewbits::onnx {
namespace {

// A vector over channels, shaped to broadcast over NCHW...
ValueId over_channels(Call& c, ValueId vector, int rank) {
  Shape shape(static_cast<size_t>(std::max(rank, 2)), 1);
  shape[1] = -1;
  return c.b.reshape(vector, shape);
}

void map_batch_norm(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  if (c.int_attr("spatial", 1) == 0) return (void)c.unsupported("statistics of every position (spatial=0)");
  ValueId mean = c.need(3), variance = c.need(4);
  if (c.int_attr("training_mode", 0) != 0) {  // by the batch's own statistics
    std::vector<int32_t> axes;
    for (int i = 0; i < rank; ++i) {
      if (i != 1) axes.push_back(i);
    }
    const auto moved = [&](ValueId before, ValueId now) {
      const double momentum = c.float_attr("momentum", 0.9);
      return c.b.add(c.b.mul(before, c.b.scalar_like(momentum, before)),
                     c.b.mul(now, c.b.scalar_like(1 - momentum, now)));
    };
    const ValueId own = c.b.reduce(Op::MEAN, x, axes, true);
    const ValueId spread = c.b.reduce(Op::MEAN, c.b.binary(Op::SQUARED_DIFFERENCE, x, own), axes, false);
    const ValueId centre = c.b.reshape(own, {-1});
    if (c.wants(1)) c.out(moved(mean, centre), 1);
    if (c.wants(2)) c.out(moved(variance, spread), 2);
    mean = centre;
    variance = spread;
  } else if (c.wants(1) && c.opset() >= 14) {
    return (void)c.invalid("it gives running statistics outside of training mode");
  }
  const auto [factor, addend] =
      formats::batch_norm(c.b, c.need(1), c.need(2), mean, variance, c.float_attr("epsilon", 1e-5));
  c.out(c.b.add(c.b.mul(x, over_channels(c, factor, rank)), over_channels(c, addend, rank)));
}

void map_instance_norm(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  std::vector<int32_t> axes(static_cast<size_t>(std::max(rank - 2, 0)));
  std::iota(axes.begin(), axes.end(), 2);
  const ValueId y = normalize(c, x, axes, c.float_attr("epsilon", 1e-5));
  c.out(c.b.add(c.b.mul(y, over_channels(c, c.need(1), rank)), over_channels(c, c.need(2), rank)));
}

std::vector<int32_t> axes_from(Call& c, int rank) {
  const int axis = c.axis(c.int_attr("axis", -1), rank);
  std::vector<int32_t> axes(static_cast<size_t>(std::max(rank - axis, 0)));
  std::iota(axes.begin(), axes.end(), axis);
  return axes;
}

void map_layer_norm(Call& c) {
  const ValueId x = c.need(0);
  const auto axes = axes_from(c, c.rank(x));
  const ValueId epsilon = c.b.scalar(c.float_attr("epsilon", 1e-5), DType::kFloat32);
  const ValueId mean = c.b.reduce(Op::MEAN, x, axes, true);
  const ValueId centred = c.b.sub(x, mean);
  const ValueId variance = c.b.reduce(Op::MEAN, c.b.mul(centred, centred), axes, true);
  const ValueId inverse = c.b.unary(Op::RSQRT, c.b.add(variance, epsilon));
  ValueId y = c.b.mul(c.b.mul(centred, inverse), c.need(1));
  if (c.has(2)) y = c.b.add(y, c.in(2));
  c.out(y);
  c.out(mean, 1);
  c.out(inverse, 2);
}

void map_rms_norm(Call& c) {
  const ValueId x = c.need(0);
  const auto axes = axes_from(c, c.rank(x));
  const ValueId mean = c.b.reduce(Op::MEAN, c.b.mul(x, x), axes, true);
  const ValueId inverse =
      c.b.unary(Op::RSQRT, c.b.add(mean, c.b.scalar(c.float_attr("epsilon", 1e-5), DType::kFloat32)));
  c.out(c.b.mul(c.b.mul(x, inverse), c.need(1)));
}

void map_group_norm(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  const auto groups = static_cast<int32_t>(std::clamp<int64_t>(c.int_attr("num_groups", 1), 1, INT32_MAX));
  const Shape shape = c.b.shape(x);
  if (rank < 3 || !c.b.is_static(x) || shape[1] % groups != 0) {
    return (void)c.unsupported("group normalization over open sizes, or groups that do not divide the channels");
  }
  const ValueId grouped = c.b.reshape(x, {shape[0], groups, -1});
  ValueId y = c.b.reshape(normalize(c, grouped, {2}, c.float_attr("epsilon", 1e-5)), shape);
  ValueId scale = c.need(1), bias = c.need(2);
  if (c.b.dim(scale, 0) == groups && groups != shape[1]) {  // before opset 21: one a group
    std::vector<int32_t> owner(static_cast<size_t>(shape[1]));
    for (int32_t i = 0; i < shape[1]; ++i) owner[static_cast<size_t>(i)] = i / (shape[1] / groups);
    scale = c.b.gather(scale, c.b.ints(owner), 0);
    bias = c.b.gather(bias, c.b.ints(owner), 0);
  }
  c.out(c.b.add(c.b.mul(y, over_channels(c, scale, rank)), over_channels(c, bias, rank)));
}

void map_mean_variance(Call& c) {
  const ValueId x = c.need(0);
  auto given = c.ints_attr("axes");
  if (given.empty()) given = {0, 2, 3};
  const auto axes = c.axes(given, c.rank(x));
  const ValueId centred = c.b.sub(x, c.b.reduce(Op::MEAN, x, axes, true));
  const ValueId variance = c.b.reduce(Op::MEAN, c.b.mul(centred, centred), axes, true);
  c.out(c.b.div(centred, c.b.add(c.b.unary(Op::SQRT, variance), c.b.scalar(1e-9, DType::kFloat32))));
}

void map_lp_norm(Call& c) {
  const ValueId x = c.need(0);
  const int axis = c.axis(c.int_attr("axis", -1), c.rank(x));
  const bool one = c.int_attr("p", 2) == 1;
  const ValueId sum = c.b.reduce(Op::SUM, one ? c.b.unary(Op::ABS, x) : c.b.mul(x, x), {axis}, true);
  c.out(c.b.div(x, one ? sum : c.b.unary(Op::SQRT, sum)));
}

// x / (bias + alpha / size * (sum of squares over a window of channels))^beta. Not TFLite's operator: LiteRT's reference and
// optimized kernels disagree about its window.
void map_lrn(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  const int64_t size = c.int_attr("size", 1);
  const int32_t channels = c.b.dim(x, 1), batch = c.b.dim(x, 0);
  if (rank < 2 || !c.b.is_static(x) || size < 1 || size > 4096) {
    return (void)c.unsupported("local response normalization over open sizes");
  }
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const ValueId rows = c.b.reshape(c.b.mul(x, x), {batch, channels, -1, 1});  // an image as high as there are channels
  const auto kernel = static_cast<int32_t>(size);
  const Window window{.top = (kernel - 1) / 2, .bottom = kernel - 1 - (kernel - 1) / 2};
  const ValueId mean = c.b.reshape(c.b.average_pool(rows, kernel, 1, window, true), c.b.shape(x));
  const ValueId base = c.b.add(c.b.mul(mean, number(c.float_attr("alpha", 1e-4))), number(c.float_attr("bias", 1)));
  c.out(c.b.div(x, c.b.binary(Op::POW, base, number(c.float_attr("beta", 0.75)))));
}

constexpr OpEntry kOps[] = {
    {"BatchNormalization", map_batch_norm},           {"GroupNormalization", map_group_norm},
    {"InstanceNormalization", map_instance_norm},     {"LRN", map_lrn},
    {"LayerNormalization", map_layer_norm},           {"LpNormalization", map_lp_norm},
    {"MeanVarianceNormalization", map_mean_variance}, {"RMSNormalization", map_rms_norm},
};

}  // namespace

std::span<const OpEntry> norm_ops() { return kOps; }

}  // namespace fewbits::onnx
