// SLICE and DYNAMIC_UPDATE_SLICE: a box out of a tensor, a box over a tensor.
#include <algorithm>

#include "ops/data_movement/op.h"
#include "ops/mover.h"

namespace fewbits::ops {

// SLICE(input, begin, size): size -1 takes all that follows begin.
Status infer_slice(OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto begin, int_values(context, 1));
  FB_ASSIGN(const auto size, int_values(context, 2));
  const size_t rank = input.shape.size();
  if (context.inputs[1].count() != rank || context.inputs[2].count() != rank) {
    return context.fail(ErrorCode::kInvalidModel, "begin has {} values and size {}, for a tensor of rank {}",
                        context.inputs[1].count(), context.inputs[2].count(), rank);
  }
  if (!size) return infer_dynamic(context);
  std::vector<int64_t> shape;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t dim = input.shape[i];
    if ((*size)[i] == -1 && !begin) return infer_dynamic(context);
    const int64_t from = begin ? (*begin)[i] : 0;
    const bool starts_inside = from >= 0 && from <= dim;
    const int64_t extent = starts_inside && (*size)[i] == -1 ? dim - from : (*size)[i];
    if (!starts_inside || extent < 0 || extent > dim - from) {
      return context.fail(ErrorCode::kInvalidModel, "the slice from {} of size {} does not fit dimension {} of {}",
                          from, (*size)[i], i, shape_text(input.shape));
    }
    shape.push_back(extent);
  }
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_slice(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const auto plan = [element, in = context.inputs[0].shape,
                     out = context.outputs[0].shape](const std::array<IntOperand, 1>& operands) noexcept {
    const auto from = byte_strides(in, element), to = byte_strides(out, element);
    std::array<CopyDim, kMaxMoverRank> dims;
    int64_t offset = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      offset += std::clamp<int64_t>(operands[0][i], 0, in[i] - out[i]) * from[i];
      dims[i] = {out[i], from[i], to[i]};
    }
    return StridedCopy({dims.data(), in.size()}, element, offset);
  };
  return make_planned_copy<1>(context, 0, {1}, plan, "slice");
}

// DYNAMIC_UPDATE_SLICE(operand, update, start): the start is moved so that the update fits.
Status infer_dynamic_update_slice(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& operand = context.inputs[0];
  const TensorInfo& update = context.inputs[1];
  bool fits = operand.rank() == update.rank();
  for (int i = 0; fits && i < operand.rank(); ++i) fits = update.dim(i) <= operand.dim(i);
  if (!fits) {
    return context.fail(ErrorCode::kInvalidModel, "an update of shape {} does not fit {}", shape_text(update.shape),
                        shape_text(operand.shape));
  }
  if (context.inputs[2].count() != operand.shape.size()) {
    return context.fail(ErrorCode::kInvalidModel, "there are {} start indices for a tensor of rank {}",
                        context.inputs[2].count(), operand.rank());
  }
  context.outputs[0].shape = operand.shape;
  return {};
}

Result<Prepared> prepare_dynamic_update_slice(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0, 1}));
  FB_TRY(require_integers(context, 2));
  const Shape& shape = context.inputs[0].shape;
  const StridedCopy whole(element * context.inputs[0].count());
  const bool replaces_all = shape == context.inputs[1].shape;
  return make_mover(
      context,
      [=, update = context.inputs[1].shape, type = context.inputs[2].dtype](const RunArgs& args) noexcept {
        const IntOperand start{args.in[2], type};
        const auto from = byte_strides(update, element), to = byte_strides(shape, element);
        std::array<CopyDim, kMaxMoverRank> dims;
        int64_t offset = 0;
        for (size_t i = 0; i < update.size(); ++i) {
          offset += std::clamp<int64_t>(start[i], 0, shape[i] - update[i]) * to[i];
          dims[i] = {update[i], from[i], to[i]};
        }
        // The planner may put the output over the operand, or over an update of the same size: then that part is there.
        if (!replaces_all && args.out[0] != args.in[0]) whole.run(args.in[0], args.out[0], args.pool);
        if (args.out[0] == args.in[1]) return;
        StridedCopy({dims.data(), update.size()}, element, 0, offset).run(args.in[1], args.out[0], args.pool);
      },
      "dynamic_update_slice");
}

}  // namespace fewbits::ops
