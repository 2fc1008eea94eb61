// ONNX convolutions.
#include <algorithm>
#include <numeric>

#include "formats/onnx/importer.h"
#include "formats/onnx/products.h"
#include "formats/onnx/windows.h"

namespace fewbits::onnx {
namespace {

std::vector<int32_t> kernel_of(Call& c, ValueId weights) {
  std::vector<int32_t> kernel;
  for (int i = 2; i < c.b.rank(weights); ++i) kernel.push_back(c.b.dim(weights, i));
  return kernel;
}

// x [n, c, h, w], weights [out, c / groups, kh, kw]
ValueId conv_2d(Call& c, ValueId x, ValueId weights, ValueId bias, const Window& window, int64_t groups) {
  const int32_t channels = c.b.dim(x, 1), out = c.b.dim(weights, 0);
  if (channels < 1 || c.b.dim(weights, 1) * groups != channels || out % groups != 0) {
    return c.invalid(fmt::format("{} groups of {} do not make its {} channels", groups, c.b.dim(weights, 1), channels));
  }
  const ValueId image = c.b.transpose(x, to_channels_last(4));
  ValueId y;
  if (groups == channels && groups > 1) {
    y = c.b.depthwise(image, c.b.transpose(weights, {1, 2, 3, 0}), bias, window);
  } else {
    y = c.b.conv2d(image, c.b.transpose(weights, {0, 2, 3, 1}), bias, window);
  }
  return c.b.transpose(y, to_channels_first(4));
}

ValueId conv_3d(Call& c, ValueId x, ValueId weights, ValueId bias, const Spatial& s, int64_t groups) {
  if (groups != 1) return c.unsupported("grouped convolutions of volumes");
  ValueId volume = c.b.transpose(x, to_channels_last(5));
  const auto pad = [&](size_t i) { return std::array<int32_t, 2>{s.before[i], s.after[i]}; };
  volume = c.b.pad(volume, {{{0, 0}, pad(0), pad(1), pad(2), {0, 0}}});
  const ValueId filter = c.b.transpose(weights, {2, 3, 4, 1, 0});
  const ValueId y = c.b.conv3d(volume, filter, bias, {s.stride[0], s.stride[1], s.stride[2]},
                               {s.dilation[0], s.dilation[1], s.dilation[2]}, false);
  return c.b.transpose(y, to_channels_first(5));
}

}  // namespace

ValueId convolve(Call& c, ValueId x, ValueId weights, ValueId bias) {
  const int rank = c.rank(x);
  if (rank < 3 || rank > 5 || c.b.rank(weights) != rank) {
    return c.unsupported(fmt::format("a convolution over {} dimensions", rank));
  }
  const int64_t groups = c.int_attr("group", 1);
  if (groups < 1 || groups > INT32_MAX) return c.invalid("group is no number of groups");
  const Spatial s = read_spatial(c, x, kernel_of(c, weights));
  if (!c.b.ok()) return x;
  if (rank == 5) return conv_3d(c, x, weights, bias, s, groups);
  if (rank == 4) return conv_2d(c, x, weights, bias, s.window(), groups);
  return drop_height(c, conv_2d(c, add_height(c, x), add_height(c, weights), bias, s.window(), groups));
}

namespace {

void map_conv(Call& c) { c.out(convolve(c, c.need(0), c.need(1), c.in(2))); }

// ---- transposed ----

// Zeros between the taps of a filter [out, kh, kw, in].
ValueId dilate_filter(Call& c, ValueId filter, int32_t dilation_h, int32_t dilation_w) {
  for (const auto& [axis, dilation] : {std::pair(1, dilation_h), std::pair(2, dilation_w)}) {
    if (dilation == 1) continue;
    Shape shape = c.b.shape(filter), wide = shape;
    const auto at = static_cast<size_t>(axis);
    wide.insert(wide.begin() + axis + 1, 1);
    std::vector<std::array<int32_t, 2>> pads(5, {0, 0});
    pads[at + 1] = {0, dilation - 1};
    filter = c.b.pad(c.b.reshape(filter, wide), pads);
    shape[at] *= dilation;
    filter = c.b.reshape(filter, shape);
    filter = c.b.strided_slice(filter, {axis}, {0}, {shape[at] - dilation + 1}, {1});
  }
  return filter;
}

// Padding and result size of a transposed convolution's dimension i.
struct Extent {
  int32_t before = 0, after = 0, out = -1;
};
Extent extent(Call& c, ValueId x, const Spatial& s, size_t i) {
  Extent e{s.before[i], s.after[i], -1};
  const int32_t in = c.b.dim(x, static_cast<int>(i) + 2);
  const auto extra = c.ints_attr("output_padding"), wanted = c.ints_attr("output_shape");
  const auto output_padding = i < extra.size() ? static_cast<int32_t>(extra[i]) : 0;
  const int32_t span = (s.kernel[i] - 1) * s.dilation[i] + 1;
  const std::string mode = c.string_attr("auto_pad", "NOTSET");
  const bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!wanted.empty() || same) {
    if (in < 0 && !wanted.empty()) c.unsupported("output_shape with an input of open size");
    // total = stride * (in - 1) + output_padding + span - out
    const size_t skip = wanted.size() > s.dims() ? 2 : 0;
    const int64_t out = wanted.empty() ? int64_t{in} * s.stride[i] : i + skip < wanted.size() ? wanted[i + skip] : -1;
    const int64_t total = wanted.empty() ? output_padding + span - s.stride[i]
                                         : int64_t{s.stride[i]} * (in - 1) + output_padding + span - out;
    if (total < 0) {  // longer than the full result: what is missing stands at the end
      e.after = static_cast<int32_t>(total) - output_padding;
      if (in > 0) e.out = s.stride[i] * (in - 1) + span - e.before - e.after;
      return e;
    }
    e.before = static_cast<int32_t>(mode == "SAME_UPPER" ? total / 2 : total - total / 2);
    e.after = static_cast<int32_t>(total) - e.before;
  }
  e.after -= output_padding;
  if (in > 0) e.out = s.stride[i] * (in - 1) + span - e.before - e.after;
  return e;
}

ValueId transposed_2d(Call& c, ValueId x, ValueId weights, ValueId bias, const Spatial& s, const Extent& h,
                      const Extent& w, int64_t groups) {
  const size_t last = s.dims() - 1;
  const int32_t channels = c.b.dim(x, 1), out = c.b.dim(weights, 1);
  if (channels < 1 || out < 1 || c.b.dim(weights, 0) != channels || channels % groups != 0) {
    return c.invalid(fmt::format("weights of {} channels do not fit its input of {}", c.b.dim(weights, 0), channels));
  }
  Window window = s.window();
  window.top = h.before;
  window.bottom = h.after;
  window.left = w.before;
  window.right = w.after;
  const ValueId image = c.b.transpose(x, to_channels_last(4));
  // [in, out, kh, kw] to [out, kh, kw, in]
  const ValueId filter =
      dilate_filter(c, c.b.transpose(weights, {1, 2, 3, 0}), last > 0 ? s.dilation[last - 1] : 1, s.dilation[last]);
  if (groups == 1) {
    return c.b.transpose(c.b.transpose_conv(image, filter, bias, window, h.out, w.out), to_channels_first(4));
  }
  const std::vector<int32_t> parts(static_cast<size_t>(groups), channels / static_cast<int32_t>(groups));
  const auto images = c.b.split(image, parts, 3), filters = c.b.split(filter, parts, 3);
  std::vector<ValueId> results;
  for (size_t g = 0; g < images.size(); ++g) {
    results.push_back(c.b.transpose_conv(images[g], filters[g], kNoValue, window, h.out, w.out));
  }
  ValueId y = c.b.concat(results, 3);
  if (bias != kNoValue) y = c.b.add(y, bias);
  return c.b.transpose(y, to_channels_first(4));
}

ValueId transposed_3d(Call& c, ValueId x, ValueId weights, ValueId bias, const Spatial& s, int64_t groups) {
  if (groups != 1) return c.unsupported("grouped transposed convolutions of volumes");
  if (std::any_of(s.dilation.begin(), s.dilation.end(), [](int32_t d) { return d != 1; }))
    return c.unsupported("dilated transposed convolutions of volumes");
  if (c.b.dim(weights, 0) != c.b.dim(x, 1) || c.b.dim(weights, 1) < 1)
    return c.invalid(
        fmt::format("weights of {} channels do not fit its input of {}", c.b.dim(weights, 0), c.b.dim(x, 1)));
  std::vector<std::array<int32_t, 2>> crop(5, {0, 0});
  bool beyond = false;  // what lies beyond the whole result is bias alone
  for (size_t i = 0; i < 3; ++i) {
    const Extent e = extent(c, x, s, i);
    crop[i + 1] = {-e.before, -e.after};
    beyond = beyond || e.after < 0;
  }
  const ValueId volume = c.b.transpose(x, to_channels_last(5)), filter = c.b.transpose(weights, {2, 3, 4, 1, 0});
  ValueId y = c.b.conv3d_transpose(volume, filter, beyond ? kNoValue : bias, {s.stride[0], s.stride[1], s.stride[2]});
  y = c.b.pad(y, crop);
  if (beyond && bias != kNoValue) y = c.b.add(y, bias);
  return c.b.transpose(y, to_channels_first(5));
}

void map_conv_transpose(Call& c) {
  ValueId x = c.need(0), weights = c.need(1);
  const int rank = c.rank(x);
  if (rank < 3 || rank > 5 || c.b.rank(weights) != rank) {
    return (void)c.unsupported(fmt::format("a transposed convolution over {} dimensions", rank));
  }
  const int64_t groups = c.int_attr("group", 1);
  if (groups < 1 || groups > 4096) return (void)c.unsupported("this number of groups");
  Spatial s = read_spatial(c, x, kernel_of(c, weights));
  if (c.string_attr("auto_pad", "NOTSET") != "NOTSET") s.before = s.after = std::vector<int32_t>(s.dims(), 0);
  if (!c.b.ok()) return c.out(x);
  if (rank == 5) return c.out(transposed_3d(c, x, weights, c.in(2), s, groups));
  if (rank == 4) {
    return c.out(transposed_2d(c, x, weights, c.in(2), s, extent(c, x, s, 0), extent(c, x, s, 1), groups));
  }
  const Extent w = extent(c, x, s, 0), h{0, 0, 1};
  c.out(drop_height(c, transposed_2d(c, add_height(c, x), add_height(c, weights), c.in(2), s, h, w, groups)));
}

constexpr OpEntry kOps[] = {
    {"Conv", map_conv},
    {"ConvTranspose", map_conv_transpose},
};

}  // namespace

std::span<const OpEntry> conv_ops() { return kOps; }

}  // namespace fewbits::onnx
