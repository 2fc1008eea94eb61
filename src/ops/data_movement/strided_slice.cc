// STRIDED_SLICE: Python's x[a:b:c, ..., None, i] as begin, end and stride lists with five bit masks.
#include <algorithm>

#include "ops/data_movement/op.h"
#include "ops/mover.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

constexpr size_t kMaxSpecs = 16;

// What is sliced of one dimension of the input, or a dimension of 1 that is not in the input.
struct SliceAxis {
  int dim = -1;  // of the input; -1: a new one
  int64_t start = 0, step = 1, count = 1;
  bool shrink = false;  // not in the output
};
struct SliceAxes {
  std::array<SliceAxis, kMaxSpecs + kMaxMoverRank> axes;
  size_t size = 0;
  const char* error = nullptr;

  void add(const SliceAxis& axis) noexcept { axes[size++] = axis; }
};

struct SliceMasks {
  uint32_t begin = 0, end = 0, ellipsis = 0, new_axis = 0, shrink = 0;
  bool offset = false;  // end counts from begin
};

SliceMasks masks_of(const OpContext& context) {
  const auto* options = context.node->options->AsStridedSliceOptions();
  if (options == nullptr) return {};
  return {static_cast<uint32_t>(options->begin_mask),       static_cast<uint32_t>(options->end_mask),
          static_cast<uint32_t>(options->ellipsis_mask),    static_cast<uint32_t>(options->new_axis_mask),
          static_cast<uint32_t>(options->shrink_axis_mask), options->offset};
}

bool bit(uint32_t mask, size_t i) noexcept { return (mask >> i & 1) != 0; }

// Begin and end as Python clamps them: to [0, dim] going up, to [-1, dim - 1] going down. Null, or what is wrong.
const char* slice_dimension(int64_t dim, int64_t begin, int64_t end, int64_t step, const SliceMasks& masks, size_t i,
                            SliceAxis& axis) noexcept {
  if (step == 0) return "a stride is 0";
  constexpr int64_t kFar = int64_t{1} << 32;  // beyond every dimension, so that sums cannot overflow
  begin = std::clamp(begin, -kFar, kFar);
  end = std::clamp(end, -kFar, kFar);
  step = std::clamp(step, -kFar, kFar);
  const int64_t least = step > 0 ? 0 : -1, most = step > 0 ? dim : dim - 1;
  int64_t start = std::clamp(begin < 0 ? begin + dim : begin, least, most);
  if (bit(masks.begin, i)) start = step > 0 ? 0 : dim - 1;
  axis.start = start;
  if (bit(masks.shrink, i)) {
    if (start < 0 || start >= dim) return "an index is outside its dimension";
    axis.shrink = true;
    return nullptr;
  }
  if (masks.offset) end += start;
  int64_t stop = std::clamp(end < 0 ? end + dim : end, least, most);
  if (bit(masks.end, i)) stop = step > 0 ? dim : -1;
  const int64_t distance = step > 0 ? stop - start : start - stop;
  const int64_t stride = step > 0 ? step : -step;
  axis.count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  if (axis.count > 1) axis.step = step;
  return nullptr;
}

// What each dimension of input and output is. `lists`: begin, end, strides of `specs` values each.
SliceAxes resolve(const SliceMasks& masks, const Shape& shape, size_t specs,
                  const std::array<IntOperand, 3>& lists) noexcept {
  SliceAxes result;
  const auto fail = [&result](const char* error) {
    result.error = error;
    return result;
  };
  if (specs > kMaxSpecs || shape.size() > kMaxMoverRank) return fail("there are too many dimensions");
  size_t taken = 0, ellipses = 0;  // dimensions that single entries slice
  for (size_t i = 0; i < specs; ++i) {
    const bool ellipsis = bit(masks.ellipsis, i);
    ellipses += ellipsis ? 1 : 0;
    taken += ellipsis || bit(masks.new_axis, i) ? 0 : 1;
  }
  if (ellipses > 1) return fail("there is more than one ellipsis");
  if (taken > shape.size()) return fail("there are more entries than dimensions");

  int dim = 0;
  const auto whole = [&](size_t count) {
    for (; count > 0; --count, ++dim) result.add({.dim = dim, .count = shape[static_cast<size_t>(dim)]});
  };
  for (size_t i = 0; i < specs; ++i) {
    if (bit(masks.ellipsis, i)) {
      whole(shape.size() - taken);
    } else if (bit(masks.new_axis, i)) {
      result.add({});
    } else {
      SliceAxis axis{.dim = dim};
      const int64_t size = shape[static_cast<size_t>(dim++)];
      if (const char* error = slice_dimension(size, lists[0][i], lists[1][i], lists[2][i], masks, i, axis))
        return fail(error);
      result.add(axis);
    }
  }
  whole(shape.size() - static_cast<size_t>(dim));
  return result;
}

// The copy of a resolved slice into a tensor of the shape that was inferred; nothing when they do not agree.
StridedCopy plan_copy(const SliceAxes& axes, const Shape& in, const Shape& out, size_t element) noexcept {
  const auto from = byte_strides(in, element), to = byte_strides(out, element);
  std::array<CopyDim, kMaxMoverRank> dims;
  size_t rank = 0;
  int64_t offset = 0;
  for (size_t i = 0; i < axes.size && axes.error == nullptr; ++i) {
    const SliceAxis& axis = axes.axes[i];
    if (axis.dim >= 0) offset += axis.start * from[static_cast<size_t>(axis.dim)];
    if (axis.shrink) continue;
    if (rank == out.size() || out[rank] != axis.count) return {};
    dims[rank] = {axis.count, axis.dim < 0 ? 0 : axis.step * from[static_cast<size_t>(axis.dim)], to[rank]};
    ++rank;
  }
  if (axes.error != nullptr || rank != out.size()) return {};
  return StridedCopy({dims.data(), rank}, element, offset);
}

}  // namespace

Status infer_strided_slice(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  const size_t specs = context.inputs[1].count();
  std::array<IntOperand, 3> lists;
  for (size_t i = 0; i < 3; ++i) {
    const TensorInfo& list = context.inputs[i + 1];
    FB_TRY(require_integers(context, i + 1));
    if (list.count() != specs) return context.fail(ErrorCode::kInvalidModel, "begin, end and strides differ in length");
    if (list.data == nullptr && specs > 0) return infer_dynamic(context);
    lists[i] = {list.data, list.dtype};
  }
  const SliceAxes axes = resolve(masks_of(context), input.shape, specs, lists);
  if (axes.error != nullptr) {
    return context.fail(ErrorCode::kInvalidModel, "cannot slice {}: {}", shape_text(input.shape), axes.error);
  }
  std::vector<int64_t> shape;
  for (size_t i = 0; i < axes.size; ++i) {
    if (!axes.axes[i].shrink) shape.push_back(axes.axes[i].count);
  }
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_strided_slice(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const auto plan = [element, in = context.inputs[0].shape, out = context.outputs[0].shape, masks = masks_of(context),
                     specs = context.inputs[1].count()](const std::array<IntOperand, 3>& lists) noexcept {
    return plan_copy(resolve(masks, in, specs, lists), in, out, element);
  };
  return make_planned_copy<3>(context, 0, {1, 2, 3}, plan, "strided_slice");
}

}  // namespace fewbits::ops
