// ONNX pools.
#include <algorithm>
#include <limits>
#include <numeric>

#include "formats/onnx/importer.h"
#include "formats/onnx/products.h"
#include "formats/onnx/windows.h"

namespace fewbits::onnx {
namespace {

std::vector<int32_t> kernel_of(Call& c) {
  std::vector<int32_t> kernel;
  for (int64_t size : c.ints_attr("kernel_shape")) {
    kernel.push_back(static_cast<int32_t>(std::clamp<int64_t>(size, 0, INT32_MAX)));
  }
  return kernel;
}

// Runs `pool` over x [n, c, h, w] as an NHWC image.
template <class Pool>
ValueId over_image(Call& c, ValueId x, const Pool& pool) {
  return c.b.transpose(pool(c.b.transpose(x, to_channels_last(4))), to_channels_first(4));
}

// The largest of dilated windows: the maximum of shifted, strided slices, one a tap.
ValueId dilated_max(Call& c, ValueId image, const Spatial& s) {
  const Window w = s.window();
  const size_t last = s.dims() - 1;
  const int32_t kernel_h = last > 0 ? s.kernel[last - 1] : 1, kernel_w = s.kernel[last];
  image = c.b.pad(image, {{{0, 0}, {w.top, w.bottom}, {w.left, w.right}, {0, 0}}},
                  c.b.non_negative(image) ? 0 : -std::numeric_limits<float>::max());
  const int32_t height = c.b.dim(image, 1), width = c.b.dim(image, 2);
  if (height < 0 || width < 0) return c.unsupported("dilated windows over open sizes");
  const int32_t out_h = (height - (kernel_h - 1) * w.dilation_h - 1) / w.stride_h + 1;
  const int32_t out_w = (width - (kernel_w - 1) * w.dilation_w - 1) / w.stride_w + 1;
  ValueId largest = kNoValue;
  for (int32_t i = 0; i < kernel_h; ++i) {
    for (int32_t j = 0; j < kernel_w; ++j) {
      const int32_t y = i * w.dilation_h, x = j * w.dilation_w;
      const ValueId tap =
          c.b.strided_slice(image, {1, 2}, {y, x}, {y + (out_h - 1) * w.stride_h + 1, x + (out_w - 1) * w.stride_w + 1},
                            {w.stride_h, w.stride_w});
      largest = largest == kNoValue ? tap : c.b.binary(Op::MAXIMUM, largest, tap);
    }
  }
  return largest;
}

ValueId max_2d(Call& c, ValueId x, const Spatial& s) {
  const size_t last = s.dims() - 1;
  return over_image(c, x, [&](ValueId image) {
    if (s.dilation[last] != 1 || (last > 0 && s.dilation[last - 1] != 1)) return dilated_max(c, image, s);
    return c.b.max_pool(image, last > 0 ? s.kernel[last - 1] : 1, s.kernel[last], s.window());
  });
}

ValueId average_2d(Call& c, ValueId x, const Spatial& s, bool count_padding) {
  const size_t last = s.dims() - 1;
  return over_image(c, x, [&](ValueId image) {
    return c.b.average_pool(image, last > 0 ? s.kernel[last - 1] : 1, s.kernel[last], s.window(), count_padding);
  });
}

ValueId over_volume(Call& c, ValueId x, const Spatial& s, bool largest, bool count_padding) {
  const auto three = [](const std::vector<int32_t>& v) { return std::array<int32_t, 3>{v[0], v[1], v[2]}; };
  if (std::any_of(s.dilation.begin(), s.dilation.end(), [](int32_t d) { return d != 1; }))
    return c.unsupported("dilated windows over volumes");
  const ValueId y = c.b.pool3d(largest, c.b.transpose(x, to_channels_last(5)), three(s.kernel), three(s.stride),
                               three(s.before), three(s.after), false, count_padding);
  return c.b.transpose(y, to_channels_first(5));
}

void map_max_pool(Call& c) {
  const ValueId source = c.need(0);
  const int rank = c.rank(source);
  const DType type = c.b.dtype(source);
  const bool integers = c.b.value(source).quant.quantized() && (type == DType::kInt8 || type == DType::kUInt8);
  const ValueId x = integers ? source : c.b.cast(source, DType::kFloat32);
  if (c.wants(1)) return (void)c.unsupported("TFLite's pools do not tell where the largest value was");
  if (rank < 3 || rank > 5) return (void)c.unsupported(fmt::format("a pool over {} dimensions", rank));
  const Spatial s = read_spatial(c, x, kernel_of(c), c.int_attr("ceil_mode", 0) != 0);
  if (!c.b.ok() || static_cast<int>(s.dims()) + 2 != rank)
    return (void)c.invalid("kernel_shape does not fit its input");
  if (rank == 5) return c.out(c.b.cast(over_volume(c, x, s, true, false), type));
  const ValueId y = rank == 4 ? max_2d(c, x, s) : drop_height(c, max_2d(c, add_height(c, x), s));
  c.out(c.b.cast(y, type));
}

}  // namespace

ValueId average_pool(Call& c, ValueId x) {
  const int rank = c.rank(x);
  if (rank < 3 || rank > 5) return c.unsupported(fmt::format("a pool over {} dimensions", rank));
  const bool count_padding = c.int_attr("count_include_pad", 0) != 0, ceil_mode = c.int_attr("ceil_mode", 0) != 0;
  const Spatial s = read_spatial(c, x, kernel_of(c), ceil_mode);
  if (!c.b.ok() || static_cast<int>(s.dims()) + 2 != rank) return c.invalid("kernel_shape does not fit its input");
  if (std::any_of(s.dilation.begin(), s.dilation.end(), [](int32_t d) { return d != 1; })) {
    return c.unsupported("means of dilated windows");
  }
  if (count_padding && ceil_mode) {
    // What ceil_mode adds behind does not count, the model's own padding does.
    const Spatial plain = read_spatial(c, x, kernel_of(c), false);
    if (plain.after != s.after)
      return c.unsupported("count_include_pad with ceil_mode, where windows leave the padding");
  }
  if (rank == 5) return over_volume(c, x, s, false, count_padding);
  return rank == 4 ? average_2d(c, x, s, count_padding)
                   : drop_height(c, average_2d(c, add_height(c, x), s, count_padding));
}

namespace {

void map_average_pool(Call& c) { c.out(average_pool(c, c.need(0))); }

// Every dimension but batch and channels, as the graph has them.
std::vector<int32_t> spatial_axes(Call& c, ValueId x) {
  std::vector<int32_t> axes(static_cast<size_t>(std::max(c.rank(x) - 2, 0)));
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}
void map_global_average(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.reduce(Op::MEAN, x, spatial_axes(c, x), true));
}
void map_global_max(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.reduce(Op::REDUCE_MAX, x, spatial_axes(c, x), true));
}

ValueId power(Call& c, ValueId x, double p) {
  if (p == 1) return x;
  if (p == 2) return c.b.mul(x, x);
  if (p == 0.5) return c.b.unary(Op::SQRT, x);
  return c.b.binary(Op::POW, x, c.b.scalar(p, DType::kFloat32));
}

void map_global_lp(Call& c) {
  const ValueId x = c.need(0);
  const double p = static_cast<double>(c.int_attr("p", 2));
  const ValueId sum = c.b.reduce(Op::SUM, power(c, c.b.unary(Op::ABS, x), p), spatial_axes(c, x), true);
  c.out(power(c, sum, 1 / p));
}

void map_lp_pool(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  const double p = static_cast<double>(c.int_attr("p", 2));
  const Spatial s = read_spatial(c, x, kernel_of(c), c.int_attr("ceil_mode", 0) != 0);
  if (!c.b.ok() || rank < 3 || rank > 4 || static_cast<int>(s.dims()) + 2 != rank) {
    return (void)c.unsupported(fmt::format("a pool over {} dimensions", rank));
  }
  if (std::any_of(s.dilation.begin(), s.dilation.end(), [](int32_t d) { return d != 1; })) {
    return (void)c.unsupported("sums of dilated windows");
  }
  double count = 1;
  for (int32_t size : s.kernel) count *= size;
  const ValueId powers = power(c, c.b.unary(Op::ABS, x), p);
  const ValueId mean =
      rank == 4 ? average_2d(c, powers, s, true) : drop_height(c, average_2d(c, add_height(c, powers), s, true));
  c.out(power(c, c.b.mul(mean, c.b.scalar(count, DType::kFloat32)), 1 / p));
}

constexpr OpEntry kOps[] = {
    {"AveragePool", map_average_pool}, {"GlobalAveragePool", map_global_average},
    {"GlobalLpPool", map_global_lp},   {"GlobalMaxPool", map_global_max},
    {"LpPool", map_lp_pool},           {"MaxPool", map_max_pool},
};

}  // namespace

std::span<const OpEntry> pool_ops() { return kOps; }

}  // namespace fewbits::onnx
