// Recurrent operators: LSTM (full and basic kernel), UNIDIRECTIONAL_ and BIDIRECTIONAL_SEQUENCE_LSTM, RNN,
// UNIDIRECTIONAL_ and BIDIRECTIONAL_SEQUENCE_RNN, SVDF.
//
// State operands are variables: written in place through RunArgs::in, so they carry over from run to run.
//
// Forms, chosen by the types of the input and the weights:
//   float    everything float32.
//   hybrid   int8 weights (uint8 tensors hold the same signed bytes), float32 for the rest. Each row that meets a
//   weight
//            matrix is quantized on the fly, symmetric or asymmetric as the options say.
//   integer  LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: "8x8 to 16" of tflite/kernels/lstm_eval.cc; gates int16 (Q3.12
//   before
//            their sigmoid or tanh, Q0.15 after), cell state int16 with a power-of-two scale, five intermediates that
//            hold the scales of the gates under layer normalization and of the hidden state. SVDF: state and time
//            weights int16. LSTM's basic kernel: uint8 with an int16 state of 4 integer bits.
//
// Products with all gates' weights are one matrix product (kernels/gemm.h), and those with the input, which do not wait
// for the recurrence, are computed for many steps at once. Integer forms equal LiteRT's reference kernels bit for bit;
// float forms differ by the order of summation, hybrid forms by what that may move in the dynamic quantization.
//
// Where we knowingly differ from LiteRT 2.3:
//   - The 12-intermediate LSTM ("8x8 to 8") is refused: LiteRT's kernel for it reads beyond its tables of scales.
//   - A batch-major BIDIRECTIONAL_SEQUENCE_LSTM that merges its outputs keeps [batch, output] states; LiteRT steps
//   through
//     them with the merged width, beyond their end.
//   - A time-major auxiliary input of a BIDIRECTIONAL_SEQUENCE_RNN may have another width than the input; LiteRT steps
//     through it with the input's width.
// Followed although they look like slips, since a model behaves so on devices:
//   - An integer LSTM with peepholes and a projection applies the peephole weights to as many cells as there are
//   outputs.
//   - A time-major hybrid BIDIRECTIONAL_SEQUENCE_RNN runs its sequence as often as it has steps, its state carrying
//   over.
//   - A batch-major BIDIRECTIONAL_SEQUENCE_RNN without auxiliary weights ignores its auxiliary input; a time-major one
//     feeds it to the backward cell.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> rnn_ops() noexcept;

// infer.cc
Status infer_lstm(OpContext& context);
Status infer_sequence_lstm(OpContext& context);
Status infer_bidirectional_lstm(OpContext& context);
Status infer_rnn(OpContext& context);
Status infer_sequence_rnn(OpContext& context);
Status infer_bidirectional_rnn(OpContext& context);
Status infer_svdf(OpContext& context);

// lstm_kernels.cc, lstm_basic.cc
Result<Prepared> prepare_lstm(const OpContext& context);
Result<Prepared> prepare_lstm_basic(const OpContext& context);
Result<Prepared> prepare_sequence_lstm(const OpContext& context);
Result<Prepared> prepare_bidirectional_lstm(const OpContext& context);

// rnn_kernels.cc
Result<Prepared> prepare_rnn(const OpContext& context);
Result<Prepared> prepare_sequence_rnn(const OpContext& context);
Result<Prepared> prepare_bidirectional_rnn(const OpContext& context);

// svdf_kernels.cc
Result<Prepared> prepare_svdf(const OpContext& context);

}  // namespace fewbits::ops
