// prepare() of the shape family.
#include <cstring>

#include "ops/shape/op.h"
#include "ops/support.h"

namespace fewbits::ops {

Result<Prepared> prepare_view(const OpContext& context) {
  const auto bytes = byte_size(context.inputs[0].dtype, context.inputs[0].shape);
  if (!bytes || context.inputs[0].dtype != context.outputs[0].dtype) return unsupported_types(context);
  return make_kernel(
      [size = *bytes](const RunArgs& args) noexcept {
        // The planner lets both live at one place where it can; then nothing is left to do.
        if (args.in[0] != args.out[0] && size > 0) std::memcpy(args.out[0], args.in[0], size);
      },
      "view");
}

Result<Prepared> prepare_shape(const OpContext& context) {
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt32, DType::kInt64}));
  return make_kernel(
      [shape = context.inputs[0].shape,
       wide = context.outputs[0].dtype == DType::kInt64](const RunArgs& args) noexcept {
        for (size_t i = 0; i < shape.size(); ++i) {
          if (wide) {
            out<int64_t>(args)[i] = shape[i];
          } else {
            out<int32_t>(args)[i] = shape[i];
          }
        }
      },
      "shape");
}

Result<Prepared> prepare_rank(const OpContext& context) {
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt32}));
  return make_kernel([rank = context.inputs[0].rank()](const RunArgs& args) noexcept { *out<int32_t>(args) = rank; },
                     "rank");
}

Result<Prepared> prepare_zeros_like(const OpContext& context) {
  const auto bytes = byte_size(context.outputs[0].dtype, context.outputs[0].shape);
  if (!bytes) return unsupported_types(context);
  return make_kernel(
      [size = *bytes](const RunArgs& args) noexcept {
        if (size > 0) std::memset(args.out[0], 0, size);
      },
      "zeros");
}

}  // namespace fewbits::ops
