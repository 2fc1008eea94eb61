// prepare() of DENSIFY.
#include <cstring>

#include "ops/sparse/op.h"
#include "ops/sparse_constant.h"
#include "ops/support.h"

namespace fewbits::ops {

Result<Prepared> prepare_densify(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  FB_TRY(require_type(context, input, "the input", {DType::kFloat32, DType::kFloat16, DType::kInt8}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {input.dtype}));
  if (!input.is_const || input.value->sparsity == nullptr) {
    return context.fail(ErrorCode::kInvalidModel, "'{}' is not a sparse constant", input.value->name);
  }
  FB_ASSIGN(std::vector<std::byte> dense, densify(context, input, dtype_bits(input.dtype) / 8));
  return make_kernel(
      [dense = std::move(dense)](const RunArgs& args) noexcept {
        if (!dense.empty()) std::memcpy(args.out[0], dense.data(), dense.size());
      },
      "densify");
}

}  // namespace fewbits::ops
