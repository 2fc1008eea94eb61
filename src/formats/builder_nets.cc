// GraphBuilder: convolutions, pools, products, and the padding they need.
#include <algorithm>
#include <limits>

#include "formats/builder.h"
#include "formats/options.h"
#include "ops/window.h"

namespace fewbits::formats {
namespace {

tflite::ActivationFunctionType to_schema(Activation activation) {
  return static_cast<tflite::ActivationFunctionType>(activation);
}

// One dimension of a window: what SAME or VALID would do against what is asked.
struct Side {
  bool same = true, valid = true;
};
Side compare(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after) {
  const auto asked = ops::place_windows(false, in + before + after, kernel, stride, dilation);
  const auto same = ops::place_windows(true, in, kernel, stride, dilation);
  const auto valid = ops::place_windows(false, in, kernel, stride, dilation);
  if (!asked || !same || !valid || asked->out < 1) return {false, false};
  return {same->out == asked->out && same->pad == before, before == 0 && valid->out == asked->out};
}

}  // namespace

GraphBuilder::Padding GraphBuilder::padding_of(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& w) const {
  if (w.same) return Padding::kSame;
  if (w.top == 0 && w.left == 0 && w.bottom == 0 && w.right == 0) return Padding::kValid;
  bool same = true, valid = true;
  for (size_t trial = 0; trial < 2; ++trial) {
    if (rank(x) != 4) return Padding::kExplicit;
    const Shape& in = known(x).shape[trial];
    const Side h = compare(in[1], kernel_h, w.stride_h, w.dilation_h, w.top, w.bottom);
    const Side v = compare(in[2], kernel_w, w.stride_w, w.dilation_w, w.left, w.right);
    same = same && h.same && v.same;
    valid = valid && h.valid && v.valid;
  }
  // Of sizes that change only stride 1 gives the same padding for all.
  if (dim(x, 1) < 0 && w.stride_h != 1) same = valid = false;
  if (dim(x, 2) < 0 && w.stride_w != 1) same = valid = false;
  return same ? Padding::kSame : valid ? Padding::kValid : Padding::kExplicit;
}

ValueId GraphBuilder::padded(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& w, double value,
                             Padding& padding) {
  padding = padding_of(x, kernel_h, kernel_w, w);
  if (padding != Padding::kExplicit) return x;
  padding = Padding::kValid;
  return pad(x, {{{0, 0}, {w.top, w.bottom}, {w.left, w.right}, {0, 0}}}, value);
}

ValueId GraphBuilder::conv2d(ValueId x, ValueId filter, ValueId bias, const Window& w, Activation a) {
  Padding padding;
  x = padded(x, dim(filter, 1), dim(filter, 2), w, 0, padding);
  tflite::Conv2DOptionsT table;
  table.padding = padding == Padding::kSame ? tflite::Padding::SAME : tflite::Padding::VALID;
  table.stride_h = w.stride_h;
  table.stride_w = w.stride_w;
  table.dilation_h_factor = w.dilation_h;
  table.dilation_w_factor = w.dilation_w;
  table.fused_activation_function = to_schema(a);
  if (bias == kNoValue && dim(filter, 0) > 0) {
    bias = floats(std::vector<float>(static_cast<size_t>(dim(filter, 0)), 0.0f));
  }
  return node(Op::CONV_2D, {x, filter, bias}, options(std::move(table)));
}

ValueId GraphBuilder::depthwise(ValueId x, ValueId filter, ValueId bias, const Window& w, Activation a) {
  Padding padding;
  const int32_t in = dim(x, 3), out = dim(filter, 3);
  if (in < 1 || out < in) return error(ErrorCode::kUnsupported, "a depthwise convolution of unknown channels");
  x = padded(x, dim(filter, 1), dim(filter, 2), w, 0, padding);
  tflite::DepthwiseConv2DOptionsT table;
  table.padding = padding == Padding::kSame ? tflite::Padding::SAME : tflite::Padding::VALID;
  table.stride_h = w.stride_h;
  table.stride_w = w.stride_w;
  table.dilation_h_factor = w.dilation_h;
  table.dilation_w_factor = w.dilation_w;
  table.depth_multiplier = out / in;
  table.fused_activation_function = to_schema(a);
  if (bias == kNoValue) bias = floats(std::vector<float>(static_cast<size_t>(out), 0.0f));
  return node(Op::DEPTHWISE_CONV_2D, {x, filter, bias}, options(std::move(table)));
}

ValueId GraphBuilder::transpose_conv(ValueId x, ValueId filter, ValueId bias, const Window& w, int32_t out_h,
                                     int32_t out_w) {
  tflite::TransposeConvOptionsT table;
  table.stride_h = w.stride_h;
  table.stride_w = w.stride_w;
  const int32_t kh = dim(filter, 1), kw = dim(filter, 2);
  const int32_t in_h = dim(x, 1), in_w = dim(x, 2), channels = dim(filter, 0);
  if (kh < 1 || kw < 1 || channels < 1) {
    return error(ErrorCode::kUnsupported, "a transposed convolution whose filter has unknown sizes");
  }
  // TFLite's SAME crops as the convolution from the result's size to x's would pad; else crop the full result.
  const auto same_fits = [&](int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t before) {
    const auto windows = ops::place_windows(true, out, kernel, stride, 1);
    return in > 0 && windows && windows->out == in && windows->pad == before;
  };
  const bool valid = w.top == 0 && w.left == 0 && out_h > 0 && out_w > 0 && out_h == (in_h - 1) * w.stride_h + kh &&
                     out_w == (in_w - 1) * w.stride_w + kw;
  const bool same = !valid && out_h > 0 && out_w > 0 && same_fits(in_h, out_h, kh, w.stride_h, w.top) &&
                    same_fits(in_w, out_w, kw, w.stride_w, w.left);
  table.padding = same ? tflite::Padding::SAME : tflite::Padding::VALID;
  const auto size = [&](int axis, int32_t stride, int32_t kernel, int32_t out) -> ValueId {
    if (same) return int_scalar(out);
    if (dim(x, axis) > 0) return int_scalar((dim(x, axis) - 1) * stride + kernel);
    const ValueId steps = sub(size_of(x, axis), int_scalar(1));
    return add(mul(steps, int_scalar(stride)), int_scalar(kernel));
  };
  const ValueId sizes =
      pack({size_of(x, 0), size(1, w.stride_h, kh, out_h), size(2, w.stride_w, kw, out_w), int_scalar(channels)}, 0);
  // What lies beyond the full result (output padding) is bias alone.
  const bool bias_behind = !same && !valid && (w.bottom < 0 || w.right < 0) && bias != kNoValue;
  std::vector<ValueId> inputs = {sizes, filter, x};
  if (bias != kNoValue && !bias_behind) inputs.push_back(bias);
  const ValueId y = node(Op::TRANSPOSE_CONV, inputs, options(std::move(table)));
  if (same || valid) return y;
  std::vector<std::array<int32_t, 2>> pads(4, {0, 0});
  pads[1] = {-w.top, -w.bottom};
  pads[2] = {-w.left, -w.right};
  return bias_behind ? add(pad(y, pads), bias) : pad(y, pads);
}

ValueId GraphBuilder::conv3d(ValueId x, ValueId filter, ValueId bias, const std::array<int32_t, 3>& stride,
                             const std::array<int32_t, 3>& dilation, bool same) {
  tflite::Conv3DOptionsT table;
  table.padding = same ? tflite::Padding::SAME : tflite::Padding::VALID;
  table.stride_d = stride[0];
  table.stride_h = stride[1];
  table.stride_w = stride[2];
  table.dilation_d_factor = dilation[0];
  table.dilation_h_factor = dilation[1];
  table.dilation_w_factor = dilation[2];
  std::vector<ValueId> inputs = {x, filter};
  if (bias != kNoValue) inputs.push_back(bias);
  return node(Op::CONV_3D, inputs, options(std::move(table)));
}

ValueId GraphBuilder::conv3d_transpose(ValueId x, ValueId filter, ValueId bias, const std::array<int32_t, 3>& stride) {
  tflite::Conv3DOptionsT table;
  table.padding = tflite::Padding::VALID;
  table.stride_d = stride[0];
  table.stride_h = stride[1];
  table.stride_w = stride[2];
  table.dilation_d_factor = table.dilation_h_factor = table.dilation_w_factor = 1;
  std::vector<ValueId> sizes{size_of(x, 0)};
  for (int axis = 1; axis < 4; ++axis) {
    const int32_t step = stride[static_cast<size_t>(axis) - 1], kernel = dim(filter, axis - 1);
    sizes.push_back(dim(x, axis) > 0
                        ? int_scalar((dim(x, axis) - 1) * step + kernel)
                        : add(mul(sub(size_of(x, axis), int_scalar(1)), int_scalar(step)), int_scalar(kernel)));
  }
  sizes.push_back(int_scalar(dim(filter, 3)));
  std::vector<ValueId> inputs{pack(sizes, 0), filter, x};
  if (bias != kNoValue) inputs.push_back(bias);
  return node(Op::CONV_3D_TRANSPOSE, inputs, options(std::move(table)));
}

ValueId GraphBuilder::max_pool(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& w) {
  Padding padding;
  // Zeros are as good as minus infinity where nothing is below zero, and keep a quantized range small.
  const double below = non_negative(x) ? 0 : -std::numeric_limits<float>::max();
  x = padded(x, kernel_h, kernel_w, w, below, padding);
  tflite::Pool2DOptionsT table;
  table.padding = padding == Padding::kSame ? tflite::Padding::SAME : tflite::Padding::VALID;
  table.stride_h = w.stride_h;
  table.stride_w = w.stride_w;
  table.filter_height = kernel_h;
  table.filter_width = kernel_w;
  return node(Op::MAX_POOL_2D, {x}, options(std::move(table)));
}

ValueId GraphBuilder::average_pool(ValueId x, int32_t kernel_h, int32_t kernel_w, const Window& w, bool count_padding) {
  const ValueId source = x;
  const bool has_padding = w.same || w.top != 0 || w.left != 0 || w.bottom != 0 || w.right != 0;
  Padding padding = count_padding && has_padding && !w.same ? Padding::kExplicit : padding_of(x, kernel_h, kernel_w, w);
  const bool explicit_padding = padding == Padding::kExplicit;
  if (explicit_padding) x = pad(x, {{{0, 0}, {w.top, w.bottom}, {w.left, w.right}, {0, 0}}});
  tflite::Pool2DOptionsT table;
  table.padding = padding == Padding::kSame ? tflite::Padding::SAME : tflite::Padding::VALID;
  table.stride_h = w.stride_h;
  table.stride_w = w.stride_w;
  table.filter_height = kernel_h;
  table.filter_width = kernel_w;
  const ValueId y = node(Op::AVERAGE_POOL_2D, {x}, options(std::move(table)));
  if (!explicit_padding || count_padding) return y;
  // The mean of what is there: what windows lost to zeros is multiplied back.
  if (dim(source, 1) < 0 || dim(source, 2) < 0) {
    return error(ErrorCode::kUnsupported,
                 "a mean that leaves out padding, over an image of unknown size: give its size with --shape");
  }
  const int32_t out_h = dim(y, 1), out_w = dim(y, 2);
  const auto covered = [](int32_t i, int32_t stride, int32_t kernel, int32_t before, int32_t size) {
    const int32_t from = i * stride - before;
    return std::min(from + kernel, size) - std::max(from, 0);
  };
  std::vector<float> factors;
  for (int32_t i = 0; i < out_h; ++i) {
    for (int32_t j = 0; j < out_w; ++j) {
      const int32_t count = covered(i, w.stride_h, kernel_h, w.top, dim(source, 1)) *
                            covered(j, w.stride_w, kernel_w, w.left, dim(source, 2));
      factors.push_back(count > 0 ? static_cast<float>(kernel_h * kernel_w) / static_cast<float>(count) : 0.0f);
    }
  }
  return mul(y, constant(std::move(factors), DType::kFloat32, {1, out_h, out_w, 1}));
}

ValueId GraphBuilder::pool3d(bool largest, ValueId x, const std::array<int32_t, 3>& kernel,
                             const std::array<int32_t, 3>& stride, const std::array<int32_t, 3>& before,
                             const std::array<int32_t, 3>& after, bool same, bool count_padding) {
  const auto pool = [&](ValueId image, int32_t kernel_h, int32_t kernel_w, const Window& window) {
    return largest ? max_pool(image, kernel_h, kernel_w, window)
                   : average_pool(image, kernel_h, kernel_w, window, count_padding);
  };
  const int32_t depth = dim(x, 1), channels = dim(x, 4);
  if (rank(x) != 5 || depth < 1 || dim(x, 2) < 1 || dim(x, 3) < 1 || channels < 1)
    return error(ErrorCode::kUnsupported, "a pool over a volume of open size: give it with --shape");
  const ValueId batch = size_of(x, 0);
  const auto shaped = [&](ValueId y, ValueId first, const Shape& rest) {
    std::vector<ValueId> sizes = {first};
    for (int32_t size : rest) sizes.push_back(int_scalar(size));
    return reshape_to(y, pack(sizes, 0));
  };
  ValueId y = shaped(x, mul(batch, int_scalar(depth)), {dim(x, 2), dim(x, 3), channels});
  y = pool(y, kernel[1], kernel[2],
           {.stride_h = stride[1],
            .stride_w = stride[2],
            .same = same,
            .top = before[1],
            .left = before[2],
            .bottom = after[1],
            .right = after[2]});
  const int32_t height = dim(y, 1), width = dim(y, 2);
  y = pool(shaped(y, batch, {depth, height * width, channels}), kernel[0], 1,
           {.stride_h = stride[0], .same = same, .top = before[0], .bottom = after[0]});
  return shaped(y, batch, {dim(y, 1), height, width, channels});
}

ValueId GraphBuilder::fully_connected(ValueId x, ValueId weights, ValueId bias, Activation a) {
  tflite::FullyConnectedOptionsT table;
  table.keep_num_dims = rank(x) != 2;
  table.fused_activation_function = to_schema(a);
  return node(Op::FULLY_CONNECTED, {x, weights, bias}, options(std::move(table)));
}

ValueId GraphBuilder::matmul(ValueId a, ValueId b, bool adj_a, bool adj_b) {
  tflite::BatchMatMulOptionsT table;
  table.adj_x = adj_a;
  table.adj_y = adj_b;
  return node(Op::BATCH_MATMUL, {a, b}, options(std::move(table)));
}

ValueId GraphBuilder::resize(Op op, ValueId x, ValueId size, bool align_corners, bool half_pixel_centers) {
  if (op == Op::RESIZE_BILINEAR) {
    tflite::ResizeBilinearOptionsT table;
    table.align_corners = align_corners;
    table.half_pixel_centers = half_pixel_centers;
    return node(op, {x, size}, options(std::move(table)));
  }
  tflite::ResizeNearestNeighborOptionsT table;
  table.align_corners = align_corners;
  table.half_pixel_centers = half_pixel_centers;
  return node(op, {x, size}, options(std::move(table)));
}

}  // namespace fewbits::formats
