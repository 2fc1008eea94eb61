// The OpDef table of the random family.
#include "ops/random/op.h"
#include "base/checked.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

// The shape is operand 0's value.
Status infer_random(OpContext& context) {
  FB_ASSIGN(const auto sizes, int_values(context, 0));
  if (!sizes) return infer_dynamic(context);
  Shape shape;
  for (int64_t size : *sizes) {
    if (size < 0 || size > INT32_MAX) return context.fail(ErrorCode::kInvalidModel, "a size of {} is asked for", size);
    shape.push_back(static_cast<int32_t>(size));
  }
  if (!checked_count(shape)) {
    return context.fail(ErrorCode::kInvalidModel, "the shape {} is too large", shape_text(shape));
  }
  context.outputs[0].shape = std::move(shape);
  return {};
}

Status infer_multinomial(OpContext& context) {
  FB_ASSIGN(const auto samples, int_values(context, 1));
  if (any_dynamic(context)) return {};
  if (!samples) return infer_dynamic(context);
  if (context.inputs[0].rank() != 2 || samples->size() != 1 || (*samples)[0] < 0 || (*samples)[0] > INT32_MAX) {
    return context.fail(ErrorCode::kInvalidModel,
                        "the logits {} must have two dimensions, and there must be one number of samples",
                        shape_text(context.inputs[0].shape));
  }
  context.outputs[0].shape = {context.inputs[0].dim(0), static_cast<int32_t>((*samples)[0])};
  return {};
}

const OpDef kOps[] = {
    {.op = Op::RANDOM_UNIFORM, .flags = kStateful, .infer = infer_random, .prepare = prepare_random_uniform},
    {.op = Op::RANDOM_STANDARD_NORMAL,
     .flags = kStateful,
     .infer = infer_random,
     .prepare = prepare_random_standard_normal},
    {.op = Op::MULTINOMIAL,
     .inputs = {2, 2},
     .flags = kStateful,
     .infer = infer_multinomial,
     .prepare = prepare_multinomial},
};

}  // namespace

std::span<const OpDef> random_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
