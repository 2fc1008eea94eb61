// The OpDef table of the fully_connected family.
#include "ops/fully_connected/op.h"

#include <algorithm>

#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

const tflite::FullyConnectedOptionsT& options_of(const OpContext& context) {
  static const tflite::FullyConnectedOptionsT defaults;
  const auto* given = context.node->options->AsFullyConnectedOptions();
  return given != nullptr ? *given : defaults;
}

Status infer_fully_connected(OpContext& context) {
  const TensorInfo &input = context.inputs[0], &weights = context.inputs[1];
  if (!context.has_input(0) || !context.has_input(1)) {
    return context.fail(ErrorCode::kInvalidModel, "the input and the weights cannot be left out");
  }
  if (input.dynamic || weights.dynamic) return infer_dynamic(context);
  if (weights.rank() < 2 || !is_static(weights.shape) || weights.dim(-1) == 0) {
    return context.fail(ErrorCode::kInvalidModel, "the weights must be a matrix, not {}", shape_text(weights.shape));
  }
  const int32_t depth = weights.dim(-1);
  const auto units = static_cast<int32_t>(weights.count() / static_cast<size_t>(depth));
  TensorInfo& output = context.outputs[0];
  const auto misfit = [&] {
    return context.fail(ErrorCode::kInvalidModel, "an input of {} does not fit weights of {}", shape_text(input.shape),
                        shape_text(weights.shape));
  };
  if (options_of(context).keep_num_dims) {
    if (input.rank() < 1 || (input.dim(-1) >= 0 && input.dim(-1) != depth)) return misfit();
    output.shape = input.shape;
    output.shape.back() = units;
    return {};
  }
  output.shape = {-1, units};
  if (!is_static(input.shape)) return {};
  if (input.count() % static_cast<size_t>(depth) != 0) return misfit();
  output.shape[0] = static_cast<int32_t>(input.count() / static_cast<size_t>(depth));
  return {};
}

// The version that the types of input and weights ask for.
int32_t version_of_types(const OpContext& context) {
  const DType input = context.inputs[0].dtype, weights = context.inputs[1].dtype;
  if (weights == DType::kInt2) return 14;
  const bool narrow = weights == DType::kInt4;
  switch (input) {
    case DType::kInt16:
      if (narrow) return 13;
      return context.has_input(2) && context.inputs[2].dtype == DType::kInt32 ? 11 : 7;
    case DType::kInt8: return narrow ? 10 : 4;
    case DType::kFloat32:
      if (weights != DType::kInt8 && !narrow) return 1;
      if (context.inputs[1].quant->per_axis() || context.inputs[1].quant->details != nullptr) return 12;
      if (narrow) return 10;
      return options_of(context).asymmetric_quantize_inputs ? 9 : 3;
    default: return 1;
  }
}

int32_t fully_connected_version(const OpContext& context) {
  int32_t version = version_of_types(context);
  if (!context.has_input(2)) version = std::max(version, 6);
  if (options_of(context).keep_num_dims) version = std::max(version, 5);
  if (context.inputs[1].value != nullptr && context.inputs[1].value->sparsity != nullptr)
    version = std::max(version, 8);
  return version;
}

std::string decline_live_weights(const OpContext& context, DType activation) {
  if (activation == DType::kInt16 && !context.inputs[1].is_const) {
    return "the weights are not constant, and LiteRT multiplies 16-bit activations by 8-bit weights only";
  }
  return "";
}

QuantRule fully_connected_rule() {
  constexpr OperandRule kFree = {.kind = OperandQuant::kFree};
  return {.int8 = true,
          .int16 = true,
          .inputs = {kFree, {.kind = OperandQuant::kWeights, .axis = 0}, {.kind = OperandQuant::kBias}},
          .outputs = {kFree},
          .hybrid_weights = {1},
          .hybrid_per_axis = true,
          .decline = decline_live_weights};
}

const OpDef kOps[] = {
    {.op = Op::FULLY_CONNECTED,
     .inputs = {2, 3},
     .infer = infer_fully_connected,
     .prepare = prepare_fully_connected,
     .version = fully_connected_version,
     .quant = fully_connected_rule()},
};

}  // namespace

std::span<const OpDef> fully_connected_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
