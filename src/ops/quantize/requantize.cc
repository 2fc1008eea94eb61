// prepare() of QUANTIZE between integers.
#include <algorithm>
#include <limits>

#include "kernels/broadcast.h"
#include "kernels/fixed_point.h"
#include "kernels/lut.h"
#include "ops/byte_table.h"
#include "ops/quantize/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class Out>
struct Requantize {
  int32_t in_zero = 0, out_zero = 0;
  FixedMultiplier multiplier;
  Out operator()(int32_t q) const noexcept {
    const auto difference = static_cast<int32_t>(static_cast<uint32_t>(q) - static_cast<uint32_t>(in_zero));
    const int64_t value = int64_t{multiply_by_quantized_multiplier(difference, multiplier)} + out_zero;
    return static_cast<Out>(
        std::clamp<int64_t>(value, std::numeric_limits<Out>::min(), std::numeric_limits<Out>::max()));
  }
};

template <class In, class Out>
Prepared requantize_kernel(const Requantize<Out>& requantize, size_t count) {
  if constexpr (sizeof(In) == 1 && sizeof(Out) == 1) {
    ByteTable table{};
    for (int32_t q = std::numeric_limits<In>::min(); q <= std::numeric_limits<In>::max(); ++q) {
      table[static_cast<uint8_t>(q)] = static_cast<uint8_t>(requantize(q));
    }
    return byte_table_kernel(table, count, "requantize table of 256");
  } else {
    return make_kernel(
        [requantize, count](const RunArgs& args) noexcept {
          map_elements(in<In>(args, 0), out<Out>(args), count, args.pool, kCheapGrain, requantize);
        },
        "requantize");
  }
}

template <class In>
Result<Prepared> choose_output(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  const auto of = [&]<class Out>(Out) {
    const Requantize<Out> requantize{
        input.zero_point(), output.zero_point(),
        quantize_multiplier(static_cast<double>(input.scale()) / static_cast<double>(output.scale()))};
    return requantize_kernel<In>(requantize, output.count());
  };
  switch (output.dtype) {
    case DType::kInt8: return of(int8_t());
    case DType::kUInt8: return of(uint8_t());
    case DType::kInt16: return of(int16_t());
    case DType::kInt32: return of(int32_t());
    default: return unsupported_types(context);
  }
}

}  // namespace

Result<Prepared> prepare_requantize(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the input",
                      {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16, DType::kInt32}));
  FB_TRY(require_per_tensor(context, context.inputs[0], "the input"));
  FB_TRY(require_per_tensor(context, context.outputs[0], "the output"));
  switch (context.inputs[0].dtype) {
    case DType::kInt8: return choose_output<int8_t>(context);
    case DType::kUInt8: return choose_output<uint8_t>(context);
    case DType::kInt16: return choose_output<int16_t>(context);
    default: return choose_output<int32_t>(context);
  }
}

}  // namespace fewbits::ops
