// The full-integer form of LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: int8 activations, int16 cell state (TFLITE_FACTS section 2).
#pragma once

#include <string>

#include "ir/op_def.h"

namespace fewbits::quantize {

// Why this node cannot take the integer form; empty when it can. Layer normalisation and projection need ranges from inside
// the operator, which calibration does not see.
std::string lstm_problem(const OpContext& context);

// Rewrites the node in place: `input` and `output` are its integer input and output values. Weights become int8 (one scale
// each, as the kernel wants), peepholes int16, biases int32; states and intermediates get values of their own.
void rewrite_lstm(Graph& graph, NodeId node, ValueId input, ValueId output);

}  // namespace fewbits::quantize
