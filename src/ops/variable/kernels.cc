// prepare() of variables.
#include "ops/support.h"
#include "ops/variable/op.h"
#include "ops/variable/resource.h"
#include "schema/tflite.h"

namespace fewbits::ops {

Result<Prepared> prepare_var_handle(const OpContext& context) {
  FB_TRY(require_type(context, context.outputs[0], "the handle", {DType::kResource}));
  const auto* options = context.node->options->AsVarHandleOptions();
  std::string key = options == nullptr ? "/" : options->container + "/" + options->shared_name;
  return make_dynamic_kernel([key = std::move(key)](DynamicArgs& args) { return write_resource_key(args, {}, key); },
                             "handle");
}

Result<Prepared> prepare_read_variable(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the handle", {DType::kResource}));
  return make_dynamic_kernel(
      [dtype = context.outputs[0].dtype](DynamicArgs& args) -> Status {
        const std::string key = resource_key(args.inputs()[0]);
        const auto found = args.resources().variables.find(key);
        if (found == args.resources().variables.end()) {
          return fail(ErrorCode::kInvalidModel, "variable '{}' is read before anything was assigned to it", key);
        }
        const OwnedTensor& variable = found->second;
        if (variable.dtype != dtype) {
          return fail(ErrorCode::kInvalidModel, "variable '{}' holds {}, not {}", key, dtype_name(variable.dtype),
                      dtype_name(dtype));
        }
        return copy_to_output(args, 0, variable.view());
      },
      "read");
}

Result<Prepared> prepare_assign_variable(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the handle", {DType::kResource}));
  if (!context.has_input(1)) return context.fail(ErrorCode::kInvalidModel, "there is no value to assign");
  return make_dynamic_kernel(
      [](DynamicArgs& args) -> Status {
        const TensorView& value = args.inputs()[1];
        OwnedTensor& variable = args.resources().variables[resource_key(args.inputs()[0])];
        variable.dtype = value.dtype;
        variable.shape = value.shape;
        const auto* bytes = static_cast<const std::byte*>(value.data);
        variable.bytes.assign(bytes, bytes + value.bytes);
        return {};
      },
      "assign");
}

}  // namespace fewbits::ops
