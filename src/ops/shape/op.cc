// The OpDef table of the shape family.
#include "ops/shape/op.h"

#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// The sizes that RESHAPE asks for: operand 1 where it is there, else the option; one of them may be -1.
Result<std::optional<std::vector<int64_t>>> reshape_target(const OpContext& context) {
  if (context.has_input(1)) return int_values(context, 1);
  const auto* options = context.node->options->AsReshapeOptions();
  if (options == nullptr)
    return context.fail(ErrorCode::kInvalidModel, "there is neither a shape operand nor an option");
  // Old converters wrote a scalar as the shape [0].
  if (options->new_shape.size() == 1 && options->new_shape[0] == 0) return std::optional(std::vector<int64_t>());
  return std::optional(std::vector<int64_t>(options->new_shape.begin(), options->new_shape.end()));
}

Status infer_reshape(OpContext& context) {
  if (context.inputs[0].dynamic || !is_static(context.inputs[0].shape)) return infer_dynamic(context);
  FB_ASSIGN(const auto target, reshape_target(context));
  if (!target) return infer_dynamic(context);
  const auto count = static_cast<int64_t>(context.inputs[0].count());
  int64_t known = 1;
  int unknown = -1;
  Shape shape;
  for (int64_t dim : *target) {
    if (dim == -1 && unknown < 0) {
      unknown = static_cast<int>(shape.size());
      shape.push_back(1);
      continue;
    }
    if (dim < 0 || dim > INT32_MAX || __builtin_mul_overflow(known, dim, &known)) {
      return context.fail(ErrorCode::kInvalidModel, "cannot reshape to a size of {}", dim);
    }
    shape.push_back(static_cast<int32_t>(dim));
  }
  if (unknown >= 0) {
    const int64_t rest = known == 0 ? 0 : count / known;
    shape[static_cast<size_t>(unknown)] = static_cast<int32_t>(rest);
    known *= rest;
  }
  if (known != count) {
    return context.fail(ErrorCode::kInvalidModel, "cannot reshape {} ({} elements) to {}",
                        shape_text(context.inputs[0].shape), count, shape_text(shape));
  }
  context.outputs[0].shape = std::move(shape);
  return {};
}

Status infer_squeeze(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  const auto* options = context.node->options->AsSqueezeOptions();
  std::vector<bool> drop(input.shape.size(), false);
  if (options != nullptr && !options->squeeze_dims.empty()) {
    for (int32_t axis : options->squeeze_dims) {
      FB_ASSIGN(const int normal, normalize_axis(context, axis, input.rank()));
      if (input.dim(normal) != 1) {
        return context.fail(ErrorCode::kInvalidModel, "dimension {} of {} is not 1", axis, shape_text(input.shape));
      }
      drop[static_cast<size_t>(normal)] = true;
    }
  } else {
    for (size_t i = 0; i < drop.size(); ++i) drop[i] = input.shape[i] == 1;
  }
  context.outputs[0].shape.clear();
  for (size_t i = 0; i < drop.size(); ++i) {
    if (!drop[i]) context.outputs[0].shape.push_back(input.shape[i]);
  }
  return {};
}

Status infer_expand_dims(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto axis, int_values(context, 1));
  if (!axis) return infer_dynamic(context);
  if (axis->size() != 1) return context.fail(ErrorCode::kInvalidModel, "the axis must be one number");
  FB_ASSIGN(const int normal, normalize_axis(context, (*axis)[0], context.inputs[0].rank() + 1));
  context.outputs[0].shape = context.inputs[0].shape;
  context.outputs[0].shape.insert(context.outputs[0].shape.begin() + normal, 1);
  return {};
}

Status infer_shape(OpContext& context) {
  if (context.inputs[0].dynamic) return infer_dynamic(context);
  context.outputs[0].shape = {context.inputs[0].rank()};
  return {};
}

Status infer_scalar(OpContext& context) {
  context.outputs[0].shape = {};
  return {};
}

// Bytes are only renamed: quantized tensors keep their parameters.
QuantRule view_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kSame}, {}},
          .outputs = {{.kind = OperandQuant::kSame}}};
}

const OpDef kOps[] = {
    {.op = Op::RESHAPE,
     .inputs = {1, 2},
     .flags = kView,
     .infer = infer_reshape,
     .prepare = prepare_view,
     .quant = view_rule()},
    {.op = Op::SQUEEZE, .flags = kView, .infer = infer_squeeze, .prepare = prepare_view, .quant = view_rule()},
    {.op = Op::EXPAND_DIMS,
     .inputs = {2, 2},
     .flags = kView,
     .infer = infer_expand_dims,
     .prepare = prepare_view,
     .quant = view_rule()},
    {.op = Op::SHAPE, .infer = infer_shape, .prepare = prepare_shape},
    {.op = Op::RANK, .infer = infer_scalar, .prepare = prepare_rank},
    {.op = Op::ZEROS_LIKE, .infer = infer_same_as_input, .prepare = prepare_zeros_like},
};

}  // namespace

std::span<const OpDef> shape_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
