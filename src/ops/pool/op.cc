// The OpDef table of the pool family.
#include "ops/pool/op.h"

#include "ops/support.h"
#include "ops/window.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

Status infer_pool(OpContext& context) {
  TensorInfo& output = context.outputs[0];
  const TensorInfo& input = context.inputs[0];
  if (input.dynamic) return infer_dynamic(context);
  if (input.rank() != 4) {
    return context.fail(ErrorCode::kInvalidModel, "the input must have 4 dimensions, not {}", shape_text(input.shape));
  }
  const auto* options = context.node->options->AsPool2DOptions();
  const tflite::Pool2DOptionsT given = options != nullptr ? *options : tflite::Pool2DOptionsT();
  const bool same = given.padding == tflite::Padding::SAME;
  output.shape = input.shape;
  const int32_t sizes[] = {given.filter_height, given.filter_width};
  const int32_t strides[] = {given.stride_h, given.stride_w};
  for (size_t i = 0; i < 2; ++i) {
    if (input.shape[i + 1] == -1) continue;
    const auto window = place_windows(same, input.shape[i + 1], sizes[i], strides[i], 1);
    if (!window) {
      return context.fail(ErrorCode::kInvalidModel, "a window of {}x{} with strides {}x{} cannot move over {}",
                          sizes[0], sizes[1], strides[0], strides[1], shape_text(input.shape));
    }
    output.shape[i + 1] = window->out;
  }
  return {};
}

QuantRule pool_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kSame}},
          .outputs = {{.kind = OperandQuant::kSame}}};
}

const OpDef kOps[] = {
    {.op = Op::AVERAGE_POOL_2D,
     .infer = infer_pool,
     .prepare = prepare_pool,
     .version = version_by_type,
     .quant = pool_rule()},
    {.op = Op::MAX_POOL_2D,
     .infer = infer_pool,
     .prepare = prepare_pool,
     .version = version_by_type,
     .quant = pool_rule()},
    {.op = Op::L2_POOL_2D, .infer = infer_pool, .prepare = prepare_pool, .quant = {.inputs = {{}}, .outputs = {{}}}},
};

}  // namespace

std::span<const OpDef> pool_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
