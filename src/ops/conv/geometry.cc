// The shapes of a convolution.
#include "ops/conv/geometry.h"

#include "ops/support.h"
#include "ops/window.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

struct Options {
  bool same = true;
  Spatial stride{1, 1, 1}, dilation{1, 1, 1};
  tflite::ActivationFunctionType activation = tflite::ActivationFunctionType::NONE;
};

Options options_2d(tflite::Padding padding, int32_t stride_h, int32_t stride_w,
                   tflite::ActivationFunctionType activation) {
  return {padding == tflite::Padding::SAME, {1, stride_h, stride_w}, {1, 1, 1}, activation};
}

Result<Options> read_options(const OpContext& context) {
  const auto& any = *context.node->options;
  if (const auto* o = any.AsConv2DOptions()) {
    Options options = options_2d(o->padding, o->stride_h, o->stride_w, o->fused_activation_function);
    options.dilation = {1, o->dilation_h_factor, o->dilation_w_factor};
    return options;
  }
  if (const auto* o = any.AsDepthwiseConv2DOptions()) {
    Options options = options_2d(o->padding, o->stride_h, o->stride_w, o->fused_activation_function);
    options.dilation = {1, o->dilation_h_factor, o->dilation_w_factor};
    return options;
  }
  if (const auto* o = any.AsTransposeConvOptions()) {
    return options_2d(o->padding, o->stride_h, o->stride_w, o->fused_activation_function);
  }
  if (const auto* o = any.AsConv3DOptions()) {
    return Options{o->padding == tflite::Padding::SAME,
                   {o->stride_d, o->stride_h, o->stride_w},
                   {o->dilation_d_factor, o->dilation_h_factor, o->dilation_w_factor},
                   o->fused_activation_function};
  }
  return context.fail(ErrorCode::kInvalidModel, "the convolution's options are missing");
}

// The filter's sizes by their meaning.
struct Filter {
  Spatial size{1, 1, 1};
  int32_t in = 0, out = 0;  // in: input channels of one group
};

Result<Filter> read_filter(const OpContext& context, const TensorInfo& weights, int rank) {
  if (weights.rank() != rank || !is_static(weights.shape)) {
    return context.fail(ErrorCode::kInvalidModel, "the filter must have {} dimensions, not {}", rank,
                        shape_text(weights.shape));
  }
  if (std::find(weights.shape.begin(), weights.shape.end(), 0) != weights.shape.end()) {
    return context.fail(ErrorCode::kInvalidModel, "the filter {} has no elements", shape_text(weights.shape));
  }
  const Shape& s = weights.shape;
  switch (context.node->op) {
    case Op::CONV_3D: return Filter{{s[0], s[1], s[2]}, s[3], s[4]};
    case Op::CONV_3D_TRANSPOSE: return Filter{{s[0], s[1], s[2]}, s[4], s[3]};
    case Op::DEPTHWISE_CONV_2D:
      if (s[0] != 1) {
        return context.fail(ErrorCode::kInvalidModel, "the first dimension of the filter {} must be 1", shape_text(s));
      }
      return Filter{{1, s[1], s[2]}, 1, s[3]};
    default: return Filter{{1, s[1], s[2]}, s[3], s[0]};
  }
}

// Sizes and padding along every dimension.
Status place(const OpContext& context, const Options& options, ConvGeometry& geometry) {
  for (size_t i = 0; i < 3; ++i) {
    // A transposed convolution is padded as the convolution that leads from its output to its input.
    const int32_t image = geometry.transposed ? geometry.out[i] : geometry.in[i];
    const bool known = image >= 0;
    const auto window =
        place_windows(options.same, known ? image : 0, geometry.filter[i], options.stride[i], options.dilation[i]);
    if (!window || static_cast<int64_t>(geometry.in[i]) * options.stride[i] > INT32_MAX / 2) {
      return context.fail(ErrorCode::kInvalidModel,
                          "a filter of size {} with stride {} and dilation {} cannot move over size {}",
                          geometry.filter[i], options.stride[i], options.dilation[i], image);
    }
    if (!geometry.transposed) geometry.out[i] = known ? window->out : -1;
    geometry.pad[i] = window->pad;
  }
  return {};
}

}  // namespace

ConvOperands conv_operands(Op op) noexcept {
  if (op == Op::TRANSPOSE_CONV || op == Op::CONV_3D_TRANSPOSE) return {.input = 2, .weights = 1, .bias = 3};
  return {};
}

FilterStrides filter_strides(Op op, const ConvGeometry& geometry) noexcept {
  const auto in = static_cast<size_t>(geometry.in_channels / geometry.groups),
             out = static_cast<size_t>(geometry.out_channels);
  switch (op) {
    case Op::CONV_3D: return {.out = 1, .tap = in * out, .in = out};
    case Op::CONV_3D_TRANSPOSE: return {.out = in, .tap = in * out, .in = 1};
    case Op::DEPTHWISE_CONV_2D: return {.out = 1, .tap = out, .in = 1};
    default: return {.out = geometry.taps() * in, .tap = in, .in = 1};
  }
}

Result<tflite::ActivationFunctionType> conv_activation(const OpContext& context) {
  FB_ASSIGN(const Options options, read_options(context));
  return options.activation;
}

Result<ConvGeometry> conv_geometry(const OpContext& context, const Shape* out_shape) {
  const Op op = context.node->op;
  const bool volumes = op == Op::CONV_3D || op == Op::CONV_3D_TRANSPOSE;
  const int rank = volumes ? 5 : 4;
  const ConvOperands operands = conv_operands(op);
  const TensorInfo& input = context.inputs[operands.input];
  FB_ASSIGN(const Options options, read_options(context));
  FB_ASSIGN(const Filter filter, read_filter(context, context.inputs[operands.weights], rank));
  if (input.rank() != rank || input.dim(-1) < 0 ||
      (out_shape != nullptr && static_cast<int>(out_shape->size()) != rank)) {
    return context.fail(ErrorCode::kInvalidModel, "the input must have {} dimensions and known channels, not {}", rank,
                        shape_text(input.shape));
  }
  const auto spatial = [volumes](const Shape& s) {
    return volumes ? Spatial{s[1], s[2], s[3]} : Spatial{1, s[1], s[2]};
  };
  ConvGeometry geometry{.transposed = out_shape != nullptr,
                        .batch = input.dim(0),
                        .in_channels = input.dim(-1),
                        .out_channels = filter.out,
                        .in = spatial(input.shape),
                        .filter = filter.size,
                        .stride = options.stride,
                        .dilation = options.dilation};
  if (geometry.transposed) geometry.out = spatial(*out_shape);
  geometry.groups = op == Op::DEPTHWISE_CONV_2D ? geometry.in_channels : geometry.in_channels / filter.in;
  const bool grouped = op == Op::CONV_2D || op == Op::DEPTHWISE_CONV_2D;
  if (geometry.in_channels % filter.in != 0 || geometry.groups < 1 || filter.out % geometry.groups != 0 ||
      (!grouped && geometry.groups != 1)) {
    return context.fail(ErrorCode::kInvalidModel, "the filter {} does not fit {} input channels",
                        shape_text(context.inputs[operands.weights].shape), geometry.in_channels);
  }
  if (out_shape != nullptr &&
      (out_shape->back() != filter.out || (geometry.batch >= 0 && (*out_shape)[0] != geometry.batch))) {
    return context.fail(ErrorCode::kInvalidModel, "the output shape {} does not fit the input {} and the filter {}",
                        shape_text(*out_shape), shape_text(input.shape),
                        shape_text(context.inputs[operands.weights].shape));
  }
  FB_TRY(place(context, options, geometry));
  return geometry;
}

LineShape line_shape(const ConvGeometry& g, size_t in_size, size_t out_size) noexcept {
  if (g.in[0] != 1 || g.out[0] != 1 || g.filter[0] != 1) return {};
  LineShape shape;
  shape.images = static_cast<size_t>(g.batch);
  shape.in_lines = static_cast<size_t>(g.in[1]);
  shape.out_lines = static_cast<size_t>(g.out[1]);
  shape.in_line = static_cast<size_t>(g.in[2]) * static_cast<size_t>(g.in_channels) * in_size;
  shape.out_width = static_cast<size_t>(g.out[2]);
  shape.out_line = shape.out_width * static_cast<size_t>(g.out_channels) * out_size;
  shape.stride = static_cast<size_t>(g.stride[1]);
  shape.pad = static_cast<size_t>(g.pad[1]);
  shape.extent = static_cast<size_t>((g.filter[1] - 1) * g.dilation[1] + 1);
  return shape;
}

void fill_offsets(const ConvGeometry& g, size_t begin, size_t end, int32_t* offsets, int32_t ring) noexcept {
  const int32_t channels = g.in_channels;
  for (size_t line = begin; line < end; ++line) {
    const auto z0 = static_cast<int32_t>(line / static_cast<size_t>(g.out[1])) * g.stride[0] - g.pad[0];
    const auto y0 = static_cast<int32_t>(line % static_cast<size_t>(g.out[1])) * g.stride[1] - g.pad[1];
    for (int32_t i = 0; i < g.out[2]; ++i) {
      const int32_t x0 = i * g.stride[2] - g.pad[2];
      for (int32_t kz = 0; kz < g.filter[0]; ++kz) {
        const int32_t z = z0 + kz * g.dilation[0];
        for (int32_t ky = 0; ky < g.filter[1]; ++ky) {
          const int32_t y = y0 + ky * g.dilation[1];
          const bool inside = z >= 0 && z < g.in[0] && y >= 0 && y < g.in[1];
          const int32_t at = ring > 0 && inside ? y % ring : y;
          for (int32_t kx = 0; kx < g.filter[2]; ++kx) {
            const int32_t x = x0 + kx * g.dilation[2];
            *offsets++ = inside && x >= 0 && x < g.in[2] ? ((z * g.in[1] + at) * g.in[2] + x) * channels : -1;
          }
        }
      }
    }
  }
}

}  // namespace fewbits::ops
