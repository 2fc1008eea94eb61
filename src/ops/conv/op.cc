// The OpDef table of the conv family.
#include "ops/conv/op.h"

#include <algorithm>

#include "ops/conv/geometry.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

Shape output_shape(const ConvGeometry& g, bool volumes) {
  if (volumes) return {g.batch, g.out[0], g.out[1], g.out[2], g.out_channels};
  return {g.batch, g.out[1], g.out[2], g.out_channels};
}

Status infer_conv(OpContext& context) {
  if (context.inputs[0].dynamic || context.inputs[1].dynamic) return infer_dynamic(context);
  FB_ASSIGN(const ConvGeometry geometry, conv_geometry(context));
  context.outputs[0].shape = output_shape(geometry, context.node->op == Op::CONV_3D);
  return {};
}

Status infer_transpose_conv(OpContext& context) {
  if (context.inputs[1].dynamic || context.inputs[2].dynamic) return infer_dynamic(context);
  FB_ASSIGN(const auto sizes, int_values(context, 0));
  if (!sizes) return infer_dynamic(context);
  Shape shape;
  for (int64_t size : *sizes) {
    if (size < 0 || size > INT32_MAX)
      return context.fail(ErrorCode::kInvalidModel, "the output cannot have a size of {}", size);
    shape.push_back(static_cast<int32_t>(size));
  }
  FB_TRY(conv_geometry(context, &shape));
  context.outputs[0].shape = std::move(shape);
  return {};
}

const TensorInfo& input_of(const OpContext& context) { return context.inputs[conv_operands(context.node->op).input]; }

bool is_int4(const OpContext& context) { return context.inputs[1].dtype == DType::kInt4; }
bool is_hybrid(const OpContext& context) {
  return input_of(context).dtype == DType::kFloat32 && context.inputs[1].dtype == DType::kInt8;
}
bool has_int32_bias_under_int16(const OpContext& context) {
  const size_t bias = conv_operands(context.node->op).bias;
  return input_of(context).dtype == DType::kInt16 && context.has_input(bias) &&
         context.inputs[bias].dtype == DType::kInt32;
}

int32_t conv_version(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &weights = context.inputs[1];
  int32_t version = 1;
  if (is_hybrid(context)) version = weights.quant->per_axis() ? 5 : 2;
  if (input.dtype == DType::kInt8) version = 3;
  if (input.dtype == DType::kInt16) version = has_int32_bias_under_int16(context) ? 8 : 4;
  if (is_int4(context)) version = std::max(version, 7);
  const bool grouped = input.rank() == 4 && weights.rank() == 4 && input.dim(3) != weights.dim(3);
  return grouped ? std::max(version, 6) : version;
}

int32_t depthwise_version(const OpContext& context) {
  const DType input = context.inputs[0].dtype;
  if (is_int4(context)) return 7;
  if (is_hybrid(context)) return context.inputs[1].quant->per_axis() ? 6 : 4;
  if (input == DType::kInt16) return 5;
  if (input == DType::kInt8) return 3;
  const auto* options = context.node->options->AsDepthwiseConv2DOptions();
  return options != nullptr && (options->dilation_h_factor != 1 || options->dilation_w_factor != 1) ? 2 : 1;
}

int32_t transpose_version(const OpContext& context) {
  const auto* options = context.node->options->AsTransposeConvOptions();
  if (has_int32_bias_under_int16(context)) return 5;
  if (options != nullptr && options->fused_activation_function != tflite::ActivationFunctionType::NONE) return 4;
  if (context.has_input(3)) return 3;
  return context.inputs[2].dtype == DType::kInt8 ? 2 : 1;
}

std::string decline_live_weights(const OpContext& context, DType) {
  return context.inputs[1].is_const
             ? ""
             : "the filter is not constant, and LiteRT has integer kernels for constant filters only";
}

OperandRule weights_along(int8_t axis) { return {.kind = OperandQuant::kWeights, .axis = axis}; }
constexpr OperandRule kFree = {.kind = OperandQuant::kFree};

QuantRule conv_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {kFree, weights_along(0), {.kind = OperandQuant::kBias}},
          .outputs = {kFree},
          .hybrid_weights = {1},
          .hybrid_per_axis = true,
          .decline = decline_live_weights};
}

// There are hybrid depthwise kernels, but weights mode does without: few multiplications a value do not pay for quantizing it on
// the fly, and LiteRT's is several times slower than its float one. The filter is stored in int8 and computed in float.
QuantRule depthwise_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {kFree, weights_along(3), {.kind = OperandQuant::kBias}},
          .outputs = {kFree},
          .decline = decline_live_weights};
}

QuantRule transpose_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{}, weights_along(0), kFree, {.kind = OperandQuant::kBias, .input = 2, .weights = 1}},
          .outputs = {kFree},
          .decline = decline_live_weights};
}

// LiteRT computes volumes in float32 only; their filters can still be stored as int8.
QuantRule float_rule(std::vector<OperandRule> inputs) { return {.inputs = std::move(inputs), .outputs = {{}}}; }

const OpDef kOps[] = {
    {.op = Op::CONV_2D,
     .inputs = {2, 3},
     .infer = infer_conv,
     .prepare = prepare_conv,
     .version = conv_version,
     .quant = conv_rule()},
    {.op = Op::DEPTHWISE_CONV_2D,
     .inputs = {2, 3},
     .infer = infer_conv,
     .prepare = prepare_depthwise,
     .version = depthwise_version,
     .quant = depthwise_rule()},
    {.op = Op::TRANSPOSE_CONV,
     .inputs = {3, 4},
     .infer = infer_transpose_conv,
     .prepare = prepare_transpose_conv,
     .version = transpose_version,
     .quant = transpose_rule()},
    {.op = Op::CONV_3D,
     .inputs = {2, 3},
     .infer = infer_conv,
     .prepare = prepare_conv,
     .quant = float_rule({{}, weights_along(4), {}})},
    {.op = Op::CONV_3D_TRANSPOSE,
     .inputs = {3, 4},
     .infer = infer_transpose_conv,
     .prepare = prepare_transpose_conv,
     .quant = float_rule({{}, weights_along(3), {}, {}})},
};

}  // namespace

std::span<const OpDef> conv_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
