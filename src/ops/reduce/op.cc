// The OpDef table of the reduce family.
#include "ops/reduce/op.h"

#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

Status infer_reduction(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const auto axes, int_values(context, 1));
  if (!axes) return infer_dynamic(context);
  std::vector<bool> reduced(input.shape.size(), false);
  for (int64_t value : *axes) {
    if (input.shape.empty()) break;  // a scalar: whatever the axis says
    FB_ASSIGN(const int axis, normalize_axis(context, value, input.rank()));
    reduced[static_cast<size_t>(axis)] = true;
  }
  const auto* options = context.node->options->AsReducerOptions();
  const bool keep = options != nullptr && options->keep_dims;
  Shape shape;
  for (size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i]) {
      shape.push_back(input.shape[i]);
    } else if (keep) {
      shape.push_back(1);
    }
  }
  context.outputs[0].shape = std::move(shape);
  return {};
}

Status infer_arg(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const auto axis, int_values(context, 1));
  if (!axis) return infer_dynamic(context);
  if (axis->size() != 1) return context.fail(ErrorCode::kInvalidModel, "there must be one axis, not {}", axis->size());
  FB_ASSIGN(const int normal, normalize_axis(context, (*axis)[0], input.rank()));
  if (input.dim(normal) == 0)
    return context.fail(ErrorCode::kInvalidModel, "dimension {} of {} is empty", normal, shape_text(input.shape));
  context.outputs[0].shape = input.shape;
  context.outputs[0].shape.erase(context.outputs[0].shape.begin() + normal);
  return {};
}

// The shape does not depend on the axis; a constant one is checked in prepare().
Status infer_cumsum(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto axis, int_values(context, 1));
  if (axis) {
    if (axis->size() != 1)
      return context.fail(ErrorCode::kInvalidModel, "there must be one axis, not {}", axis->size());
    FB_TRY(normalize_axis(context, (*axis)[0], context.inputs[0].rank()));
  }
  context.outputs[0].shape = context.inputs[0].shape;
  return {};
}

Status infer_top_k(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const auto k, int_values(context, 1));
  if (!k) return infer_dynamic(context);
  if (k->size() != 1 || input.rank() < 1) {
    return context.fail(ErrorCode::kInvalidModel, "k must be one number and the input must have a dimension");
  }
  const int64_t wanted = std::max<int64_t>((*k)[0], 0);
  if (wanted > input.dim(-1))
    return context.fail(ErrorCode::kInvalidModel, "k is {}, of {} values", wanted, input.dim(-1));
  for (TensorInfo& output : context.outputs) {
    output.shape = input.shape;
    output.shape.back() = static_cast<int32_t>(wanted);
  }
  return {};
}

// ---- quantization ----

QuantRule reduced(OperandQuant kind, bool int16) {
  return {.int8 = true, .int16 = int16, .inputs = {{.kind = kind}, {}}, .outputs = {{.kind = kind}}};
}
QuantRule arg_rule() { return {.int8 = true, .inputs = {{.kind = OperandQuant::kFree}, {}}, .outputs = {{}}}; }
QuantRule top_k_rule() {
  return {.int8 = true,
          .int16 = true,
          .inputs = {{.kind = OperandQuant::kSame}, {}},
          .outputs = {{.kind = OperandQuant::kSame}, {}}};
}

// ---- versions (tools/versioning/op_version.cc) ----

int32_t version_int8(const OpContext& context) { return context.inputs[0].dtype == DType::kInt8 ? 2 : 1; }
int32_t version_prod(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  return type == DType::kInt8 || type == DType::kInt16 ? 2 : 1;
}
int32_t version_arg(const OpContext& context) {
  const DType type = context.inputs[0].dtype;
  return type == DType::kBool ? 3 : type == DType::kInt8 ? 2 : 1;
}
int32_t version_top_k(const OpContext& context) {
  if (context.inputs[0].dtype == DType::kInt16 || context.inputs[1].dtype == DType::kInt16 ||
      context.outputs[1].dtype == DType::kInt16) {
    return 3;
  }
  return context.inputs[0].dtype == DType::kInt8 ? 2 : 1;
}

constexpr Arity kTwo{2, 2};

const OpDef kOps[] = {
    {.op = Op::MEAN,
     .inputs = kTwo,
     .infer = infer_reduction,
     .prepare = prepare_reduction,
     .version = version_by_type,
     .quant = reduced(OperandQuant::kFree, true)},
    {.op = Op::SUM,
     .inputs = kTwo,
     .infer = infer_reduction,
     .prepare = prepare_reduction,
     .version = version_int8,
     .quant = reduced(OperandQuant::kFree, true)},
    {.op = Op::REDUCE_PROD,
     .inputs = kTwo,
     .infer = infer_reduction,
     .prepare = prepare_reduction,
     .version = version_prod,
     .quant = reduced(OperandQuant::kFree, true)},
    {.op = Op::REDUCE_MAX,
     .inputs = kTwo,
     .infer = infer_reduction,
     .prepare = prepare_reduction,
     .version = version_by_type,
     .quant = reduced(OperandQuant::kSame, true)},
    {.op = Op::REDUCE_MIN,
     .inputs = kTwo,
     .infer = infer_reduction,
     .prepare = prepare_reduction,
     .version = version_by_type,
     .quant = reduced(OperandQuant::kSame, true)},
    {.op = Op::REDUCE_ANY, .inputs = kTwo, .infer = infer_reduction, .prepare = prepare_reduction},
    {.op = Op::REDUCE_ALL, .inputs = kTwo, .infer = infer_reduction, .prepare = prepare_reduction},
    {.op = Op::ARG_MAX,
     .inputs = kTwo,
     .infer = infer_arg,
     .prepare = prepare_arg,
     .version = version_arg,
     .quant = arg_rule()},
    {.op = Op::ARG_MIN,
     .inputs = kTwo,
     .infer = infer_arg,
     .prepare = prepare_arg,
     .version = version_arg,
     .quant = arg_rule()},
    {.op = Op::TOPK_V2,
     .inputs = kTwo,
     .outputs = {2, 2},
     .infer = infer_top_k,
     .prepare = prepare_top_k,
     .version = version_top_k,
     .quant = top_k_rule()},
    {.op = Op::CUMSUM, .inputs = kTwo, .infer = infer_cumsum, .prepare = prepare_cumsum},
    {.op = Op::REDUCE_WINDOW, .inputs = {5, 5}, .infer = infer_reduce_window, .prepare = prepare_reduce_window},
};

}  // namespace

std::span<const OpDef> reduce_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
