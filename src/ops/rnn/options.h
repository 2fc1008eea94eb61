// Options of the recurrent operators, null tables replaced by the schema's defaults.
#pragma once

#include "ir/op_def.h"
#include "schema/tflite.h"

namespace fewbits::ops::rnn {

inline tflite::LSTMOptionsT lstm_options(const OpContext& context) {
  const auto* options = context.node->options->AsLSTMOptions();
  return options != nullptr ? *options : tflite::LSTMOptionsT{};
}
inline tflite::UnidirectionalSequenceLSTMOptionsT sequence_lstm_options(const OpContext& context) {
  const auto* options = context.node->options->AsUnidirectionalSequenceLSTMOptions();
  return options != nullptr ? *options : tflite::UnidirectionalSequenceLSTMOptionsT{};
}
inline tflite::BidirectionalSequenceLSTMOptionsT bidirectional_lstm_options(const OpContext& context) {
  const auto* options = context.node->options->AsBidirectionalSequenceLSTMOptions();
  return options != nullptr ? *options : tflite::BidirectionalSequenceLSTMOptionsT{};
}
inline tflite::RNNOptionsT rnn_options(const OpContext& context) {
  const auto* options = context.node->options->AsRNNOptions();
  return options != nullptr ? *options : tflite::RNNOptionsT{};
}
inline tflite::SequenceRNNOptionsT sequence_rnn_options(const OpContext& context) {
  const auto* options = context.node->options->AsSequenceRNNOptions();
  return options != nullptr ? *options : tflite::SequenceRNNOptionsT{};
}
inline tflite::BidirectionalSequenceRNNOptionsT bidirectional_rnn_options(const OpContext& context) {
  const auto* options = context.node->options->AsBidirectionalSequenceRNNOptions();
  return options != nullptr ? *options : tflite::BidirectionalSequenceRNNOptionsT{};
}
inline tflite::SVDFOptionsT svdf_options(const OpContext& context) {
  const auto* options = context.node->options->AsSVDFOptions();
  return options != nullptr ? *options : tflite::SVDFOptionsT{};
}

}  // namespace fewbits::ops::rnn
