// prepare() of 8-bit activation functions: tables.
#include <cmath>

#include "kernels/lut.h"
#include "ops/activation/op.h"
#include "ops/activation/ref.h"
#include "ops/byte_table.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class T, class F>
void fill_of_reals(ByteTable& table, const OpContext& context, const F& f) {
  fill_table_of_reals<T>(table, context.inputs[0].scale(), context.inputs[0].zero_point(), context.outputs[0].scale(),
                         context.outputs[0].zero_point(), f);
}

template <class T>
Status fill(ByteTable& table, const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  const RescaleArgs args{input.zero_point(), output.zero_point(), type_range(output.dtype)};
  switch (context.node->op) {
    case Op::LOGISTIC:
      fill_of_reals<T>(table, context, [](float x) { return 1.0f / (1.0f + std::exp(-x)); });
      return {};
    case Op::TANH: fill_of_reals<T>(table, context, [](float x) { return std::tanh(x); }); return {};
    case Op::GELU:
      fill_of_reals<T>(table, context, gelu_is_approximate(*context.node) ? gelu_approximate : gelu_exact);
      return {};
    case Op::ELU: fill_of_reals<T>(table, context, [](float x) { return x < 0 ? std::expm1(x) : x; }); return {};
    case Op::LEAKY_RELU: {
      fill_table<T>(table, QuantizedLeakyRelu(args, input.scale(), leaky_relu_alpha(*context.node), output.scale()));
      return {};
    }
    case Op::HARD_SWISH: {
      const QuantizedHardSwish hard_swish(args, input.scale(), output.scale());
      if (hard_swish.output_exponent > 0) {
        return context.fail(ErrorCode::kUnsupported, "the output's scale {} is below 1/128 of the input's, {}",
                            output.scale(), input.scale());
      }
      fill_table<T>(table, hard_swish);
      return {};
    }
    default: break;
  }
  const ReluRange real = relu_range(context.node->op);
  RescaleArgs clamped = args;
  const auto limit = [&](float value) {
    const float q = std::round(value / output.scale());
    return output.zero_point() + static_cast<int32_t>(std::clamp(q, -1e6f, 1e6f));
  };
  clamped.clamp.lo = std::max(args.clamp.lo, limit(real.lo));
  clamped.clamp.hi = std::min(args.clamp.hi, limit(real.hi));
  fill_table<T>(table,
                QuantizedRelu{clamped, quantize_multiplier(static_cast<double>(input.scale() / output.scale()))});
  return {};
}

}  // namespace

Result<Prepared> prepare_activation_8bit(const OpContext& context) {
  ByteTable table{};
  FB_TRY(context.inputs[0].dtype == DType::kInt8 ? fill<int8_t>(table, context) : fill<uint8_t>(table, context));
  return byte_table_kernel(table, context.outputs[0].count(), "table of 256");
}

}  // namespace fewbits::ops
