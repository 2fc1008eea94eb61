// The OpDef table of the quantize family.
#include "ops/quantize/op.h"

#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// Another element size adds a last dimension, or takes the one that holds the parts of an element.
Status infer_bitcast(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  const size_t from = dtype_bits(input.dtype), to = dtype_bits(context.outputs[0].dtype);
  if (from < 8 || to < 8) return unsupported_types(context);
  Shape shape = input.shape;
  if (from > to) {
    shape.push_back(static_cast<int32_t>(from / to));
  } else if (from < to) {
    if (shape.empty() || static_cast<size_t>(shape.back()) != to / from) {
      return context.fail(ErrorCode::kInvalidModel, "the last dimension of {} must be {}", shape_text(input.shape),
                          to / from);
    }
    shape.pop_back();
  }
  context.outputs[0].shape = std::move(shape);
  return {};
}

// ---- versions (tools/versioning/op_version.cc) ----

int32_t version_quantize(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  if (input.dtype == DType::kInt4 || output.dtype == DType::kInt4) return 4;
  if (output.quant->per_axis()) return 3;
  return output.dtype == DType::kInt16 ? 2 : 1;
}

int32_t version_dequantize(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  switch (input.dtype) {
    case DType::kInt2: return 7;
    case DType::kInt4: return 6;
    case DType::kInt16:
    case DType::kFloat16: return 3;
    case DType::kInt8: return input.quant->per_axis() ? 5 : 2;
    default: return 1;
  }
}

int32_t version_fake_quant(const OpContext& context) {
  const auto* options = context.node->options->AsFakeQuantOptions();
  return options != nullptr && options->narrow_range ? 2 : 1;
}

int32_t version_cast(const OpContext& context) {
  const auto either = [&](DType type) { return context.inputs[0].dtype == type || context.outputs[0].dtype == type; };
  if (either(DType::kBFloat16)) return 7;
  if (either(DType::kInt4)) return 6;
  if (either(DType::kFloat64) || either(DType::kFloat16)) return 5;
  if (either(DType::kUInt16)) return 4;
  if (either(DType::kInt8)) return 3;
  return either(DType::kUInt32) ? 2 : 1;
}

const OpDef kOps[] = {
    {.op = Op::QUANTIZE,
     .flags = kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_quantize,
     .version = version_quantize},
    {.op = Op::DEQUANTIZE,
     .flags = kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_dequantize,
     .version = version_dequantize},
    {.op = Op::FAKE_QUANT,
     .flags = kInPlace | kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_fake_quant,
     .version = version_fake_quant},
    {.op = Op::CAST,
     .flags = kPointwise,
     .infer = infer_same_as_input,
     .prepare = prepare_cast,
     .version = version_cast},
    {.op = Op::BITCAST, .flags = kView, .infer = infer_bitcast, .prepare = prepare_bitcast},
};

}  // namespace

std::span<const OpDef> quantize_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
