// LSTM's basic kernel: one matrix for all gates over the input joined with the previous activation. Float, and uint8
// with an int16 state.
#include <algorithm>
#include <cstring>

#include "kernels/fixed_point.h"
#include "kernels/float_math.h"
#include "ops/rnn/dense.h"
#include "ops/rnn/math.h"
#include "ops/rnn/op.h"
#include "ops/rnn/options.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

using namespace rnn;  // NOLINT: this file is part of that namespace's front

enum Operand : size_t { kInput, kActivation, kWeights, kBias, kState };
enum Output : size_t { kNewActivation, kNewState, kJoined, kGatesOut };
// The order of the gates in the weights.
enum BasicGate : size_t { kIn, kUpdate, kForget, kOut };

struct BasicLstm {
  size_t batch = 0, input = 0, depth = 0;
  bool keep_activation = false, keep_state = false;  // the previous values are variables: store the new ones there

  template <class T>
  void join(const RunArgs& args) const noexcept {
    T* joined = out<T>(args, kJoined);
    for (size_t b = 0; b < batch; ++b) {
      joined = std::copy_n(in<T>(args, kInput) + b * input, input, joined);
      joined = std::copy_n(in<T>(args, kActivation) + b * depth, depth, joined);
    }
  }
  template <class Activation, class State>
  void keep(const RunArgs& args) const noexcept {
    if (keep_activation) {
      std::memcpy(args.in[kActivation], args.out[kNewActivation], batch * depth * sizeof(Activation));
    }
    if (keep_state) std::memcpy(args.in[kState], args.out[kNewState], batch * depth * sizeof(State));
  }
};

void run_float(const BasicLstm& lstm, const Dense& product, const RunArgs& args) noexcept {
  if (lstm.batch == 0) return;
  product.begin_run(args);
  lstm.join<float>(args);
  const size_t width = 4 * lstm.depth, joined = lstm.input + lstm.depth;
  float* gates = out<float>(args, kGatesOut);
  product.run(args, out<float>(args, kJoined), joined, lstm.batch, gates, width);
  for (size_t b = 0; b < lstm.batch; ++b) {
    float* row = gates + b * width;
    for (size_t i = 0; i < width; ++i) row[i] += in<float>(args, kBias)[i];
    for (size_t i = 0; i < lstm.depth; ++i) {
      const size_t at = b * lstm.depth + i;
      const float input = logistic_f32(row[kIn * lstm.depth + i]);
      const float update = tanh_as_eigen(row[kUpdate * lstm.depth + i]);
      const float forget = logistic_f32(row[kForget * lstm.depth + i]);
      const float state = input * update + forget * in<float>(args, kState)[at];
      out<float>(args, kNewState)[at] = state;
      out<float>(args, kNewActivation)[at] = logistic_f32(row[kOut * lstm.depth + i]) * tanh_as_eigen(state);
    }
  }
  lstm.keep<float, float>(args);
}

struct BasicQuantized {
  FixedMultiplier multiplier;  // of accumulators, to Q3.12
  int32_t weights_zero_point = 0;
};

// x * m, halves of the final shift rounded up: LiteRT computes these products with ruy, which rounds so.
int32_t scale_as_ruy(int32_t x, FixedMultiplier m) noexcept {
  const int32_t high = multiply_by_quantized_multiplier(x, {m.value, m.shift > 0 ? m.shift : 0});
  const int right = m.shift < 0 ? -m.shift : 0;
  return right == 0 ? high : static_cast<int32_t>((int64_t{high} + (int64_t{1} << (right - 1))) >> right);
}

void run_quantized(const BasicLstm& lstm, const BasicQuantized& quantized, const RunArgs& args) noexcept {
  using Q0 = FixedPoint<int16_t, 0>;
  using Q3 = FixedPoint<int16_t, 3>;
  using Q4 = FixedPoint<int16_t, 4>;
  lstm.join<uint8_t>(args);
  const size_t joined = lstm.input + lstm.depth, width = 4 * lstm.depth;
  for (size_t b = 0; b < lstm.batch; ++b) {
    const uint8_t* x = out<uint8_t>(args, kJoined) + b * joined;
    int16_t* gates = out<int16_t>(args, kGatesOut) + b * width;
    for (size_t r = 0; r < width; ++r) {
      const uint8_t* w = in<uint8_t>(args, kWeights) + r * joined;
      uint32_t acc = static_cast<uint32_t>(in<int32_t>(args, kBias)[r]);
      for (size_t c = 0; c < joined; ++c) {
        acc += static_cast<uint32_t>((int32_t{x[c]} - 128) * (int32_t{w[c]} - quantized.weights_zero_point));
      }
      const int32_t value = scale_as_ruy(static_cast<int32_t>(acc), quantized.multiplier);
      gates[r] = static_cast<int16_t>(std::clamp(value, -32768, 32767));
    }
    for (size_t i = 0; i < lstm.depth; ++i) {
      const size_t at = b * lstm.depth + i;
      const Q0 input = logistic(Q3{gates[kIn * lstm.depth + i]});
      const Q0 update = tanh(Q3{gates[kUpdate * lstm.depth + i]});
      const Q0 forget = logistic(Q3{gates[kForget * lstm.depth + i]});
      const Q0 output = logistic(Q3{gates[kOut * lstm.depth + i]});
      const Q4 added = rescale<4>(input * update);
      const Q4 kept = forget * Q4{in<int16_t>(args, kState)[at]};
      const Q4 state{static_cast<int16_t>(std::clamp(int32_t{added.raw} + kept.raw, -32768, 32767))};
      out<int16_t>(args, kNewState)[at] = state.raw;
      const int32_t activation = rounding_divide_by_pot<int16_t>((output * tanh(state)).raw, 8);
      out<uint8_t>(args, kNewActivation)[at] = static_cast<uint8_t>(128 + std::clamp(activation, -128, 127));
    }
  }
  lstm.keep<uint8_t, int16_t>(args);
}

Status check_shapes(const OpContext& context, BasicLstm& lstm) {
  if (context.inputs.size() != 5 || context.outputs.size() != 4) {
    return context.fail(ErrorCode::kInvalidModel, "the basic kernel has 5 operands and 4 outputs, not {} and {}",
                        context.inputs.size(), context.outputs.size());
  }
  for (size_t i = 0; i < 5; ++i) {
    if (!context.has_input(i)) return context.fail(ErrorCode::kInvalidModel, "operand {} is missing", i);
  }
  const TensorInfo& input = context.inputs[kInput];
  const TensorInfo& activation = context.inputs[kActivation];
  if (input.rank() != 2 || activation.rank() != 2) {
    return context.fail(ErrorCode::kInvalidModel, "the input and the activation must have two dimensions");
  }
  lstm.batch = static_cast<size_t>(input.dim(0));
  lstm.input = static_cast<size_t>(input.dim(1));
  lstm.depth = static_cast<size_t>(activation.dim(1));
  const int32_t batch = input.dim(0), depth = activation.dim(1);
  const int64_t gates = int64_t{4} * depth, joined = int64_t{input.dim(1)} + depth;
  const TensorInfo& weights = context.inputs[kWeights];
  const TensorInfo& bias = context.inputs[kBias];
  if (depth == 0 || joined == 0 || activation.dim(0) != batch || weights.rank() != 2 || weights.dim(0) != gates ||
      weights.dim(1) != joined || bias.rank() != 1 || bias.dim(0) != gates ||
      context.inputs[kState].shape != activation.shape) {
    return context.fail(ErrorCode::kInvalidModel, "the shapes {}, {}, {}, {}, {} do not fit together",
                        shape_text(input.shape), shape_text(activation.shape), shape_text(weights.shape),
                        shape_text(bias.shape), shape_text(context.inputs[kState].shape));
  }
  lstm.keep_activation = context.inputs[kActivation].is_variable;
  lstm.keep_state = context.inputs[kState].is_variable;
  return {};
}

}  // namespace

Result<Prepared> prepare_lstm_basic(const OpContext& context) {
  BasicLstm lstm;
  FB_TRY(check_shapes(context, lstm));
  const auto types_are = [&](std::initializer_list<DType> types) {
    auto type = types.begin();
    for (const TensorInfo& input : context.inputs) {
      if (input.dtype != *type++) return false;
    }
    for (const TensorInfo& output : context.outputs) {
      if (output.dtype != *type++) return false;
    }
    return true;
  };
  constexpr DType f = DType::kFloat32, u8 = DType::kUInt8, i16 = DType::kInt16;
  if (types_are({f, f, f, f, f, f, f, f, f})) {
    Workspace workspace;
    Dense product(context, {kWeights}, 4 * lstm.depth, lstm.input + lstm.depth, lstm.batch, false, workspace);
    std::string choice = fmt::format("lstm basic float {}", product.kernel_name());
    return make_kernel(
        [lstm, product = std::move(product)](const RunArgs& args) noexcept { run_float(lstm, product, args); },
        std::move(choice), workspace.size());
  }
  if (!types_are({u8, u8, u8, DType::kInt32, i16, u8, i16, u8, i16})) return unsupported_types(context);
  FB_TRY(require_per_tensor(context, context.inputs[kWeights], "the weights"));
  FB_TRY(require_per_tensor(context, context.inputs[kBias], "the bias"));
  FB_TRY(require_per_tensor(context, context.outputs[kNewState], "the state"));
  if (context.outputs[kNewState].scale() != 1.0f / 2048) {
    return context.fail(ErrorCode::kUnsupported, "the state's scale is {} instead of 2^-11",
                        context.outputs[kNewState].scale());
  }
  const BasicQuantized quantized = {quantize_multiplier(4096.0 * context.inputs[kBias].scale()),
                                    context.inputs[kWeights].zero_point()};
  return make_kernel([lstm, quantized](const RunArgs& args) noexcept { run_quantized(lstm, quantized, args); },
                     "lstm basic uint8");
}

}  // namespace fewbits::ops
