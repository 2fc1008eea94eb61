// Axes of a reduction and the groups that they make of its input's dimensions.
#include "ops/reduce/plan.h"

namespace fewbits::ops {

ReducePlan plan_reduction(std::span<const int32_t> shape, uint32_t axes) noexcept {
  ReducePlan plan;
  // Groups, innermost first.
  std::array<size_t, kMaxReduceRank> dims{}, strides{};
  std::array<bool, kMaxReduceRank> is_reduced{};
  size_t groups = 0, stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    const auto dim = static_cast<size_t>(shape[i]);
    const bool reduced = (axes >> i & 1) != 0;
    if (dim != 1) {
      if (groups > 0 && is_reduced[groups - 1] == reduced) {
        dims[groups - 1] *= dim;
      } else {
        dims[groups] = dim;
        strides[groups] = stride;
        is_reduced[groups++] = reduced;
      }
    }
    stride *= dim;
  }
  if (groups > 0) {
    plan.inner = dims[0];
    plan.inner_kept = !is_reduced[0];
  }
  for (size_t g = groups; g-- > 1;) {
    Loops& loops = is_reduced[g] ? plan.reduced : plan.kept;
    loops.dims[loops.rank] = dims[g];
    loops.strides[loops.rank++] = strides[g];
  }
  return plan;
}

uint32_t Axes::read(const void* operand) const noexcept {
  uint32_t axes = 0;
  for (size_t i = 0; operand != nullptr && i < count; ++i) {
    int64_t axis = wide ? static_cast<const int64_t*>(operand)[i] : static_cast<const int32_t*>(operand)[i];
    if (axis < 0) axis += static_cast<int64_t>(rank);
    if (axis >= 0 && axis < static_cast<int64_t>(rank)) axes |= uint32_t{1} << axis;
  }
  return axes;
}

Result<Axes> read_axes(const OpContext& context, size_t i) {
  const TensorInfo &input = context.inputs[0], &operand = context.inputs[i];
  FB_TRY(require_type(context, operand, "the axis", {DType::kInt32, DType::kInt64}));
  if (input.rank() > static_cast<int>(kMaxReduceRank)) {
    return context.fail(ErrorCode::kUnsupported, "a tensor of rank {}: at most {} dimensions can be reduced",
                        input.rank(), kMaxReduceRank);
  }
  Axes axes;
  axes.rank = input.shape.size();
  axes.wide = operand.dtype == DType::kInt64;
  axes.count = operand.count();
  axes.live = !operand.is_const;
  if (axes.live) return axes;
  FB_ASSIGN(const auto values, int_values(context, i));
  if (!values) return context.fail(ErrorCode::kInternal, "the axis has no values");
  for (int64_t value : *values) {
    if (axes.rank == 0) break;
    FB_ASSIGN(const int axis, normalize_axis(context, value, input.rank()));
    axes.known |= uint32_t{1} << axis;
  }
  return axes;
}

}  // namespace fewbits::ops
