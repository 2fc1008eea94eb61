// TRANSPOSE, REVERSE_V2, REVERSE_SEQUENCE: the same elements in another order.
#include <algorithm>

#include "ops/data_movement/op.h"
#include "ops/mover.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

int64_t positive(int64_t axis, size_t rank) noexcept { return axis < 0 ? axis + static_cast<int64_t>(rank) : axis; }

struct SequenceDims {
  int seq = 0, batch = 0;
};

Result<SequenceDims> sequence_dims(const OpContext& context) {
  const auto* options = context.node->options->AsReverseSequenceOptions();
  SequenceDims dims;
  FB_ASSIGN(dims.seq, normalize_axis(context, options == nullptr ? 0 : options->seq_dim, context.inputs[0].rank()));
  FB_ASSIGN(dims.batch, normalize_axis(context, options == nullptr ? 0 : options->batch_dim, context.inputs[0].rank()));
  return dims;
}

}  // namespace

// TRANSPOSE(input, permutation).
Status infer_transpose(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const auto perm, int_values(context, 1));
  if (context.inputs[1].count() != input.shape.size()) {
    return context.fail(ErrorCode::kInvalidModel, "a permutation of {} values does not fit a tensor of rank {}",
                        context.inputs[1].count(), input.rank());
  }
  if (!perm) return infer_dynamic(context);
  std::vector<bool> seen(input.shape.size(), false);
  Shape shape;
  for (int64_t axis : *perm) {
    FB_ASSIGN(const int from, normalize_axis(context, axis, input.rank()));
    if (seen[static_cast<size_t>(from)]) return context.fail(ErrorCode::kInvalidModel, "axis {} is there twice", axis);
    seen[static_cast<size_t>(from)] = true;
    shape.push_back(input.dim(from));
  }
  context.outputs[0].shape = std::move(shape);
  return {};
}

Result<Prepared> prepare_transpose(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const auto plan = [element, in = context.inputs[0].shape, out = context.outputs[0].shape](
                        const std::array<IntOperand, 1>& operands) noexcept -> StridedCopy {
    const auto from = byte_strides(in, element), to = byte_strides(out, element);
    std::array<CopyDim, kMaxMoverRank> dims;
    uint32_t seen = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      const int64_t axis = positive(operands[0][i], in.size());
      const bool valid = axis >= 0 && axis < static_cast<int64_t>(in.size()) && in[static_cast<size_t>(axis)] == out[i];
      if (!valid || (seen >> axis & 1) != 0) return {};
      seen |= 1u << axis;
      dims[i] = {out[i], from[static_cast<size_t>(axis)], to[i]};
    }
    return StridedCopy({dims.data(), in.size()}, element);
  };
  return make_planned_copy<1>(context, 0, {1}, plan, "transpose");
}

// REVERSE_V2(input, axes).
Status infer_reverse(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto axes, int_values(context, 1));
  if (axes) {
    for (int64_t axis : *axes) FB_TRY(normalize_axis(context, axis, context.inputs[0].rank()));
  }
  context.outputs[0].shape = context.inputs[0].shape;
  return {};
}

Result<Prepared> prepare_reverse(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const auto plan = [element, shape = context.inputs[0].shape,
                     axes = context.inputs[1].count()](const std::array<IntOperand, 1>& operands) noexcept {
    const auto strides = byte_strides(shape, element);
    std::array<CopyDim, kMaxMoverRank> dims;
    for (size_t i = 0; i < shape.size(); ++i) dims[i] = {shape[i], strides[i], strides[i]};
    int64_t offset = 0;
    for (size_t k = 0; k < axes; ++k) {
      const int64_t axis = positive(operands[0][k], shape.size());
      if (axis < 0 || axis >= static_cast<int64_t>(shape.size())) continue;
      CopyDim& dim = dims[static_cast<size_t>(axis)];
      if (dim.src < 0) continue;  // named twice
      offset += (dim.size - 1) * dim.src;
      dim.src = -dim.src;
    }
    return StridedCopy({dims.data(), shape.size()}, element, offset);
  };
  return make_planned_copy<1>(context, 0, {1}, plan, "reverse");
}

// REVERSE_SEQUENCE(input, lengths): of every batch entry, the first lengths[b] steps are reversed, the rest stay.
Status infer_reverse_sequence(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const SequenceDims dims, sequence_dims(context));
  FB_ASSIGN(const auto lengths, int_values(context, 1));
  if (dims.seq == dims.batch)
    return context.fail(ErrorCode::kInvalidModel, "seq_dim and batch_dim are both {}", dims.seq);
  if (context.inputs[1].count() != static_cast<size_t>(input.dim(dims.batch))) {
    return context.fail(ErrorCode::kInvalidModel, "there are {} lengths for dimension {} of {}",
                        context.inputs[1].count(), dims.batch, shape_text(input.shape));
  }
  for (size_t i = 0; lengths && i < lengths->size(); ++i) {
    if ((*lengths)[i] < 0 || (*lengths)[i] > input.dim(dims.seq)) {
      return context.fail(ErrorCode::kInvalidModel, "the length {} does not fit dimension {} of {}", (*lengths)[i],
                          dims.seq, shape_text(input.shape));
    }
  }
  context.outputs[0].shape = input.shape;
  return {};
}

Result<Prepared> prepare_reverse_sequence(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_ASSIGN(const SequenceDims which, sequence_dims(context));
  FB_TRY(require_integers(context, 1));
  return make_mover(
      context,
      [element, shape = context.inputs[0].shape, type = context.inputs[1].dtype, seq = static_cast<size_t>(which.seq),
       batch = static_cast<size_t>(which.batch)](const RunArgs& args) noexcept {
        const IntOperand lengths{args.in[1], type};
        const auto strides = byte_strides(shape, element);
        std::array<CopyDim, kMaxMoverRank> dims;
        for (size_t i = 0; i < shape.size(); ++i) dims[i] = {i == batch ? 1 : shape[i], strides[i], strides[i]};
        for (int32_t b = 0; b < shape[batch]; ++b) {
          const int64_t entry = b * strides[batch];
          const int64_t length = std::clamp<int64_t>(lengths[static_cast<size_t>(b)], 0, shape[seq]);
          dims[seq] = {length, -strides[seq], strides[seq]};
          StridedCopy({dims.data(), shape.size()}, element, entry + (length - 1) * strides[seq], entry)
              .run(args.in[0], args.out[0], args.pool);
          dims[seq] = {shape[seq] - length, strides[seq], strides[seq]};
          const int64_t rest = entry + length * strides[seq];
          StridedCopy({dims.data(), shape.size()}, element, rest, rest).run(args.in[0], args.out[0], args.pool);
        }
      },
      "reverse_sequence");
}

}  // namespace fewbits::ops
