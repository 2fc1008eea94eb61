// prepare() of activation functions: the choice by type, and float32.
#include <cmath>
#include <limits>

#include "kernels/broadcast.h"
#include "ops/activation/op.h"
#include "ops/activation/ref.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

template <class F>
Prepared kernel(const OpContext& context, const F& f, const char* choice, size_t grain = kCheapGrain) {
  return make_kernel(
      [f, grain, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        map_elements(in<float>(args, 0), out<float>(args), count, args.pool, grain, f);
      },
      choice);
}

Result<Prepared> prepare_float(const OpContext& context) {
  switch (context.node->op) {
    case Op::LEAKY_RELU:
      return kernel(
          context, [alpha = leaky_relu_alpha(*context.node)](float x) noexcept { return x > 0 ? x : x * alpha; },
          "leaky_relu_f32");
    case Op::ELU:
      return kernel(
          context, [](float x) noexcept { return x < 0 ? std::expm1(x) : x; }, "elu_f32", kCostlyGrain);
    case Op::GELU:
      if (!gelu_is_approximate(*context.node)) return kernel(context, gelu_exact, "gelu_f32", kCostlyGrain);
      return kernel(
          context,
          [](float x) noexcept { return 0.5f * x * (1.0f + tanh_f32(kSqrtTwoOverPi * (x + 0.044715f * x * x * x))); },
          "gelu_f32 approximate", kCostlyGrain);
    case Op::HARD_SWISH:
      return kernel(
          context,
          [](float x) noexcept {
            const float y = x + 3.0f;
            const float above = y < 0.0f ? 0.0f : y;
            return x * (above > 6.0f ? 6.0f : above) / 6.0f;
          },
          "hard_swish_f32");
    case Op::LOGISTIC:
      return kernel(
          context, [](float x) noexcept { return logistic_f32(x); }, "logistic_f32", kCostlyGrain);
    case Op::TANH:
      return kernel(
          context, [](float x) noexcept { return tanh_f32(x); }, "tanh_f32", kCostlyGrain);
    case Op::RELU:
      return kernel(
          context, [](float x) noexcept { return x < 0.0f ? 0.0f : x; }, "relu_f32");
    default:
      break;
  }
  return kernel(
      context,
      [range = relu_range(context.node->op)](float x) noexcept {
        const float above = x < range.lo ? range.lo : x;
        return above > range.hi ? range.hi : above;
      },
      "clamp_f32");
}

}  // namespace

ReluRange relu_range(Op op) noexcept {
  switch (op) {
    case Op::RELU6:
      return {0.0f, 6.0f};
    case Op::RELU_N1_TO_1:
      return {-1.0f, 1.0f};
    case Op::RELU_0_TO_1:
      return {0.0f, 1.0f};
    default:
      return {0.0f, std::numeric_limits<float>::infinity()};
  }
}

float leaky_relu_alpha(const Node& node) noexcept {
  const auto* options = node.options->AsLeakyReluOptions();
  return options == nullptr ? 0.0f : options->alpha;
}

bool gelu_is_approximate(const Node& node) noexcept {
  const auto* options = node.options->AsGeluOptions();
  return options != nullptr && options->approximate;
}

Result<Prepared> prepare_activation(const OpContext& context) {
  if (context.inputs[0].dtype != context.outputs[0].dtype) return unsupported_types(context);
  if (context.inputs[0].dtype == DType::kFloat32) return prepare_float(context);
  FB_TRY(require_type(context, context.inputs[0], "the input",
                      {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16}));
  FB_TRY(require_per_tensor(context, context.inputs[0], "the input"));
  FB_TRY(require_per_tensor(context, context.outputs[0], "the output"));
  return context.inputs[0].dtype == DType::kInt16 ? prepare_activation_int16(context)
                                                  : prepare_activation_8bit(context);
}

}  // namespace fewbits::ops
