// prepare() of PRELU.
#include "kernels/broadcast.h"
#include "ops/activation/op.h"
#include "ops/activation/ref.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class T, class Slope>
Prepared quantized_kernel(const Broadcast<2>& plan, const QuantizedPrelu& prelu, const char* choice) {
  return make_kernel(
      [plan, prelu](const RunArgs& args) noexcept {
        map_broadcast(plan, in<T>(args, 0), in<Slope>(args, 1), out<T>(args), args.pool, kCheapGrain,
                      [&prelu](T x, Slope a) noexcept { return static_cast<T>(prelu(x, a)); });
      },
      choice);
}

}  // namespace

Result<Prepared> prepare_prelu(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &slope = context.inputs[1], &output = context.outputs[0];
  if (input.dtype != output.dtype) return unsupported_types(context);
  const auto plan = plan_broadcast<2>({input.shape, slope.shape}, output.shape);
  if (!plan) return context.fail(ErrorCode::kUnsupported, "too many dimensions broadcast");
  if (input.dtype == DType::kFloat32 && slope.dtype == DType::kFloat32) {
    return make_kernel(
        [plan = *plan](const RunArgs& args) noexcept {
          map_broadcast(plan, in<float>(args, 0), in<float>(args, 1), out<float>(args), args.pool, kCheapGrain,
                        [](float x, float a) noexcept { return x >= 0 ? x : x * a; });
        },
        "prelu_f32");
  }
  FB_TRY(require_type(context, input, "the input", {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16}));
  FB_TRY(require_per_tensor(context, input, "the input"));
  FB_TRY(require_per_tensor(context, slope, "the slope"));
  FB_TRY(require_per_tensor(context, output, "the output"));
  QuantizedPrelu prelu{{input.zero_point(), output.zero_point(), type_range(output.dtype)}, slope.zero_point()};
  prelu.identity = quantize_multiplier(static_cast<double>(input.scale() / output.scale()));
  prelu.product = quantize_multiplier(static_cast<double>(input.scale() * slope.scale() / output.scale()));
  if (input.dtype == DType::kInt8 && slope.dtype == DType::kInt8)
    return quantized_kernel<int8_t, int8_t>(*plan, prelu, "prelu_s8");
  if (input.dtype == DType::kUInt8 && slope.dtype == DType::kUInt8)
    return quantized_kernel<uint8_t, uint8_t>(*plan, prelu, "prelu_u8");
  if (input.dtype != DType::kInt16 || (slope.dtype != DType::kInt8 && slope.dtype != DType::kInt16))
    return unsupported_types(context);
  if (input.zero_point() != 0 || output.zero_point() != 0 ||
      (slope.dtype == DType::kInt16 && slope.zero_point() != 0)) {
    return context.fail(ErrorCode::kUnsupported, "int16 tensors must have the zero point 0");
  }
  return slope.dtype == DType::kInt8 ? quantized_kernel<int16_t, int8_t>(*plan, prelu, "prelu_s16s8")
                                     : quantized_kernel<int16_t, int16_t>(*plan, prelu, "prelu_s16");
}

}  // namespace fewbits::ops
