// The integer LSTM, "8x8 to 16": int8 operands, int16 gates and cell state. The specification of its arithmetic.
#include <algorithm>
#include <cmath>

#include "ops/rnn/lstm.h"
#include "ops/support.h"

namespace fewbits::ops::rnn {
namespace {

int16_t saturate16(int32_t x) noexcept { return static_cast<int16_t>(std::clamp(x, -32768, 32767)); }
int8_t saturate8(int32_t x) noexcept { return static_cast<int8_t>(std::clamp(x, -128, 127)); }

// x + y where a malicious model may overflow: wraps.
int32_t wrapping_add(int32_t x, int32_t y) noexcept {
  return static_cast<int32_t>(static_cast<uint32_t>(x) + static_cast<uint32_t>(y));
}

// x = (x - mean) / deviation * weights + bias, in Q3.12. The deviation has 10 extra bits; the bias 10 more than
// weights.
void layer_norm(int16_t* x, size_t n, const int16_t* weights, const int32_t* bias, FixedMultiplier scale,
                int32_t variance_guard) noexcept {
  constexpr int64_t kTwoTo20 = 1 << 20;
  int64_t sum = 0, squares = 0;
  for (size_t i = 0; i < n; ++i) {
    sum += x[i];
    squares += int32_t{x[i]} * x[i];
  }
  const auto count = static_cast<int64_t>(n);
  const auto mean = static_cast<int32_t>(sum * 1024 / count);
  const int64_t variance = squares * (kTwoTo20 / count) - int64_t{mean} * mean;
  auto variance_units = static_cast<int32_t>(variance / kTwoTo20);
  if (variance_units < 1) variance_units = variance_guard;
  const FixedMultiplier inverse_deviation = inverse_sqrt_multiplier(variance_units);
  const FixedMultiplier to_q12 = {scale.value, scale.shift + 12};
  for (size_t i = 0; i < n; ++i) {
    const int32_t rescaled = multiply_by_quantized_multiplier(1024 * int32_t{x[i]} - mean, inverse_deviation);
    const int32_t weighted = wrapping_add(
        static_cast<int32_t>(static_cast<uint32_t>(rescaled) * static_cast<uint32_t>(int32_t{weights[i]})), bias[i]);
    const auto shifted = static_cast<int32_t>((int64_t{weighted} + (weighted > 0 ? 512 : -512)) / 1024);
    x[i] = saturate16(multiply_by_quantized_multiplier(shifted, to_q12));
  }
}

template <int kIntegerBits>
void apply_tanh(const int16_t* x, int16_t* y, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) y[i] = tanh(FixedPoint<int16_t, kIntegerBits>{x[i]}).raw;
}

// tanh of numbers with integer_bits in [0, 6] to Q0.15.
void apply_tanh(int integer_bits, const int16_t* x, int16_t* y, size_t n) noexcept {
  switch (integer_bits) {
    case 0: return apply_tanh<0>(x, y, n);
    case 1: return apply_tanh<1>(x, y, n);
    case 2: return apply_tanh<2>(x, y, n);
    case 3: return apply_tanh<3>(x, y, n);
    case 4: return apply_tanh<4>(x, y, n);
    case 5: return apply_tanh<5>(x, y, n);
    default: return apply_tanh<6>(x, y, n);
  }
}

int16_t multiply_and_shift(int16_t a, int16_t b, int shift) noexcept {
  return static_cast<int16_t>(rounding_divide_by_pot(int32_t{a} * b, shift));
}

// Scales are multiplied in float32, in this order, as LiteRT does: the last bit of a multiplier depends on it.
FixedMultiplier product_multiplier(float weights, float rows, float gate) {
  return quantize_multiplier(static_cast<double>(weights * rows / gate));
}

}  // namespace

Result<IntegerLstmParams> integer_lstm_params(const OpContext& context, const LstmCell& cell) {
  const auto input_info = [&](int operand) -> const TensorInfo& {
    return context.inputs[static_cast<size_t>(operand)];
  };
  if (context.intermediates.size() != 5) {
    return context.fail(ErrorCode::kUnsupported, "the integer form needs 5 intermediate tensors, not {}",
                        context.intermediates.size());
  }
  if (cell.peephole && cell.output > cell.cell) {
    return context.fail(ErrorCode::kUnsupported,
                        "the integer form has no peepholes with more outputs ({}) than cells ({})", cell.output,
                        cell.cell);
  }
  const TensorInfo& input = input_info(cell.operands.input);
  const TensorInfo& state = input_info(cell.operands.state);
  const TensorInfo& cell_state = input_info(cell.operands.cell_state);
  FB_TRY(require_per_tensor(context, input, "the input"));
  FB_TRY(require_per_tensor(context, context.outputs[0], "the output"));
  IntegerLstmParams params;
  const double exponent = std::log2(static_cast<double>(cell_state.scale()));
  params.cell_exponent = static_cast<int>(std::lround(exponent));
  if (std::abs(exponent - params.cell_exponent) > 1e-3 || params.cell_exponent > -9 || params.cell_exponent < -15) {
    return context.fail(ErrorCode::kUnsupported, "the cell state's scale {} is not a power of two from 2^-15 to 2^-9",
                        cell_state.scale());
  }
  params.input_zero_point = input.zero_point();
  params.state_zero_point = state.zero_point();

  const TensorInfo& hidden = context.intermediates[4];
  if (!hidden.present) return context.fail(ErrorCode::kInvalidModel, "the hidden state's intermediate is missing");
  FB_TRY(require_per_tensor(context, hidden, "the hidden state"));
  params.hidden_zero_point = hidden.zero_point();
  if (params.hidden_zero_point < -128 || params.hidden_zero_point > 127) {
    return context.fail(ErrorCode::kInvalidModel, "the hidden state's zero point {} is not one of int8",
                        params.hidden_zero_point);
  }
  params.hidden = quantize_multiplier(static_cast<float>(std::pow(2.0, -15) / hidden.scale() * std::pow(2.0, -15)));
  if (cell.projection) {
    params.projection =
        product_multiplier(input_info(cell.operands.projection_weights).scale(), hidden.scale(), state.scale());
  }
  for (size_t gate = cell.first_gate(); gate < kGates; ++gate) {
    float gate_scale = 1.0f / 4096;  // Q3.12
    if (cell.norm) {
      if (!context.intermediates[gate].present) {
        return context.fail(ErrorCode::kInvalidModel, "intermediate {} is missing", gate);
      }
      FB_TRY(require_per_tensor(context, context.intermediates[gate], "an intermediate"));
      gate_scale = context.intermediates[gate].scale();
      const float norm_scale = input_info(cell.operands.norm[gate]).scale();
      params.norm[gate] = quantize_multiplier(norm_scale);
      params.variance_guard[gate] = static_cast<int32_t>(std::clamp(10000.0f * norm_scale, 1.0f, 1e9f));
    }
    params.input[gate] =
        product_multiplier(input_info(cell.operands.input_weights[gate]).scale(), input.scale(), gate_scale);
    params.recurrent[gate] =
        product_multiplier(input_info(cell.operands.recurrent_weights[gate]).scale(), state.scale(), gate_scale);
    if (cell.operands.peephole[gate] != kAbsent) {
      const double cell_scale = std::pow(2.0, params.cell_exponent);
      params.peephole[gate] = quantize_multiplier(
          static_cast<float>(cell_scale * input_info(cell.operands.peephole[gate]).scale() / gate_scale));
    }
  }
  if (cell.settings.cell_clip > 0) {
    params.cell_clip = static_cast<int16_t>(std::min(cell.settings.cell_clip / cell_state.scale(), 32767.0f));
  }
  if (cell.settings.projection_clip > 0) {
    params.projection_clip =
        static_cast<int8_t>(std::min(cell.settings.projection_clip / context.outputs[0].scale(), 127.0f));
  }
  return params;
}

IntegerLstm::IntegerLstm(const OpContext& context, LstmCell cell, IntegerLstmParams params, Workspace& workspace)
    : cell_(std::move(cell)),
      params_(params),
      input_(context, cell_.stack(cell_.operands.input_weights), cell_.cell, cell_.input, params_.input_zero_point,
             workspace),
      recurrent_(context, cell_.stack(cell_.operands.recurrent_weights), cell_.cell, cell_.output,
                 params_.state_zero_point, workspace) {
  const size_t width = cell_.gate_count() * cell_.cell, batch = cell_.sequence.batch;
  from_input_at_ = workspace.add<int32_t>(cell_.sequence.chunk_rows() * width);
  from_state_at_ = workspace.add<int32_t>(batch * width);
  gates_at_ = workspace.add<int16_t>(width);
  hidden_at_ = workspace.add<int8_t>(batch * cell_.cell);
  if (!cell_.projection) return;
  // The hidden rows lack their zero point (see cell_row): it comes back here.
  projection_.emplace_back(context, std::vector<int>{cell_.operands.projection_weights}, cell_.output, cell_.cell,
                           -params_.hidden_zero_point, workspace);
  projected_at_ = workspace.add<int32_t>(batch * cell_.output);
}

void IntegerLstm::run(const RunArgs& args) const noexcept {
  const Sequence& sequence = cell_.sequence;
  if (sequence.batch == 0 || sequence.time == 0) return;
  input_.begin_run(args);
  recurrent_.begin_run(args);
  for (const IntegerDense& product : projection_) product.begin_run(args);
  const size_t width = cell_.gate_count() * cell_.cell;
  auto* from_input = array_at<int32_t>(args, from_input_at_);
  for (size_t begin = 0; begin < sequence.time; begin += sequence.chunk()) {
    const size_t count = std::min(sequence.chunk(), sequence.time - begin);
    sequence.for_chunk_rows(begin, count, [&](size_t row, size_t rows, size_t to) {
      const int8_t* x = in<int8_t>(args, static_cast<size_t>(cell_.operands.input)) + row * cell_.input;
      input_.run(args, x, cell_.input, rows, from_input + to * width, width);
    });
    for (size_t i = 0; i < count; ++i) {
      const size_t row_stride = sequence.time_major ? width : count * width;
      step(args, begin + i, from_input + sequence.chunk_row(i, 0, count) * width, row_stride);
    }
  }
}

void IntegerLstm::step(const RunArgs& args, size_t t, const int32_t* from_input, size_t row_stride) const noexcept {
  const size_t batch = cell_.sequence.batch, width = cell_.gate_count() * cell_.cell;
  auto* state = static_cast<int8_t*>(args.in[cell_.operands.state]);
  auto* from_state = array_at<int32_t>(args, from_state_at_);
  auto* hidden = array_at<int8_t>(args, hidden_at_);
  recurrent_.run(args, state, cell_.output, batch, from_state, width);
  for (size_t b = 0; b < batch; ++b) {
    cell_row(args, b, from_input + b * row_stride, from_state + b * width, array_at<int16_t>(args, gates_at_),
             hidden + b * cell_.cell);
  }
  if (cell_.projection) {
    project(args);
  } else {
    std::copy_n(hidden, batch * cell_.output, state);
  }
  for (size_t b = 0; b < batch; ++b) {
    std::copy_n(state + b * cell_.output, cell_.output, out<int8_t>(args) + cell_.sequence.row(t, b) * cell_.output);
  }
}

void IntegerLstm::cell_row(const RunArgs& args, size_t b, const int32_t* from_input, const int32_t* from_state,
                           int16_t* gates, int8_t* hidden) const noexcept {
  const size_t n = cell_.cell;
  int16_t* cell_state = static_cast<int16_t*>(args.in[cell_.operands.cell_state]) + b * n;
  const auto finish = [&](Gate gate) {
    const size_t offset = cell_.slot(gate) * n;
    finish_gate(args, gate, b, from_input + offset, from_state + offset, gates + offset);
    return gates + offset;
  };
  const int16_t* input = cell_.cifg ? nullptr : finish(kInputGate);
  const int16_t* forget = finish(kForgetGate);
  const int16_t* update = finish(kCellGate);
  for (size_t i = 0; i < n; ++i) {
    const int16_t kept = multiply_and_shift(forget[i], cell_state[i], 15);
    const auto open = input != nullptr ? input[i] : static_cast<int16_t>(32767 - forget[i]);
    const int16_t added = multiply_and_shift(open, update[i], 30 + params_.cell_exponent);
    cell_state[i] = saturate16(kept + added);
    if (params_.cell_clip > 0) {
      cell_state[i] = std::clamp<int16_t>(cell_state[i], static_cast<int16_t>(-params_.cell_clip), params_.cell_clip);
    }
  }
  const int16_t* output = finish(kOutputGate);
  int16_t* squashed = gates + cell_.slot(kCellGate) * n;  // the cell gate is spent
  apply_tanh(15 + params_.cell_exponent, cell_state, squashed, n);
  // Before a projection the zero point is subtracted, after LiteRT; IntegerDense adds it back.
  const int32_t zero_point = cell_.projection ? -params_.hidden_zero_point : params_.hidden_zero_point;
  for (size_t i = 0; i < n; ++i) {
    const int32_t product = int32_t{output[i]} * squashed[i];
    hidden[i] = saturate8(multiply_by_quantized_multiplier(product, params_.hidden) + zero_point);
  }
}

void IntegerLstm::finish_gate(const RunArgs& args, Gate gate, size_t b, const int32_t* from_input,
                              const int32_t* from_state, int16_t* x) const noexcept {
  const size_t n = cell_.cell;
  const int32_t* bias = in<int32_t>(args, static_cast<size_t>(cell_.operands.bias[gate]));
  for (size_t i = 0; i < n; ++i) {
    // Under layer normalization the bias comes after it.
    const int32_t acc = cell_.norm ? from_input[i] : wrapping_add(from_input[i], bias[i]);
    const int16_t of_input = saturate16(multiply_by_quantized_multiplier(acc, params_.input[gate]));
    x[i] = saturate16(wrapping_add(multiply_by_quantized_multiplier(from_state[i], params_.recurrent[gate]), of_input));
  }
  if (cell_.operands.peephole[gate] != kAbsent) {
    const int16_t* weights = in<int16_t>(args, static_cast<size_t>(cell_.operands.peephole[gate]));
    const int16_t* cell_state = static_cast<const int16_t*>(args.in[cell_.operands.cell_state]) + b * n;
    // LiteRT walks batches of `output` elements over rows of `cell` elements; batch-major it sees one entry at a time.
    const size_t first = cell_.sequence.time_major ? b * n : 0;
    const size_t end = cell_.sequence.time_major ? cell_.sequence.batch * cell_.output : cell_.output;
    for (size_t i = 0; i < n && first + i < end; ++i) {
      const int32_t product = int32_t{weights[(first + i) % cell_.output]} * cell_state[i];
      x[i] = saturate16(multiply_by_quantized_multiplier(product, params_.peephole[gate]) + x[i]);
    }
  }
  if (cell_.norm) {
    layer_norm(x, n, in<int16_t>(args, static_cast<size_t>(cell_.operands.norm[gate])), bias, params_.norm[gate],
               params_.variance_guard[gate]);
  }
  if (gate == kCellGate) {
    apply_tanh<3>(x, x, n);
  } else {
    for (size_t i = 0; i < n; ++i) x[i] = logistic(FixedPoint<int16_t, 3>{x[i]}).raw;
  }
}

void IntegerLstm::project(const RunArgs& args) const noexcept {
  const size_t batch = cell_.sequence.batch, n = cell_.output;
  auto* state = static_cast<int8_t*>(args.in[cell_.operands.state]);
  auto* acc = array_at<int32_t>(args, projected_at_);
  projection_[0].run(args, array_at<int8_t>(args, hidden_at_), cell_.cell, batch, acc, n);
  const int32_t* bias = cell_.operands.projection_bias == kAbsent
                            ? nullptr
                            : in<int32_t>(args, static_cast<size_t>(cell_.operands.projection_bias));
  for (size_t i = 0; i < batch * n; ++i) {
    const int32_t sum = bias == nullptr ? acc[i] : wrapping_add(acc[i], bias[i % n]);
    state[i] =
        saturate8(wrapping_add(multiply_by_quantized_multiplier(sum, params_.projection), params_.state_zero_point));
    if (params_.projection_clip > 0) {
      state[i] = std::clamp<int8_t>(state[i], static_cast<int8_t>(-params_.projection_clip), params_.projection_clip);
    }
  }
}

}  // namespace fewbits::ops::rnn
