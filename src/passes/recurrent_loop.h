// Reads a WHILE as a recurrent layer: what it repeats is one step of an LSTM, or of a simple RNN, over a sequence.
#pragma once

#include <optional>
#include <vector>

#include "ir/model.h"
#include "schema/tflite.h"

namespace fewbits::passes {

// The weights of one gate, rows are units: gate = input * x + recurrent * h + bias.
struct GateWeights {
  std::vector<float> input, recurrent, bias;
};

struct RecurrentLoop {
  bool is_lstm = false;
  ValueId x = kNoValue;  // of the graph around the loop: [batch, time, size], or [time, batch, size]
  int time_axis = 1;
  int32_t batch = 0, size = 0, units = 0;
  std::vector<GateWeights> gates;  // an LSTM's input, forget, cell and output gate; a simple RNN's only one
  tflite::ActivationFunctionType activation = tflite::ActivationFunctionType::TANH;
  int all = -1;   // which output of the loop holds the results of all steps, with time where x has it; -1: none
  int last = -1;  // which one holds the last step's
  int only = -1;  // and which one holds the last step's with a size of one for time
};

// Nothing when the loop is anything else: masked steps, states that do not begin at zero, a cell state that is read behind the
// loop, an open batch (TFLite's operators hold their state in tensors of a fixed size), other gates.
std::optional<RecurrentLoop> match_recurrent_loop(const Model& model, const Graph& graph, NodeId loop);

}  // namespace fewbits::passes
