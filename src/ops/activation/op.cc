// The OpDef table of the activation family.
#include "ops/activation/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

// The slope broadcasts to the input, never the other way round.
Status infer_prelu(OpContext& context) {
  if (any_dynamic(context)) return {};
  const auto shape = broadcast_shapes(context.inputs[0].shape, context.inputs[1].shape);
  if (!shape || *shape != context.inputs[0].shape) {
    return context.fail(ErrorCode::kInvalidModel, "a slope of {} does not broadcast to {}",
                        shape_text(context.inputs[1].shape), shape_text(context.inputs[0].shape));
  }
  context.outputs[0].shape = *shape;
  return {};
}

QuantRule free_rule(bool int16) {
  return {.int8 = true,
          .int16 = int16,
          .inputs = {{.kind = OperandQuant::kFree}},
          .outputs = {{.kind = OperandQuant::kFree}}};
}
QuantRule fixed_rule(FixedParams fixed8, FixedParams fixed16) {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kFree}},
          .outputs = {{.kind = OperandQuant::kFixed, .fixed8 = fixed8, .fixed16 = fixed16}}};
}

// ---- versions (tools/versioning/op_version.cc) ----

int32_t version_relu(const OpContext& context) {
  switch (context.inputs[0].dtype) {
    case DType::kInt16: return 3;
    case DType::kInt8:
    case DType::kUInt8: return 2;
    default: return 1;
  }
}
int32_t version_leaky_relu(const OpContext& context) { return context.inputs[0].dtype == DType::kInt16 ? 2 : 1; }
int32_t version_gelu(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  return type == DType::kInt8 || type == DType::kUInt8 ? 2 : 1;
}

const OpDef kOps[] = {
    {.op = Op::RELU,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .version = version_relu,
     .quant = free_rule(true)},
    {.op = Op::RELU6,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .version = version_by_type,
     .quant = free_rule(true)},
    {.op = Op::RELU_N1_TO_1,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .quant = free_rule(false)},
    {.op = Op::RELU_0_TO_1,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .quant = free_rule(false)},
    {.op = Op::PRELU,
     .inputs = {2, 2},
     .flags = kInPlace,
     .infer = infer_prelu,
     .prepare = prepare_prelu,
     .quant = free_rule(false)},
    {.op = Op::LEAKY_RELU,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .version = version_leaky_relu,
     .quant = free_rule(true)},
    {.op = Op::ELU,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .quant = free_rule(false)},
    {.op = Op::GELU,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .version = version_gelu,
     .quant = free_rule(false)},
    {.op = Op::HARD_SWISH,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .quant = free_rule(false)},
    {.op = Op::LOGISTIC,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .version = version_by_type,
     .quant = fixed_rule({1.0f / 256, -128}, {1.0f / 32768, 0})},
    {.op = Op::TANH,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_activation,
     .version = version_by_type,
     .quant = fixed_rule({1.0f / 128, 0}, {1.0f / 32768, 0})},
};

}  // namespace

std::span<const OpDef> activation_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
