// The OpDef table of the matmul family, and its shapes.
#include "ops/matmul/op.h"

#include "base/checked.h"
#include "ops/matmul/shape.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

Status infer_batch_matmul(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_TRY(matmul_shape(context, &context.outputs[0].shape));
  return {};
}

int32_t batch_matmul_version(const OpContext& context) {
  const auto* options = context.node->options->AsBatchMatMulOptions();
  switch (context.inputs[0].dtype) {
    case DType::kInt8: return 2;
    case DType::kInt16: return 3;
    case DType::kFloat32:
      return options != nullptr && options->asymmetric_quantize_inputs && context.inputs[1].dtype == DType::kInt8 ? 4
                                                                                                                  : 1;
    default: return 1;
  }
}

std::string decline_constant_int16(const OpContext& context, DType activation) {
  if (activation == DType::kInt16 && (context.inputs[0].is_const || context.inputs[1].is_const)) {
    return "an operand is constant, and LiteRT multiplies 16-bit activations by 16-bit activations only";
  }
  return "";
}

QuantRule batch_matmul_rule() {
  constexpr OperandRule kFree = {.kind = OperandQuant::kFree};
  return {.int8 = true,
          .int16 = true,
          .inputs = {kFree, {.kind = OperandQuant::kWeights}},
          .outputs = {kFree},
          .hybrid_weights = {1},
          .decline = decline_constant_int16};
}

const OpDef kOps[] = {
    {.op = Op::BATCH_MATMUL,
     .inputs = {2, 2},
     .infer = infer_batch_matmul,
     .prepare = prepare_batch_matmul,
     .version = batch_matmul_version,
     .quant = batch_matmul_rule()},
};

// The slice of an operand with the batch dimensions `from` that belongs to slice `index` of the batch dimensions `to`.
size_t source_slice(size_t index, const Shape& to, const Shape& from) {
  size_t slice = 0, stride = 1;
  for (size_t i = 0; i < to.size(); ++i) {
    const auto size = static_cast<size_t>(to[to.size() - 1 - i]);
    if (i < from.size() && from[from.size() - 1 - i] != 1) {
      slice += index % size * stride;
      stride *= size;
    }
    index /= size;
  }
  return slice;
}

}  // namespace

Result<MatmulShape> matmul_shape(const OpContext& context, Shape* output) {
  const TensorInfo &x = context.inputs[0], &y = context.inputs[1];
  const auto misfit = [&] {
    return context.fail(ErrorCode::kInvalidModel, "{} and {} cannot be multiplied as batches of matrices",
                        shape_text(x.shape), shape_text(y.shape));
  };
  if (x.rank() < 2 || y.rank() < 2) return misfit();
  const auto* options = context.node->options->AsBatchMatMulOptions();
  MatmulShape shape{.adj_x = options != nullptr && options->adj_x, .adj_y = options != nullptr && options->adj_y};
  const Shape left(x.shape.begin(), x.shape.end() - 2), right(y.shape.begin(), y.shape.end() - 2);
  const auto batch = broadcast_shapes(left, right);
  const int32_t depth = x.dim(shape.adj_x ? -2 : -1), rows = x.dim(shape.adj_x ? -1 : -2);
  const int32_t columns = y.dim(shape.adj_y ? -2 : -1);
  if (!batch || depth != y.dim(shape.adj_y ? -1 : -2)) return misfit();
  if (output != nullptr) {
    *output = *batch;
    output->insert(output->end(), {rows, columns});
    return shape;
  }
  const auto slices = checked_count(*batch);
  if (!slices) return misfit();
  shape.rows = static_cast<size_t>(rows);
  shape.depth = static_cast<size_t>(depth);
  shape.columns = static_cast<size_t>(columns);
  shape.left_slices = element_count(left);
  shape.right_slices = element_count(right);
  if (shape.right_slices == 1 && !shape.adj_x && shape.left_slices == *slices) {
    // All rows meet the same matrix: one product.
    shape.rows *= *slices;
    shape.left_slices = 1;
    shape.left_of = shape.right_of = {0};
    return shape;
  }
  for (size_t i = 0; i < *slices; ++i) {
    shape.left_of.push_back(source_slice(i, *batch, left));
    shape.right_of.push_back(source_slice(i, *batch, right));
  }
  return shape;
}

std::span<const OpDef> matmul_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
