// Convolutions, their biases, and batch normalization.
#include <cmath>

#include "formats/formulas.h"
#include "formats/options.h"
#include "formats/savedmodel/layout.h"

namespace fewbits::savedmodel {
namespace {

Result<Tensors> conv2d(const OpCall& op) {
  FB_ASSIGN(const ImageNode image, image_node(op));
  GraphBuilder& b = op.b();
  const ValueId x = to_channels_last(b, op.in(0), image.channels_first);
  const ValueId filter = b.transpose(op.in(1), {3, 0, 1, 2});
  return one(from_channels_last(b, b.conv2d(x, filter, kNoValue, image.window), image.channels_first));
}

Result<Tensors> depthwise(const OpCall& op) {
  FB_ASSIGN(const ImageNode image, image_node(op));
  GraphBuilder& b = op.b();
  const ValueId x = to_channels_last(b, op.in(0), image.channels_first);
  const Shape filter = b.shape(op.in(1));  // [h, w, in, multiplier]
  if (filter.size() != 4 || !b.is_static(op.in(1))) return op.unsupported("a filter whose size is not known");
  const ValueId flat = b.reshape(op.in(1), {1, filter[0], filter[1], filter[2] * filter[3]});
  return one(from_channels_last(b, b.depthwise(x, flat, kNoValue, image.window), image.channels_first));
}

// The gradient of a convolution by its input is Keras's Conv2DTranspose.
Result<Tensors> conv2d_backprop_input(const OpCall& op) {
  FB_ASSIGN(ImageNode image, image_node(op));
  if (image.window.dilation_h != 1 || image.window.dilation_w != 1)
    return op.unsupported("a dilated transposed convolution");
  GraphBuilder& b = op.b();
  const auto sizes = b.partial_int_values(op.in(0));
  const size_t h = image.channels_first ? 2 : 1;
  const ValueId x = to_channels_last(b, op.in(2), image.channels_first);
  const ValueId filter = b.transpose(op.in(1), {2, 0, 1, 3});  // [h, w, out, in]
  const auto size_at = [&](size_t i) { return sizes && sizes->size() == 4 ? static_cast<int32_t>((*sizes)[i]) : -1; };
  const int32_t out_h = size_at(h), out_w = size_at(h + 1);
  if (out_h < 0 || out_w < 0) return op.unsupported("the size of its result is not known; give the input's shape");
  formats::Window& window = image.window;
  const auto place = [&](int32_t out, int32_t in, int32_t kernel, int32_t stride, int32_t& before, int32_t& after) {
    const int32_t all = std::max((in - 1) * stride + kernel - out, window.same ? 0 : -out);
    if (window.same) before = all / 2;
    after = (in - 1) * stride + kernel - out - before;
  };
  place(out_h, b.dim(x, 1), b.dim(filter, 1), window.stride_h, window.top, window.bottom);
  place(out_w, b.dim(x, 2), b.dim(filter, 2), window.stride_w, window.left, window.right);
  window.same = false;
  return one(from_channels_last(b, b.transpose_conv(x, filter, kNoValue, window, out_h, out_w), image.channels_first));
}

Result<Tensors> conv3d(const OpCall& op) {
  if (op.attrs.text("data_format", "NDHWC") != "NDHWC") return op.unsupported("the data format NCDHW");
  const auto list = [&](const char* name) -> std::array<int32_t, 3> {
    const auto all = op.attrs.integers(name);
    if (all.size() != 5) return {1, 1, 1};
    return {static_cast<int32_t>(all[1]), static_cast<int32_t>(all[2]), static_cast<int32_t>(all[3])};
  };
  return one(op.b().conv3d(op.in(0), op.in(1), kNoValue, list("strides"), list("dilations"),
                           op.attrs.text("padding") == "SAME"));
}

Result<Tensors> bias_add(const OpCall& op) {
  GraphBuilder& b = op.b();
  ValueId bias = op.in(1);
  const int rank = b.rank(op.in(0));
  if (op.attrs.text("data_format", "NHWC") == "NCHW" && rank > 2) {
    Shape shape(static_cast<size_t>(rank - 1), 1);
    shape[0] = -1;
    bias = b.reshape(bias, shape);
  }
  return one(b.add(op.in(0), bias));
}

// y = x * m + c with constants m and c, which passes/ puts into the convolution before it.
Result<Tensors> fused_batch_norm(const OpCall& op) {
  if (op.attrs.flag("is_training", true))
    return op.unsupported(
        "it normalizes by the batch's own statistics; save a function for inference (training=False)");
  GraphBuilder& b = op.b();
  const std::string format = op.attrs.text("data_format", "NHWC");
  auto [factor, addend] =
      formats::batch_norm(b, op.in(1), op.in(2), op.in(3), op.in(4), op.attrs.real("epsilon", 0.0001f));
  if (format.starts_with("NC")) {  // NCHW, NCDHW
    Shape shape(format.size() - 1, 1);
    shape[0] = -1;
    factor = b.reshape(factor, shape);
    addend = b.reshape(addend, shape);
  }
  return one(b.add(b.mul(op.in(0), factor), addend));
}

Result<Tensors> local_response_normalization(const OpCall& op) {
  tflite::LocalResponseNormalizationOptionsT table;
  table.radius = static_cast<int32_t>(op.attrs.integer("depth_radius", 5));
  table.bias = op.attrs.real("bias", 1);
  table.alpha = op.attrs.real("alpha", 1);
  table.beta = op.attrs.real("beta", 0.5f);
  return one(op.b().node(fewbits::Op::LOCAL_RESPONSE_NORMALIZATION, {op.in(0)}, formats::options(std::move(table))));
}

constexpr RuleEntry kRules[] = {
    {"BiasAdd", bias_add},
    {"BiasAddV1", bias_add},
    {"Conv2D", conv2d},
    {"Conv2DBackpropInput", conv2d_backprop_input},
    {"Conv3D", conv3d},
    {"DepthwiseConv2dNative", depthwise},
    {"FusedBatchNorm", fused_batch_norm},
    {"FusedBatchNormV2", fused_batch_norm},
    {"FusedBatchNormV3", fused_batch_norm},
    {"LRN", local_response_normalization},
};

}  // namespace

std::span<const RuleEntry> convolution_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
