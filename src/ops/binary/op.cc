// The OpDef table of the binary family.
#include "ops/binary/op.h"

#include <algorithm>
#include <cmath>

#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

Status infer_add_n(OpContext& context) {
  if (any_dynamic(context)) return {};
  for (const TensorInfo& input : context.inputs) {
    if (!input.present || input.shape != context.inputs[0].shape) {
      return context.fail(ErrorCode::kInvalidModel, "all operands must have the shape {}",
                          shape_text(context.inputs[0].shape));
    }
  }
  context.outputs[0].shape = context.inputs[0].shape;
  return {};
}

Status infer_same_shapes(OpContext& context) {
  if (any_dynamic(context)) return {};
  if (context.inputs[0].shape != context.inputs[1].shape) {
    return context.fail(ErrorCode::kInvalidModel, "the operands have the shapes {} and {}",
                        shape_text(context.inputs[0].shape), shape_text(context.inputs[1].shape));
  }
  context.outputs[0].shape = context.inputs[0].shape;
  return {};
}

// ---- quantization ----

QuantRule free_rule(bool int16) {
  return {.int8 = true,
          .int16 = int16,
          .inputs = {{.kind = OperandQuant::kFree}},
          .outputs = {{.kind = OperandQuant::kFree}}};
}
QuantRule same_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kSame}},
          .outputs = {{.kind = OperandQuant::kSame}}};
}

// LiteRT writes the factor from the operands to the result as one below 1, and ends the process where it is not: `factor` is
// that one. (kernels/add.cc, sub.cc, squared_difference.cc)
std::string too_small(double factor, float output, double largest) {
  if (factor < 1) return "";
  return fmt::format("its result has a scale of {}, too far below its operands' {} for LiteRT's kernel", output,
                     largest);
}
std::string sum_scales(std::span<const float> inputs, float output, DType activation) {
  const double largest = std::max(inputs[0], inputs[1]);
  return too_small(2 * largest / (std::exp2(activation == DType::kInt16 ? 15 : 20) * output), output, largest);
}
std::string squared_difference_scales(std::span<const float> inputs, float output, DType) {
  const double largest = std::max(inputs[0], inputs[1]);
  return too_small(4 * largest * largest / (std::exp2(14) * output), output, largest);
}
QuantRule with_scales(QuantRule rule, std::string (*problem)(std::span<const float>, float, DType)) {
  rule.scales_problem = problem;
  return rule;
}

// ---- versions (tools/versioning/op_version.cc) ----

bool broadcasts_beyond_four(const OpContext& context) {
  return context.inputs[0].shape != context.inputs[1].shape &&
         std::max(context.inputs[0].rank(), context.inputs[1].rank()) > 4;
}

int32_t version_add(const OpContext& context) {
  const auto* options = context.node->options->AsAddOptions();
  switch (context.inputs[0].dtype) {
    case DType::kFloat16: return 6;
    case DType::kInt16:
      return !context.inputs[0].quant->quantized() ? 5 : options != nullptr && !options->pot_scale_int16 ? 3 : 1;
    case DType::kInt64: return 4;
    case DType::kInt8: return 2;
    default: return 1;
  }
}

int32_t version_sub(const OpContext& context) {
  const auto* options = context.node->options->AsSubOptions();
  const DType type = context.inputs[0].dtype;
  if (type == DType::kInt16 && options != nullptr && !options->pot_scale_int16) return 5;
  if (type == DType::kInt64) return 4;
  if (broadcasts_beyond_four(context)) return 3;
  return type == DType::kInt8 ? 2 : 1;
}

int32_t version_mul(const OpContext& context) {
  const TensorInfo &a = context.inputs[0], &b = context.inputs[1], &out = context.outputs[0];
  switch (a.dtype) {
    case DType::kUInt32: return 7;
    case DType::kInt16: return a.quant->quantized() ? 4 : 7;
    case DType::kComplex64: return 6;
    case DType::kInt64: return 5;
    default: break;
  }
  if (a.scale() != 0 && b.scale() != 0 && out.scale() != 0 && a.scale() * b.scale() / out.scale() >= 1.0f) return 3;
  return a.dtype == DType::kInt8 ? 2 : 1;
}

int32_t version_div(const OpContext& context) { return broadcasts_beyond_four(context) ? 2 : 1; }

int32_t version_maximum_minimum(const OpContext& context) {
  if (context.inputs[0].dtype == DType::kInt16) return 4;
  if (broadcasts_beyond_four(context)) return 3;
  return context.inputs[0].dtype == DType::kInt8 ? 2 : 1;
}

int32_t version_squared_difference(const OpContext& context) { return context.inputs[0].dtype == DType::kInt8 ? 2 : 1; }

int32_t version_floor_div(const OpContext& context) {
  switch (context.inputs[0].dtype) {
    case DType::kInt8:
    case DType::kInt16: return 3;
    case DType::kFloat32: return 2;
    default: return 1;
  }
}

int32_t version_floor_mod(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  return type == DType::kInt8 || type == DType::kInt16 ? 2 : 1;
}

constexpr Arity kTwo{2, 2};

const OpDef kOps[] = {
    {.op = Op::ADD,
     .inputs = kTwo,
     .flags = kInPlace | kPointwise,
     .infer = infer_broadcast,
     .prepare = prepare_arithmetic,
     .version = version_add,
     .quant = with_scales(free_rule(true), sum_scales)},
    {.op = Op::SUB,
     .inputs = kTwo,
     .flags = kInPlace | kPointwise,
     .infer = infer_broadcast,
     .prepare = prepare_arithmetic,
     .version = version_sub,
     .quant = with_scales(free_rule(true), sum_scales)},
    {.op = Op::MUL,
     .inputs = kTwo,
     .flags = kInPlace | kPointwise,
     .infer = infer_broadcast,
     .prepare = prepare_arithmetic,
     .version = version_mul,
     .quant = free_rule(true)},
    {.op = Op::DIV,
     .inputs = kTwo,
     .flags = kInPlace | kPointwise,
     .infer = infer_broadcast,
     .prepare = prepare_arithmetic,
     .version = version_div},  // LiteRT divides quantized numbers only as uint8
    {.op = Op::MAXIMUM,
     .inputs = kTwo,
     .flags = kInPlace | kPointwise,
     .infer = infer_broadcast,
     .prepare = prepare_maximum_minimum,
     .version = version_maximum_minimum,
     .quant = same_rule()},
    {.op = Op::MINIMUM,
     .inputs = kTwo,
     .flags = kInPlace | kPointwise,
     .infer = infer_broadcast,
     .prepare = prepare_maximum_minimum,
     .version = version_maximum_minimum,
     .quant = same_rule()},
    {.op = Op::SQUARED_DIFFERENCE,
     .inputs = kTwo,
     .flags = kInPlace | kPointwise,
     .infer = infer_broadcast,
     .prepare = prepare_arithmetic,
     .version = version_squared_difference,
     .quant = with_scales(free_rule(false), squared_difference_scales)},
    {.op = Op::POW, .inputs = kTwo, .flags = kInPlace, .infer = infer_broadcast, .prepare = prepare_power},
    {.op = Op::FLOOR_DIV,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_broadcast,
     .prepare = prepare_floor,
     .version = version_floor_div},
    {.op = Op::FLOOR_MOD,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_broadcast,
     .prepare = prepare_floor,
     .version = version_floor_mod},
    {.op = Op::ATAN2, .inputs = kTwo, .flags = kInPlace, .infer = infer_broadcast, .prepare = prepare_atan2},
    {.op = Op::BITWISE_XOR, .inputs = kTwo, .flags = kInPlace, .infer = infer_broadcast, .prepare = prepare_bits},
    {.op = Op::RIGHT_SHIFT, .inputs = kTwo, .flags = kInPlace, .infer = infer_broadcast, .prepare = prepare_bits},
    {.op = Op::STABLEHLO_ADD,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_same_shapes,
     .prepare = prepare_stablehlo},
    {.op = Op::STABLEHLO_MULTIPLY,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_same_shapes,
     .prepare = prepare_stablehlo},
    {.op = Op::STABLEHLO_MAXIMUM,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_same_shapes,
     .prepare = prepare_stablehlo},
    {.op = Op::STABLEHLO_MINIMUM,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_same_shapes,
     .prepare = prepare_stablehlo},
    {.op = Op::STABLEHLO_AND,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_same_shapes,
     .prepare = prepare_stablehlo},
    {.op = Op::STABLEHLO_SHIFT_LEFT,
     .inputs = kTwo,
     .flags = kInPlace,
     .infer = infer_same_shapes,
     .prepare = prepare_stablehlo},
    {.op = Op::ADD_N, .inputs = {1, -1}, .infer = infer_add_n, .prepare = prepare_add_n},
};

}  // namespace

std::span<const OpDef> binary_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
