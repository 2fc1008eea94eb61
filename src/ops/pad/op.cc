// The OpDef table of the pad family.
#include "ops/pad/op.h"

#include "ops/mover.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// The paddings before and after every dimension, as checked; nothing where they are not known yet.
Result<std::optional<std::vector<int64_t>>> paddings_of(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  const TensorInfo& operand = context.inputs[1];
  if (operand.count() != 2 * input.shape.size()) {
    return context.fail(ErrorCode::kInvalidModel, "paddings of shape {} do not fit a tensor of rank {}",
                        shape_text(operand.shape), input.rank());
  }
  FB_ASSIGN(auto paddings, int_values(context, 1));
  for (size_t i = 0; paddings && i < paddings->size(); ++i) {
    if ((*paddings)[i] < 0 || (*paddings)[i] > INT32_MAX) {
      return context.fail(ErrorCode::kInvalidModel, "cannot pad dimension {} by {}", i / 2, (*paddings)[i]);
    }
  }
  return paddings;
}

Status set_padded_shape(OpContext& context, const std::vector<int64_t>& paddings) {
  const Shape& in = context.inputs[0].shape;
  std::vector<int64_t> shape;
  for (size_t i = 0; i < in.size(); ++i) shape.push_back(in[i] + paddings[2 * i] + paddings[2 * i + 1]);
  return set_shape(context, 0, shape);
}

Status infer_pad(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto paddings, paddings_of(context));
  if (context.has_input(2) && context.inputs[2].count() != 1) {
    return context.fail(ErrorCode::kInvalidModel, "the padding value must be one element");
  }
  if (!paddings) return infer_dynamic(context);
  return set_padded_shape(context, *paddings);
}

Status infer_mirror_pad(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto paddings, paddings_of(context));
  if (!paddings) return infer_dynamic(context);
  const auto* options = context.node->options->AsMirrorPadOptions();
  const bool reflect = options == nullptr || options->mode == tflite::MirrorPadMode::REFLECT;
  for (size_t i = 0; i < paddings->size(); ++i) {
    const int32_t available = context.inputs[0].shape[i / 2] - (reflect ? 1 : 0);
    if ((*paddings)[i] > std::max(available, 0)) {
      return context.fail(ErrorCode::kInvalidModel, "dimension {} of {} cannot be mirrored {} steps", i / 2,
                          shape_text(context.inputs[0].shape), (*paddings)[i]);
    }
  }
  return set_padded_shape(context, *paddings);
}

int32_t pad_version(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  if (input.dtype == DType::kBool) return 5;
  return input.rank() > 4 ? 4 : version_by_type(context);
}

constexpr OperandRule kSameParams{.kind = OperandQuant::kSame};

QuantRule pad_rule(std::vector<OperandRule> inputs) {
  return {.int8 = true, .int16 = true, .inputs = std::move(inputs), .outputs = {kSameParams}};
}

const OpDef kOps[] = {
    {.op = Op::PAD,
     .inputs = {2, 2},
     .infer = infer_pad,
     .prepare = prepare_pad,
     .version = pad_version,
     .quant = pad_rule({kSameParams, {}})},
    {.op = Op::PADV2,
     .inputs = {3, 3},
     .infer = infer_pad,
     .prepare = prepare_pad,
     .version = pad_version,
     .quant = pad_rule({kSameParams, {}, kSameParams})},
    {.op = Op::MIRROR_PAD,
     .inputs = {2, 2},
     .infer = infer_mirror_pad,
     .prepare = prepare_mirror_pad,
     .version = version_by_type,
     .quant = pad_rule({kSameParams, {}})},
};

}  // namespace

std::span<const OpDef> pad_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
