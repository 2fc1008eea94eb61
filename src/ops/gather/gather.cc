// GATHER and GATHER_ND.
#include "ops/gather/op.h"
#include "ops/gather/rows.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

struct GatherDims {
  int axis = 0, batch = 0;  // batch: leading dimensions that table and indices share
};

Result<GatherDims> gather_dims(const OpContext& context) {
  const auto* options = context.node->options->AsGatherOptions();
  const TensorInfo& table = context.inputs[0];
  const TensorInfo& indices = context.inputs[1];
  GatherDims dims;
  FB_ASSIGN(dims.axis, normalize_axis(context, options == nullptr ? 0 : options->axis, table.rank()));
  dims.batch = options == nullptr ? 0 : options->batch_dims;
  if (dims.batch < 0) dims.batch += indices.rank();
  bool fits = dims.batch >= 0 && dims.batch <= dims.axis && dims.batch <= indices.rank();
  for (int i = 0; fits && i < dims.batch; ++i) fits = table.dim(i) == indices.dim(i);
  if (!fits) {
    return context.fail(ErrorCode::kInvalidModel, "{} batch dimensions do not fit a table {} and indices {}",
                        dims.batch, shape_text(table.shape), shape_text(indices.shape));
  }
  return dims;
}

// What decides where row i of the output comes from.
struct GatherArgs {
  size_t outer = 1, count = 1;  // table rows before the axis in one batch entry; indices in one batch entry
  int64_t axis_size = 0;
  DType index_type = DType::kInt32;

  int64_t row(const void* indices, size_t i) const noexcept {
    const size_t batch = i / (outer * count);
    const int64_t index = IntOperand{indices, index_type}[batch * count + i % count];
    return index < 0 || index >= axis_size ? -1 : static_cast<int64_t>(i / count) * axis_size + index;
  }
};

// A kernel that copies rows of `inner` elements; packed elements stay packed where rows are whole bytes.
template <class Body>
Prepared make_row_kernel(const OpContext& context, size_t inner, size_t element, Body body, const char* name) {
  const auto bytes = row_bytes(context.inputs[0].dtype, inner);
  if (bytes) return make_kernel([body, size = *bytes](const RunArgs& args) noexcept { body(args, size); }, name);
  return make_mover(context, [body, size = inner * element](const RunArgs& args) noexcept { body(args, size); }, name);
}

}  // namespace

// GATHER(table, indices).
Status infer_gather(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const GatherDims dims, gather_dims(context));
  const Shape& table = context.inputs[0].shape;
  const Shape& indices = context.inputs[1].shape;
  std::vector<int64_t> shape(table.begin(), table.begin() + dims.axis);
  shape.insert(shape.end(), indices.begin() + dims.batch, indices.end());
  shape.insert(shape.end(), table.begin() + dims.axis + 1, table.end());
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_gather(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_TRY(require_integers(context, 1));
  FB_ASSIGN(const GatherDims dims, gather_dims(context));
  const TensorInfo& table = context.inputs[0];
  const TensorInfo& indices = context.inputs[1];
  FB_TRY(check_constant_tuples(context, 1, IndexTuples({table.dim(dims.axis)}, 1, indices.dtype), indices.count()));
  if (context.outputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  const GatherArgs gather{.outer = count_dims(table.shape, dims.batch, dims.axis),
                          .count = count_dims(indices.shape, dims.batch, indices.rank()),
                          .axis_size = table.dim(dims.axis),
                          .index_type = indices.dtype};
  const size_t inner = count_dims(table.shape, dims.axis + 1, table.rank());
  return make_row_kernel(
      context, inner, element,
      [gather, rows = context.outputs[0].count() / inner](const RunArgs& args, size_t bytes) noexcept {
        copy_rows(args.in[0], args.out[0], rows, bytes, args.pool, [&](size_t i) { return gather.row(args.in[1], i); });
      },
      "gather");
}

// GATHER_ND(table, indices): the last dimension of indices holds tuples into the table's first dimensions.
Status infer_gather_nd(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& table = context.inputs[0].shape;
  const Shape& indices = context.inputs[1].shape;
  if (indices.empty() || static_cast<size_t>(indices.back()) > table.size()) {
    return context.fail(ErrorCode::kInvalidModel, "indices of shape {} do not fit a table {}", shape_text(indices),
                        shape_text(table));
  }
  std::vector<int64_t> shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), table.begin() + indices.back(), table.end());
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_gather_nd(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_TRY(require_integers(context, 1));
  const TensorInfo& table = context.inputs[0];
  const TensorInfo& indices = context.inputs[1];
  const int depth = indices.dim(-1);
  const size_t tuples = count_dims(indices.shape, 0, indices.rank() - 1);
  const IndexTuples positions(table.shape, static_cast<size_t>(depth), indices.dtype);
  FB_TRY(check_constant_tuples(context, 1, positions, tuples));
  if (context.outputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  return make_row_kernel(
      context, count_dims(table.shape, depth, table.rank()), element,
      [positions, tuples](const RunArgs& args, size_t bytes) noexcept {
        copy_rows(args.in[0], args.out[0], tuples, bytes, args.pool,
                  [&](size_t i) { return positions.row(args.in[1], i); });
      },
      "gather_nd");
}

}  // namespace fewbits::ops
