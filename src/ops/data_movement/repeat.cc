// TILE, FILL, BROADCAST_TO, BROADCAST_ARGS: one element, or one tensor, many times.
#include <algorithm>

#include "ops/data_movement/op.h"
#include "ops/mover.h"

namespace fewbits::ops {

// TILE(input, multiples).
Status infer_tile(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& in = context.inputs[0].shape;
  FB_ASSIGN(const auto multiples, int_values(context, 1));
  if (context.inputs[1].count() != in.size()) {
    return context.fail(ErrorCode::kInvalidModel, "{} multiples do not fit a tensor of rank {}",
                        context.inputs[1].count(), in.size());
  }
  if (!multiples) return infer_dynamic(context);
  std::vector<int64_t> shape;
  for (size_t i = 0; i < in.size(); ++i) {
    const int64_t multiple = (*multiples)[i];
    if (multiple < 0 || multiple > INT32_MAX)
      return context.fail(ErrorCode::kInvalidModel, "cannot tile {} times", multiple);
    shape.push_back(in[i] * multiple);
  }
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_tile(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  const auto from = byte_strides(in, element), to = byte_strides(out, element);
  std::array<CopyDim, 2 * kMaxMoverRank> dims;
  for (size_t i = 0; i < in.size(); ++i) {
    dims[2 * i] = {in[i] == 0 ? 0 : out[i] / in[i], 0, to[i] * in[i]};
    dims[2 * i + 1] = {in[i], from[i], to[i]};
  }
  return make_mover(
      context,
      [copy = StridedCopy({dims.data(), 2 * in.size()}, element)](const RunArgs& args) noexcept {
        copy.run(args.in[0], args.out[0], args.pool);
      },
      "tile");
}

// FILL(shape, value).
Status infer_fill(OpContext& context) {
  if (any_dynamic(context)) return {};
  if (context.inputs[1].count() != 1) return context.fail(ErrorCode::kInvalidModel, "the value must be one element");
  if (context.inputs[0].rank() > 1) return context.fail(ErrorCode::kInvalidModel, "the shape must be a list of sizes");
  FB_ASSIGN(const auto shape, int_values(context, 0));
  if (!shape) return infer_dynamic(context);
  return set_shape(context, 0, *shape);
}

Result<Prepared> prepare_fill(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {1}));
  return make_mover(
      context,
      [copy = fill_copy(context.outputs[0].count(), element)](const RunArgs& args) noexcept {
        copy.run(args.in[1], args.out[0], args.pool);
      },
      "fill");
}

// BROADCAST_TO(input, shape).
Status infer_broadcast_to(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& in = context.inputs[0].shape;
  FB_ASSIGN(const auto target, int_values(context, 1));
  if (!target) return infer_dynamic(context);
  bool fits = target->size() >= in.size();
  for (size_t i = 0; fits && i < in.size(); ++i) {
    fits = in[i] == 1 || in[i] == (*target)[target->size() - in.size() + i];
  }
  if (!fits) {
    return context.fail(ErrorCode::kInvalidModel, "{} does not broadcast to [{}]", shape_text(in),
                        fmt::join(*target, ", "));
  }
  return set_shape(context, 0, *target);
}

Result<Prepared> prepare_broadcast_to(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  const auto from = byte_strides(in, element), to = byte_strides(out, element);
  std::array<CopyDim, kMaxMoverRank> dims;
  const size_t added = out.size() - in.size();
  for (size_t i = 0; i < out.size(); ++i) {
    dims[i] = {out[i], i < added || in[i - added] != out[i] ? 0 : from[i - added], to[i]};
  }
  return make_mover(
      context,
      [copy = StridedCopy({dims.data(), out.size()}, element)](const RunArgs& args) noexcept {
        copy.run(args.in[0], args.out[0], args.pool);
      },
      "broadcast_to");
}

// BROADCAST_ARGS(a, b): the shape that two shapes broadcast to.
Status infer_broadcast_args(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto a, int_values(context, 0));
  FB_ASSIGN(const auto b, int_values(context, 1));
  const size_t n = context.inputs[0].count(), m = context.inputs[1].count();
  for (size_t i = 1; a && b && i <= std::min(n, m); ++i) {
    const int64_t x = (*a)[n - i], y = (*b)[m - i];
    if (x != y && x != 1 && y != 1) {
      return context.fail(ErrorCode::kInvalidModel, "the shapes [{}] and [{}] do not broadcast", fmt::join(*a, ", "),
                          fmt::join(*b, ", "));
    }
  }
  return set_shape(context, 0, std::array{static_cast<int64_t>(std::max(n, m))});
}

Result<Prepared> prepare_broadcast_args(const OpContext& context) {
  FB_TRY(require_movable(context, {0, 1}));
  FB_TRY(require_type(context, context.outputs[0], "the shape", {DType::kInt32, DType::kInt64}));
  return make_kernel(
      [type = context.outputs[0].dtype, n = context.inputs[0].count(),
       m = context.inputs[1].count()](const RunArgs& args) noexcept {
        const IntOperand a{args.in[0], type}, b{args.in[1], type};
        const size_t rank = std::max(n, m);
        for (size_t i = 1; i <= rank; ++i) {
          const int64_t x = i <= n ? a[n - i] : 1;
          const int64_t size = x == 1 && i <= m ? b[m - i] : x;
          if (type == DType::kInt64) {
            out<int64_t>(args)[rank - i] = size;
          } else {
            out<int32_t>(args)[rank - i] = static_cast<int32_t>(size);
          }
        }
      },
      "broadcast_args");
}

}  // namespace fewbits::ops
