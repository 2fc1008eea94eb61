// The float and hybrid LSTM: gates from products, peepholes and layer normalization; float32 from the products on.
#include <algorithm>
#include <cmath>

#include "ops/rnn/lstm.h"
#include "ops/rnn/math.h"
#include "ops/support.h"

namespace fewbits::ops::rnn {
namespace {

std::vector<Dense> optional_dense(bool wanted, const OpContext& context, const std::vector<int>& operands, size_t rows,
                                  size_t k, size_t max_m, bool asymmetric, Workspace& workspace) {
  std::vector<Dense> result;
  if (wanted) result.emplace_back(context, operands, rows, k, max_m, asymmetric, workspace);
  return result;
}

}  // namespace

FloatLstm::FloatLstm(const OpContext& context, LstmCell cell, size_t out_index, size_t out_column, size_t out_width,
                     Workspace& workspace)
    : cell_(std::move(cell)),
      out_index_(out_index),
      out_column_(out_column),
      out_width_(out_width),
      input_(context, cell_.stack(cell_.operands.input_weights), cell_.cell, cell_.input, cell_.sequence.chunk_rows(),
             cell_.settings.asymmetric, workspace),
      aux_(optional_dense(cell_.aux > 0, context, cell_.stack(cell_.operands.aux_weights), cell_.cell, cell_.aux,
                          cell_.sequence.chunk_rows(), cell_.settings.asymmetric, workspace)),
      recurrent_(optional_dense(!cell_.diagonal, context, cell_.stack(cell_.operands.recurrent_weights), cell_.cell,
                                cell_.output, cell_.sequence.batch, cell_.settings.asymmetric, workspace)),
      projection_(optional_dense(cell_.projection, context, {cell_.operands.projection_weights}, cell_.output,
                                 cell_.cell, cell_.sequence.batch, cell_.settings.asymmetric, workspace)) {
  const size_t width = cell_.gate_count() * cell_.cell;
  from_input_at_ = workspace.add<float>(cell_.sequence.chunk_rows() * width);
  if (cell_.aux > 0) from_aux_at_ = workspace.add<float>(cell_.sequence.chunk_rows() * width);
  gates_at_ = workspace.add<float>(cell_.sequence.batch * width);
  hidden_at_ = workspace.add<float>(cell_.sequence.batch * cell_.cell);
  if (!cell_.peephole) return;
  peephole_at_ = workspace.add<float>(kGates * cell_.cell);
  for (size_t gate = 0; gate < kGates; ++gate) {
    const int operand = cell_.operands.peephole[gate];
    if (operand != kAbsent) peephole_scale_[gate] = context.inputs[static_cast<size_t>(operand)].scale();
  }
}

void FloatLstm::begin_run(const RunArgs& args) const noexcept {
  input_.begin_run(args);
  for (const auto* dense : {&aux_, &recurrent_, &projection_}) {
    for (const Dense& product : *dense) product.begin_run(args);
  }
  if (cell_.peephole) load_peepholes(args);
}

// Peephole weights as float.
void FloatLstm::load_peepholes(const RunArgs& args) const noexcept {
  for (size_t gate = 0; gate < kGates; ++gate) {
    const int operand = cell_.operands.peephole[gate];
    if (operand == kAbsent) continue;
    float* to = array_at<float>(args, peephole_at_) + gate * cell_.cell;
    if (cell_.form == LstmForm::kFloat) {
      std::copy_n(static_cast<const float*>(args.in[operand]), cell_.cell, to);
    } else {
      const auto* from = static_cast<const int8_t*>(args.in[operand]);
      for (size_t i = 0; i < cell_.cell; ++i) to[i] = peephole_scale_[gate] * from[i];
    }
  }
}

void FloatLstm::run(const RunArgs& args) const noexcept {
  const Sequence& sequence = cell_.sequence;
  if (sequence.batch == 0 || sequence.time == 0) return;
  begin_run(args);
  const size_t width = cell_.gate_count() * cell_.cell;
  float* from_input = array_at<float>(args, from_input_at_);
  float* from_aux = cell_.aux > 0 ? array_at<float>(args, from_aux_at_) : nullptr;
  for (size_t begin = 0; begin < sequence.time; begin += sequence.chunk()) {
    const size_t count = std::min(sequence.chunk(), sequence.time - begin);
    const size_t first = std::min(sequence.time_of(begin), sequence.time_of(begin + count - 1));
    sequence.for_chunk_rows(first, count, [&](size_t row, size_t rows, size_t to) {
      const float* x = in<float>(args, static_cast<size_t>(cell_.operands.input)) + row * cell_.input;
      input_.run(args, x, cell_.input, rows, from_input + to * width, width);
      if (from_aux == nullptr) return;
      const float* aux = in<float>(args, static_cast<size_t>(cell_.operands.aux)) + row * cell_.aux;
      aux_[0].run(args, aux, cell_.aux, rows, from_aux + to * width, width);
    });
    for (size_t i = begin; i < begin + count; ++i) {
      const size_t t = sequence.time_of(i);
      const size_t row = sequence.chunk_row(t - first, 0, count);
      const size_t row_stride = sequence.time_major ? width : count * width;
      step(args, t, from_input + row * width, from_aux == nullptr ? nullptr : from_aux + row * width, row_stride);
    }
  }
}

// One step of all batch entries: gates and cell state, hidden, projection, output.
void FloatLstm::step(const RunArgs& args, size_t t, const float* from_input, const float* from_aux,
                     size_t row_stride) const noexcept {
  const size_t batch = cell_.sequence.batch, width = cell_.gate_count() * cell_.cell;
  auto* state = static_cast<float*>(args.in[cell_.operands.state]);
  auto* cell_state = static_cast<float*>(args.in[cell_.operands.cell_state]);
  float* gates = array_at<float>(args, gates_at_);
  float* hidden = array_at<float>(args, hidden_at_);
  if (cell_.diagonal) {
    for (size_t gate = cell_.first_gate(); gate < kGates; ++gate) {
      const float* weights = in<float>(args, static_cast<size_t>(cell_.operands.recurrent_weights[gate]));
      for (size_t b = 0; b < batch; ++b) {
        float* to = gates + b * width + cell_.slot(static_cast<Gate>(gate)) * cell_.cell;
        for (size_t i = 0; i < cell_.cell; ++i) to[i] = weights[i] * state[b * cell_.output + i];
      }
    }
  } else {
    recurrent_[0].run(args, state, cell_.output, batch, gates, width);
  }
  for (size_t b = 0; b < batch; ++b) {
    float* row = gates + b * width;
    for (size_t i = 0; i < width; ++i) row[i] += from_input[b * row_stride + i];
    if (from_aux != nullptr) {
      for (size_t i = 0; i < width; ++i) row[i] += from_aux[b * row_stride + i];
    }
    cell_row(args, row, cell_state + b * cell_.cell, hidden + b * cell_.cell);
  }
  if (cell_.projection) {
    projection_[0].run(args, hidden, cell_.cell, batch, state, cell_.output);
    if (cell_.operands.projection_bias != kAbsent) {
      const float* bias = in<float>(args, static_cast<size_t>(cell_.operands.projection_bias));
      for (size_t i = 0; i < batch * cell_.output; ++i) state[i] += bias[i % cell_.output];
    }
    clip_to(cell_.settings.projection_clip, state, batch * cell_.output);
  } else {
    std::copy_n(hidden, batch * cell_.output, state);
  }
  for (size_t b = 0; b < batch; ++b) {
    float* to = out<float>(args, out_index_) + cell_.sequence.row(t, b) * out_width_ + out_column_;
    std::copy_n(state + b * cell_.output, cell_.output, to);
  }
}

void FloatLstm::cell_row(const RunArgs& args, float* gates, float* cell_state, float* hidden) const noexcept {
  const size_t n = cell_.cell;
  float* forget = gates + cell_.slot(kForgetGate) * n;
  float* update = gates + cell_.slot(kCellGate) * n;
  float* output = gates + cell_.slot(kOutputGate) * n;
  if (!cell_.cifg) finish_gate(args, kInputGate, gates, cell_state);
  finish_gate(args, kForgetGate, forget, cell_state);
  finish_gate(args, kCellGate, update, cell_state);
  for (size_t i = 0; i < n; ++i) {
    const float input = cell_.cifg ? 1.0f - forget[i] : gates[i];
    cell_state[i] = forget[i] * cell_state[i] + update[i] * input;
  }
  clip_to(cell_.settings.cell_clip, cell_state, n);
  finish_gate(args, kOutputGate, output, cell_state);
  std::copy_n(cell_state, n, hidden);
  apply_activation(cell_.settings.activation, hidden, n);
  for (size_t i = 0; i < n; ++i) hidden[i] *= output[i];
}

// x holds the products of one gate; it becomes the gate.
void FloatLstm::finish_gate(const RunArgs& args, Gate gate, float* x, const float* cell_state) const noexcept {
  const size_t n = cell_.cell;
  const float* bias = in<float>(args, static_cast<size_t>(cell_.operands.bias[gate]));
  if (cell_.operands.peephole[gate] != kAbsent) {
    const float* peephole = array_at<float>(args, peephole_at_) + gate * n;
    for (size_t i = 0; i < n; ++i) x[i] += peephole[i] * cell_state[i];
  }
  if (cell_.norm) {
    const float* norm = in<float>(args, static_cast<size_t>(cell_.operands.norm[gate]));
    normalize(x, n);
    for (size_t i = 0; i < n; ++i) x[i] = x[i] * norm[i] + bias[i];
  } else {
    for (size_t i = 0; i < n; ++i) x[i] += bias[i];
  }
  if (gate == kCellGate) {
    apply_activation(cell_.settings.activation, x, n);
  } else {
    apply_sigmoid(x, n);
  }
}

}  // namespace fewbits::ops::rnn
