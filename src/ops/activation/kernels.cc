// prepare() of activation functions: the choice by type, and float32.
#include <cmath>
#include <limits>

#include "kernels/broadcast.h"
#include "kernels/float_rows.h"
#include "ops/activation/op.h"
#include "ops/activation/ref.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

template <class F>
Prepared kernel(const OpContext& context, F f, const char* choice) {
  return make_kernel(
      [f, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        map_elements(in<float>(args, 0), out<float>(args), count, args.pool, kCheapGrain, f);
      },
      choice);
}

// A function that has rows for every ISA.
Prepared row_kernel(const OpContext& context, FloatRows::Row row, const char* name) {
  return make_kernel(
      [row, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        parallel_for(args.pool, count, kCostlyGrain, [&](size_t begin, size_t end) {
          row(in<float>(args, 0) + begin, out<float>(args) + begin, end - begin);
        });
      },
      std::string(name) + " rows " + select_float_rows(isa()).name);
}

Result<Prepared> prepare_float(const OpContext& context) {
  const FloatRows& rows = select_float_rows(isa());
  switch (context.node->op) {
    case Op::LEAKY_RELU:
      return kernel(
          context, [alpha = leaky_relu_alpha(*context.node)](float x) noexcept { return x > 0 ? x : x * alpha; },
          "leaky_relu_f32");
    case Op::ELU: return row_kernel(context, rows.elu, "elu_f32");
    case Op::GELU:
      return gelu_is_approximate(*context.node) ? row_kernel(context, rows.gelu_approximate, "gelu_f32 approximate")
                                                : row_kernel(context, rows.gelu, "gelu_f32");
    case Op::HARD_SWISH:
      return kernel(
          context,
          [](float x) noexcept {
            const float y = x + 3.0f;
            const float above = y < 0.0f ? 0.0f : y;
            return x * (above > 6.0f ? 6.0f : above) / 6.0f;
          },
          "hard_swish_f32");
    case Op::LOGISTIC: return row_kernel(context, rows.logistic, "logistic_f32");
    case Op::TANH: return row_kernel(context, rows.tanh, "tanh_f32");
    case Op::RELU: return kernel(context, [](float x) noexcept { return x < 0.0f ? 0.0f : x; }, "relu_f32");
    default: break;
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
    case Op::RELU6: return {0.0f, 6.0f};
    case Op::RELU_N1_TO_1: return {-1.0f, 1.0f};
    case Op::RELU_0_TO_1: return {0.0f, 1.0f};
    default: return {0.0f, std::numeric_limits<float>::infinity()};
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
