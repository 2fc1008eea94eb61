// The OpDef table of the resize family.
#include "ops/resize/op.h"

#include "ops/mover.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// RESIZE_*(images, [height, width]).
Status infer_resize(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  if (input.rank() != 4) return context.fail(ErrorCode::kInvalidModel, "the input has rank {}, not 4", input.rank());
  if (context.inputs[1].count() != 2)
    return context.fail(ErrorCode::kInvalidModel, "the size must be a height and a width");
  FB_ASSIGN(const auto size, int_values(context, 1));
  if (!size) return infer_dynamic(context);
  const int64_t height = (*size)[0], width = (*size)[1];
  if (height < 1 || width < 1 || input.dim(1) < 1 || input.dim(2) < 1) {
    return context.fail(ErrorCode::kInvalidModel, "cannot resize {} to {} x {}", shape_text(input.shape), height,
                        width);
  }
  return set_shape(context, 0, std::array<int64_t, 4>{input.dim(0), height, width, input.dim(3)});
}

int32_t resize_version(const OpContext& context, bool later_mode) {
  const DType type = context.inputs[0].dtype;
  if (type == DType::kInt16) return 4;
  if (later_mode) return 3;
  return type == DType::kInt8 ? 2 : 1;
}
int32_t bilinear_version(const OpContext& context) {
  const auto* options = context.node->options->AsResizeBilinearOptions();
  return resize_version(context, options != nullptr && options->half_pixel_centers);
}
int32_t nearest_version(const OpContext& context) {
  const auto* options = context.node->options->AsResizeNearestNeighborOptions();
  return resize_version(context, options != nullptr && (options->half_pixel_centers || options->align_corners));
}

QuantRule resize_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kSame}, {}},
          .outputs = {{.kind = OperandQuant::kSame}}};
}

const OpDef kOps[] = {
    {.op = Op::RESIZE_BILINEAR,
     .inputs = {2, 2},
     .infer = infer_resize,
     .prepare = prepare_resize_bilinear,
     .version = bilinear_version,
     .quant = resize_rule()},
    {.op = Op::RESIZE_NEAREST_NEIGHBOR,
     .inputs = {2, 2},
     .infer = infer_resize,
     .prepare = prepare_resize_nearest,
     .version = nearest_version,
     .quant = resize_rule()},
};

}  // namespace

std::span<const OpDef> resize_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
