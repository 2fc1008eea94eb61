// The OpDef table of the elementwise family.
#include "ops/elementwise/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

QuantRule free_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kFree}},
          .outputs = {{.kind = OperandQuant::kFree}}};
}

// ---- versions (tools/versioning/op_version.cc) ----

int32_t version_abs(const OpContext& context) {
  switch (context.inputs[0].dtype) {
    case DType::kInt32: return 5;
    case DType::kInt16: return context.inputs[0].quant->quantized() ? 3 : 4;
    case DType::kInt8: return 2;
    default: return 1;
  }
}
int32_t version_table(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  return type == DType::kInt8 || type == DType::kInt16 ? 2 : 1;
}
int32_t version_sign(const OpContext& context) { return context.inputs[0].dtype == DType::kInt32 ? 2 : 1; }

const OpDef kOps[] = {
    {.op = Op::ABS,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_elementwise,
     .version = version_abs,
     .quant = free_rule()},
    {.op = Op::NEG, .flags = kInPlace | kPointwise, .infer = infer_same_as_input, .prepare = prepare_elementwise},
    {.op = Op::EXP,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_elementwise,
     .version = version_table,
     .quant = free_rule()},
    {.op = Op::LOG,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_elementwise,
     .version = version_table,
     .quant = free_rule()},
    {.op = Op::SQRT,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_elementwise,
     .version = version_table},
    {.op = Op::RSQRT,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_elementwise,
     .version = version_by_type,
     .quant = free_rule()},
    {.op = Op::SQUARE, .flags = kInPlace | kPointwise, .infer = infer_same_as_input, .prepare = prepare_elementwise},
    {.op = Op::SIN, .flags = kInPlace | kPointwise, .infer = infer_same_as_input, .prepare = prepare_elementwise},
    {.op = Op::COS, .flags = kInPlace | kPointwise, .infer = infer_same_as_input, .prepare = prepare_elementwise},
    {.op = Op::FLOOR, .flags = kInPlace | kPointwise, .infer = infer_same_as_input, .prepare = prepare_elementwise},
    {.op = Op::CEIL, .flags = kInPlace | kPointwise, .infer = infer_same_as_input, .prepare = prepare_elementwise},
    {.op = Op::ROUND, .flags = kInPlace | kPointwise, .infer = infer_same_as_input, .prepare = prepare_elementwise},
    {.op = Op::SIGN,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_elementwise,
     .version = version_sign},
};

}  // namespace

std::span<const OpDef> elementwise_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
