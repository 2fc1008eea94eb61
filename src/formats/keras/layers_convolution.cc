// Convolutions of one, two and three dimensions, transposed, depthwise and separable.
#include "formats/keras/layer.h"

namespace fewbits::keras {
namespace {

struct Geometry {
  formats::Window window;
  bool causal = false;
};

// Strides, dilations and padding of a layer over `dims` dimensions (1 or 2); a line is an image of height 1.
Geometry geometry(const LayerCall& call, size_t dims) {
  Geometry out;
  const auto strides = call.integers("strides", dims, 1), dilations = call.integers("dilation_rate", dims, 1);
  out.window.stride_h = dims == 2 ? strides[0] : 1;
  out.window.stride_w = strides.back();
  out.window.dilation_h = dims == 2 ? dilations[0] : 1;
  out.window.dilation_w = dilations.back();
  const std::string padding = call.text("padding", "valid");
  out.window.same = padding == "same";
  out.causal = padding == "causal";
  if (padding != "same" && padding != "valid" && padding != "causal") call.unsupported("the padding " + padding);
  return out;
}

// The window once the kernel's size is known.
formats::Window placed(const Geometry& geometry, int32_t kernel_w) {
  formats::Window window = geometry.window;
  if (geometry.causal) window.left = (kernel_w - 1) * window.dilation_w;
  return window;
}

ValueId bias_of(const LayerCall& call) { return call.flag("use_bias", true) ? call.weight("bias") : kNoValue; }

// A kernel of a line as one of an image of height 1.
ValueId image_kernel(GraphBuilder& b, ValueId kernel, size_t dims) {
  return dims == 1 ? b.expand_dims(kernel, {0}) : kernel;
}

template <size_t kDims>
Outputs conv(LayerCall& call) {
  GraphBuilder& b = call.b;
  const Geometry shape = geometry(call, kDims);
  ValueId x = to_channels_last(b, call.in(), call.channels_first());
  if (kDims == 1) x = line_to_image(b, x);
  const ValueId kernel = image_kernel(b, call.weight("kernel"), kDims);  // [h, w, in / groups, out]
  const ValueId filter = b.transpose(kernel, {3, 0, 1, 2});
  ValueId y = b.conv2d(x, filter, bias_of(call), placed(shape, b.dim(kernel, 1)));
  if (kDims == 1) y = image_to_line(b, y);
  return {call.activate(from_channels_last(b, y, call.channels_first()))};
}

Outputs conv3d(LayerCall& call) {
  GraphBuilder& b = call.b;
  const auto strides = call.integers("strides", 3, 1), dilations = call.integers("dilation_rate", 3, 1);
  if (call.integer("groups", 1) != 1) return {call.unsupported("groups in three dimensions")};
  const ValueId x = to_channels_last(b, call.in(), call.channels_first());
  const ValueId kernel = call.weight("kernel");
  const ValueId y = b.conv3d(x, kernel, bias_of(call), {strides[0], strides[1], strides[2]},
                             {dilations[0], dilations[1], dilations[2]}, call.text("padding", "valid") == "same");
  return {call.activate(from_channels_last(b, y, call.channels_first()))};
}

// kernel [h, w, in, multiplier]
ValueId depthwise_product(const LayerCall& call, ValueId x, ValueId kernel, ValueId bias, const Geometry& shape) {
  GraphBuilder& b = call.b;
  const Shape sizes = b.shape(kernel);
  if (sizes.size() != 4) return call.unsupported("a depthwise kernel of another rank");
  const ValueId filter = b.reshape(kernel, {1, sizes[0], sizes[1], sizes[2] * sizes[3]});
  return b.depthwise(x, filter, bias, placed(shape, sizes[1]));
}

template <size_t kDims>
Outputs depthwise(LayerCall& call) {
  GraphBuilder& b = call.b;
  ValueId x = to_channels_last(b, call.in(), call.channels_first());
  if (kDims == 1) x = line_to_image(b, x);
  const ValueId kernel = image_kernel(b, call.weight("depthwise_kernel"), kDims);
  ValueId y = depthwise_product(call, x, kernel, bias_of(call), geometry(call, kDims));
  if (kDims == 1) y = image_to_line(b, y);
  return {call.activate(from_channels_last(b, y, call.channels_first()))};
}

template <size_t kDims>
Outputs separable(LayerCall& call) {
  GraphBuilder& b = call.b;
  ValueId x = to_channels_last(b, call.in(), call.channels_first());
  if (kDims == 1) x = line_to_image(b, x);
  const ValueId kernel = image_kernel(b, call.weight("depthwise_kernel"), kDims);
  const ValueId pointwise = image_kernel(b, call.weight("pointwise_kernel"), kDims);
  const ValueId middle = depthwise_product(call, x, kernel, kNoValue, geometry(call, kDims));
  ValueId y = b.conv2d(middle, b.transpose(pointwise, {3, 0, 1, 2}), bias_of(call), {});
  if (kDims == 1) y = image_to_line(b, y);
  return {call.activate(from_channels_last(b, y, call.channels_first()))};
}

// One dimension of a transposed convolution: the result's size, and what the full result loses on both sides.
struct Crop {
  int32_t size = 0, before = 0, after = 0;
};
Crop crop(const LayerCall& call, int32_t in, int32_t kernel, int32_t stride, bool same, std::optional<int32_t> extra) {
  Crop out;
  if (in < 1) {
    call.unsupported("a transposed convolution of an image whose size is not known: give the input's shape");
    return out;
  }
  const int32_t full = (in - 1) * stride + kernel;
  if (!extra) {
    out.size = same ? in * stride : std::max(full, in * stride);
    out.before = same ? std::max(full - out.size, 0) / 2 : 0;
  } else {
    const int32_t padding = same ? kernel / 2 : 0;
    out.size = (in - 1) * stride + kernel - 2 * padding + *extra;
    out.before = same ? std::max(full - out.size, 0) / 2 : 0;
  }
  out.after = full - out.size - out.before;
  return out;
}

template <size_t kDims>
Outputs conv_transpose(LayerCall& call) {
  GraphBuilder& b = call.b;
  Geometry shape = geometry(call, kDims);
  if (shape.window.dilation_h != 1 || shape.window.dilation_w != 1)
    return {call.unsupported("a dilated transposed convolution")};
  ValueId x = to_channels_last(b, call.in(), call.channels_first());
  if (kDims == 1) x = line_to_image(b, x);
  const ValueId kernel = image_kernel(b, call.weight("kernel"), kDims);  // [h, w, out, in]
  std::optional<int32_t> extra_h, extra_w;
  if (call.config.contains("output_padding") && !call.config["output_padding"].is_null()) {
    const auto extra = call.integers("output_padding", kDims, 0);
    if (kDims == 2) extra_h = extra[0];
    extra_w = extra.back();
  }
  formats::Window& window = shape.window;
  const Crop h = crop(call, b.dim(x, 1), b.dim(kernel, 0), window.stride_h, window.same, extra_h);
  const Crop w = crop(call, b.dim(x, 2), b.dim(kernel, 1), window.stride_w, window.same, extra_w);
  window.top = h.before;
  window.bottom = h.after;
  window.left = w.before;
  window.right = w.after;
  window.same = false;
  ValueId y = b.transpose_conv(x, b.transpose(kernel, {2, 0, 1, 3}), bias_of(call), window, h.size, w.size);
  if (kDims == 1) y = image_to_line(b, y);
  return {call.activate(from_channels_last(b, y, call.channels_first()))};
}

Outputs conv3d_transpose(LayerCall& call) {
  GraphBuilder& b = call.b;
  const auto strides = call.integers("strides", 3, 1), dilations = call.integers("dilation_rate", 3, 1);
  if (dilations != std::vector<int32_t>{1, 1, 1}) return {call.unsupported("a dilated transposed convolution")};
  if (call.integer("groups", 1) != 1) return {call.unsupported("grouped transposed convolutions of volumes")};
  const bool same = call.text("padding", "valid") == "same";
  const bool has_extra = call.config.contains("output_padding") && !call.config["output_padding"].is_null();
  const std::vector<int32_t> extra = has_extra ? call.integers("output_padding", 3, 0) : std::vector<int32_t>();
  const ValueId x = to_channels_last(b, call.in(), call.channels_first());
  const ValueId kernel = call.weight("kernel");  // [d, h, w, out, in]
  std::vector<std::array<int32_t, 2>> pads(5, {0, 0});
  bool beyond = false;  // what lies beyond the whole result is bias alone
  for (size_t i = 0; i < 3; ++i) {
    const int axis = static_cast<int>(i);
    const Crop one = crop(call, b.dim(x, axis + 1), b.dim(kernel, axis), strides[i], same,
                          has_extra ? std::optional(extra[i]) : std::nullopt);
    pads[i + 1] = {-one.before, -one.after};
    beyond = beyond || one.after < 0;
  }
  const ValueId bias = bias_of(call);
  ValueId y = b.conv3d_transpose(x, kernel, beyond ? kNoValue : bias, {strides[0], strides[1], strides[2]});
  y = b.pad(y, pads);
  if (beyond && bias != kNoValue) y = b.add(y, bias);
  return {call.activate(from_channels_last(b, y, call.channels_first()))};
}

constexpr LayerEntry kLayers[] = {
    {"Conv1D", conv<1>},
    {"Conv1DTranspose", conv_transpose<1>},
    {"Conv2D", conv<2>},
    {"Conv2DTranspose", conv_transpose<2>},
    {"Conv3D", conv3d},
    {"Conv3DTranspose", conv3d_transpose},
    {"Convolution1D", conv<1>},
    {"Convolution2D", conv<2>},
    {"DepthwiseConv1D", depthwise<1>},
    {"DepthwiseConv2D", depthwise<2>},
    {"SeparableConv1D", separable<1>},
    {"SeparableConv2D", separable<2>},
    {"SeparableConvolution2D", separable<2>},
};

}  // namespace

std::span<const LayerEntry> convolution_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
