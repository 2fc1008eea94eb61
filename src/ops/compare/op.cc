// The OpDef table of the compare family.
#include "ops/compare/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

// Strings: the shape is known, but a dynamic kernel gives it.
Status infer_comparison(OpContext& context) {
  if (context.inputs[0].dtype == DType::kString) return infer_dynamic(context);
  return infer_broadcast(context);
}

Status infer_select(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape &condition = context.inputs[0].shape, &x = context.inputs[1].shape, &y = context.inputs[2].shape;
  const bool fits =
      condition == x || condition.empty() || (condition.size() == 1 && !x.empty() && condition[0] == x[0]);
  // Single elements may be written with any rank.
  const bool single =
      context.inputs[0].count() == 1 && context.inputs[1].count() == 1 && context.inputs[2].count() == 1;
  if (!single && (x != y || !fits)) {
    return context.fail(ErrorCode::kInvalidModel, "a condition of {} does not select from {} and {}",
                        shape_text(condition), shape_text(x), shape_text(y));
  }
  context.outputs[0].shape = x;
  return {};
}

Status infer_select_v2(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape &condition = context.inputs[0].shape, &x = context.inputs[1].shape, &y = context.inputs[2].shape;
  const auto values = broadcast_shapes(x, y);
  const auto all = values ? broadcast_shapes(condition, *values) : std::nullopt;
  if (!all) {
    return context.fail(ErrorCode::kInvalidModel, "the shapes {}, {} and {} do not broadcast", shape_text(condition),
                        shape_text(x), shape_text(y));
  }
  context.outputs[0].shape = *all;
  return {};
}

std::string one_or_more(std::span<const float> inputs, float, DType) {
  for (float scale : inputs) {
    if (scale >= 1)
      return fmt::format("an operand has a scale of {}, and LiteRT's kernel takes only scales below 1", scale);
  }
  return "";
}

// Operands in 8 bits, a boolean out.
QuantRule compared() {
  return {.int8 = true, .inputs = {{.kind = OperandQuant::kFree}}, .outputs = {{}}, .scales_problem = one_or_more};
}
QuantRule selected() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{}, {.kind = OperandQuant::kSame}},
          .outputs = {{.kind = OperandQuant::kSame}}};
}

// ---- versions (tools/versioning/op_version.cc) ----

int32_t version_equal(const OpContext& context) {
  switch (context.inputs[0].dtype) {
    case DType::kInt16: return 4;
    case DType::kString: return 3;
    case DType::kInt8: return 2;
    default: return 1;
  }
}
int32_t version_not_equal(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  return type == DType::kString ? 3 : type == DType::kInt8 ? 2 : 1;
}
int32_t version_int8(const OpContext& context) { return context.inputs[0].dtype == DType::kInt8 ? 2 : 1; }

int32_t version_select(const OpContext& context) {
  if (context.inputs[1].dtype == DType::kUInt32) return 4;
  for (const TensorInfo& input : context.inputs) {
    if (input.rank() == 5) return 3;
  }
  return context.inputs[1].dtype == DType::kInt8 ? 2 : 1;
}
int32_t version_select_v2(const OpContext& context) { return context.inputs[1].dtype == DType::kUInt32 ? 2 : 1; }

constexpr Arity kTwo{2, 2}, kThree{3, 3};

const OpDef kOps[] = {
    {.op = Op::EQUAL,
     .inputs = kTwo,
     .infer = infer_comparison,
     .prepare = prepare_comparison,
     .version = version_equal,
     .quant = compared()},
    {.op = Op::NOT_EQUAL,
     .inputs = kTwo,
     .infer = infer_comparison,
     .prepare = prepare_comparison,
     .version = version_not_equal,
     .quant = compared()},
    {.op = Op::LESS,
     .inputs = kTwo,
     .infer = infer_comparison,
     .prepare = prepare_comparison,
     .version = version_by_type,
     .quant = compared()},
    {.op = Op::LESS_EQUAL,
     .inputs = kTwo,
     .infer = infer_comparison,
     .prepare = prepare_comparison,
     .version = version_int8,
     .quant = compared()},
    {.op = Op::GREATER,
     .inputs = kTwo,
     .infer = infer_comparison,
     .prepare = prepare_comparison,
     .version = version_int8,
     .quant = compared()},
    {.op = Op::GREATER_EQUAL,
     .inputs = kTwo,
     .infer = infer_comparison,
     .prepare = prepare_comparison,
     .version = version_by_type,
     .quant = compared()},
    {.op = Op::LOGICAL_AND, .inputs = kTwo, .flags = kInPlace, .infer = infer_broadcast, .prepare = prepare_logical},
    {.op = Op::LOGICAL_OR, .inputs = kTwo, .flags = kInPlace, .infer = infer_broadcast, .prepare = prepare_logical},
    {.op = Op::LOGICAL_NOT, .flags = kInPlace, .infer = infer_same_as_input, .prepare = prepare_logical_not},
    {.op = Op::SELECT,
     .inputs = kThree,
     .infer = infer_select,
     .prepare = prepare_select,
     .version = version_select,
     .quant = selected()},
    {.op = Op::SELECT_V2,
     .inputs = kThree,
     .infer = infer_select_v2,
     .prepare = prepare_select,
     .version = version_select_v2,
     .quant = selected()},
};

}  // namespace

std::span<const OpDef> compare_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
