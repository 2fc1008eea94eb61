// Pools, resizing, blocks of pixels, and the choice of boxes.
#include "formats/options.h"
#include "formats/savedmodel/layout.h"

namespace fewbits::savedmodel {
namespace {

using enum fewbits::Op;

Result<Tensors> max_pool(const OpCall& op) {
  FB_ASSIGN(const ImageNode image, image_node(op));
  GraphBuilder& b = op.b();
  const ValueId x = to_channels_last(b, op.in(0), image.channels_first);
  return one(from_channels_last(b, b.max_pool(x, image.kernel_h, image.kernel_w, image.window), image.channels_first));
}

Result<Tensors> average_pool(const OpCall& op) {
  FB_ASSIGN(const ImageNode image, image_node(op));
  GraphBuilder& b = op.b();
  const ValueId x = to_channels_last(b, op.in(0), image.channels_first);
  const ValueId y = b.average_pool(x, image.kernel_h, image.kernel_w, image.window, false);
  return one(from_channels_last(b, y, image.channels_first));
}

template <fewbits::Op kOp>
Result<Tensors> resize(const OpCall& op) {
  GraphBuilder& b = op.b();
  ValueId x = op.in(0);
  // The bilinear kernel of TensorFlow takes any type and gives float32.
  if (kOp == RESIZE_BILINEAR && b.dtype(x) != DType::kFloat32) x = b.cast(x, DType::kFloat32);
  return one(
      b.resize(kOp, x, op.index(1), op.attrs.flag("align_corners", false), op.attrs.flag("half_pixel_centers", false)));
}

template <fewbits::Op kOp>
Result<Tensors> pixel_blocks(const OpCall& op) {
  const std::string format = op.attrs.text("data_format", "NHWC");
  if (format != "NHWC" && format != "NCHW") return op.unsupported("the data format {}", format);
  GraphBuilder& b = op.b();
  const auto block = static_cast<int32_t>(op.attrs.integer("block_size", 2));
  const ValueId x = to_channels_last(b, op.in(0), format == "NCHW");
  const ValueId y = kOp == SPACE_TO_DEPTH ? b.space_to_depth(x, block) : b.depth_to_space(x, block);
  return one(from_channels_last(b, y, format == "NCHW"));
}

Result<Tensors> non_max_suppression_v4(const OpCall& op) {
  if (!op.attrs.flag("pad_to_max_output_size", false))
    return op.unsupported("a number of boxes that is not fixed; set pad_to_max_output_size=True");
  return many(op.b().nodes(NON_MAX_SUPPRESSION_V4, {op.in(0), op.in(1), op.in(2), op.in(3), op.in(4)}, 2,
                           formats::options(tflite::NonMaxSuppressionV4OptionsT())));
}
Result<Tensors> non_max_suppression_v5(const OpCall& op) {
  if (!op.attrs.flag("pad_to_max_output_size", false))
    return op.unsupported("a number of boxes that is not fixed; set pad_to_max_output_size=True");
  return many(op.b().nodes(NON_MAX_SUPPRESSION_V5, {op.in(0), op.in(1), op.in(2), op.in(3), op.in(4), op.in(5)}, 3,
                           formats::options(tflite::NonMaxSuppressionV5OptionsT())));
}

constexpr RuleEntry kRules[] = {
    {"AvgPool", average_pool},
    {"DepthToSpace", pixel_blocks<DEPTH_TO_SPACE>},
    {"MaxPool", max_pool},
    {"NonMaxSuppressionV4", non_max_suppression_v4},
    {"NonMaxSuppressionV5", non_max_suppression_v5},
    {"ResizeBilinear", resize<RESIZE_BILINEAR>},
    {"ResizeNearestNeighbor", resize<RESIZE_NEAREST_NEIGHBOR>},
    {"SpaceToDepth", pixel_blocks<SPACE_TO_DEPTH>},
};

}  // namespace

std::span<const RuleEntry> image_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
