// prepare() of int16 activation functions.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "kernels/broadcast.h"
#include "kernels/lut.h"
#include "ops/activation/op.h"
#include "ops/activation/ref.h"
#include "ops/activation/sigmoid_table.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class F>
Prepared kernel(const OpContext& context, const F& f, const char* choice) {
  return make_kernel(
      [f, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        map_elements(in<int16_t>(args, 0), out<int16_t>(args), count, args.pool, kCheapGrain,
                     [&f](int16_t x) noexcept { return static_cast<int16_t>(f(x)); });
      },
      choice);
}

// x * multiplier / 2^shift, rounded: an input as an argument of the sigmoid table, 1 / 12288 = 1 / (3 * 4096) a unit.
struct TableArgument {
  int32_t multiplier = 0;
  int shift = 0;

  // A scale of 2^-12 (or up to 2^(most_shift - 12)) is exact.
  TableArgument(float scale, int most_shift) {
    const float exponent = std::log(scale) * (1.0f / std::log(2.0f));
    const float rounded = std::round(exponent);
    const int power = 12 + static_cast<int>(rounded);
    if (std::abs(exponent - rounded) < 1e-3f && power >= 0 && power <= most_shift) {
      multiplier = 3 << power;
      return;
    }
    double real = static_cast<double>(scale) * 4096.0 * 3.0;
    for (; real <= 32767.0 / 2.0 && shift <= 30; ++shift) real *= 2.0;
    multiplier = static_cast<int32_t>(std::min(real, 65535.0));  // beyond it every input saturates anyway
  }
  int32_t of(int16_t q) const noexcept {
    const int32_t round = shift > 0 ? 1 << (shift - 1) : 0;
    return static_cast<int32_t>((int64_t{q} * multiplier + round) >> shift);
  }
};

struct Logistic16 {
  TableArgument argument;
  int32_t operator()(int16_t q) const noexcept {
    const int32_t x = argument.of(q);
    const auto magnitude = static_cast<uint32_t>(std::abs(x));
    const uint32_t index = magnitude >> 9;
    uint32_t result = 0x7fffu << 10;
    if (index < 255) {
      const uint32_t below = kSigmoidTable[index], above = kSigmoidTable[index + 1];
      result = (below << 9) + (magnitude & 0x1ff) * (above - below);
    }
    result = x >= 0 ? result + (1u << 9) : (1u << 25) - result + (1u << 9) - 1;
    return static_cast<int16_t>(result >> 10);
  }
};

// 2 * logistic(2x) - 1.
struct Tanh16 {
  TableArgument argument;
  int32_t operator()(int16_t q) const noexcept {
    const int32_t x = argument.of(q);
    const auto magnitude = static_cast<uint32_t>(std::abs(x));
    const uint32_t index = magnitude >> 8;
    int32_t result = 0xffff << 8;
    if (index < 255) {
      const uint32_t below = kSigmoidTable[index], above = kSigmoidTable[index + 1];
      result = static_cast<int32_t>((below << 8) + (magnitude & 0xff) * (above - below));
    }
    result = x >= 0 ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1;
    return static_cast<int16_t>(result >> 8);
  }
};

Status require_symmetric(const OpContext& context) {
  if (context.inputs[0].zero_point() == 0 && context.outputs[0].zero_point() == 0) return {};
  return context.fail(ErrorCode::kUnsupported, "an int16 tensor must have the zero point 0");
}

Status require_unit_output(const OpContext& context) {
  const float scale = context.outputs[0].scale();
  if (std::abs(scale * 32768.0f - 1.0f) < 1e-3f) return {};
  return context.fail(ErrorCode::kUnsupported, "the output's scale must be 1/32768, not {}", scale);
}

QuantizedRelu relu(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  const ReluRange real = relu_range(context.node->op);
  const auto limit = [&](float value) {
    return static_cast<int32_t>(std::clamp(std::round(value / output.scale()), -1e6f, 1e6f));
  };
  const IntRange clamp{std::max(-32768, limit(real.lo)), std::min(32767, limit(real.hi))};
  return {{0, 0, clamp}, quantize_multiplier(static_cast<double>(input.scale() / output.scale()))};
}

}  // namespace

Result<Prepared> prepare_activation_int16(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  FB_TRY(require_symmetric(context));
  switch (context.node->op) {
    case Op::LOGISTIC:
      FB_TRY(require_unit_output(context));
      return kernel(context, Logistic16{TableArgument(input.scale(), 0)}, "logistic_s16");
    case Op::TANH:
      FB_TRY(require_unit_output(context));
      return kernel(context, Tanh16{TableArgument(input.scale(), 1)}, "tanh_s16");
    case Op::GELU: {
      WordTable table{};
      const auto function = gelu_is_approximate(*context.node) ? gelu_approximate : gelu_exact;
      fill_word_table<float>(table, input.scale(), 0, output.scale(), 0, function);
      return kernel(context, [table](int16_t x) noexcept { return look_up(table, x); }, "gelu_s16 table of 513");
    }
    case Op::LEAKY_RELU:
      return kernel(context,
                    QuantizedLeakyRelu({0, 0, type_range(DType::kInt16)}, input.scale(),
                                       leaky_relu_alpha(*context.node), output.scale()),
                    "leaky_relu_s16");
    case Op::RELU:
    case Op::RELU6:
    case Op::RELU_N1_TO_1:
    case Op::RELU_0_TO_1: return kernel(context, relu(context), "relu_s16");
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
