// The full-integer form of LSTM: operand numbers are those of the schema's 24-operand LSTM.
#include "quantize/algorithms/lstm.h"

#include <cmath>

#include "quantize/params.h"
#include "schema/tflite.h"

namespace fewbits::quantize {
namespace {

constexpr size_t kFirstWeight = 1, kLastWeight = 8, kFirstPeephole = 9, kLastPeephole = 11, kFirstBias = 12,
                 kLastBias = 15;
constexpr size_t kProjection = 16, kProjectionBias = 17, kOutputState = 18, kCellState = 19, kFirstNorm = 20,
                 kOperands = 20;
constexpr size_t kIntermediates = 5, kHiddenIntermediate = 4;
// Where the cell's range is not clipped by the model: beyond +-16 its tanh is 1 to the last bit of int16.
constexpr float kCellRange = 16.0f;

float cell_clip(const Node& node) {
  if (const auto* o = node.options->AsUnidirectionalSequenceLSTMOptions()) return o->cell_clip;
  if (const auto* o = node.options->AsLSTMOptions()) return o->cell_clip;
  return 0;
}

ValueId own_weights(Graph& graph, ValueId source) {
  Value value = graph.value(source);
  QuantizedWeights weights = quantize_weights(value.data.as<float>(), value.shape, -1);
  value.dtype = DType::kInt8;
  value.quant = std::move(weights.quant);
  value.data = ConstData::own(std::move(weights.values));
  return graph.add_value(std::move(value));
}

ValueId own_peephole(Graph& graph, ValueId source) {
  Value value = graph.value(source);
  const auto values = value.data.as<float>();
  float range = 0;
  for (float v : values) range = std::max(range, std::abs(v));
  value.quant = activation_int16(-range, range);
  value.data = ConstData::own(quantize_int16(values, value.quant));
  value.dtype = DType::kInt16;
  return graph.add_value(std::move(value));
}

ValueId own_bias(Graph& graph, ValueId source, float input_scale, float weight_scale) {
  Value value = graph.value(source);
  value.data = ConstData::own(quantize_bias_int32(value.data.as<float>(), input_scale, std::span(&weight_scale, 1)));
  value.dtype = DType::kInt32;
  value.quant = {};
  value.quant.scale = {input_scale * weight_scale};
  value.quant.zero_point = {0};
  return graph.add_value(std::move(value));
}

}  // namespace

std::string lstm_problem(const OpContext& context) {
  if (context.inputs.size() < kOperands) return "the basic LSTM kernel has no integer form";
  for (size_t i = kFirstNorm; i < context.inputs.size(); ++i) {
    if (context.has_input(i))
      return "its layer normalisation needs ranges from inside the operator, which calibration does not see";
  }
  if (context.has_input(kProjection) || context.has_input(kProjectionBias)) {
    return "its projection needs the range of the hidden state, which calibration does not see";
  }
  for (size_t i = kFirstWeight; i <= kLastBias; ++i) {
    if (!context.has_input(i)) continue;
    if (!context.inputs[i].is_const || context.inputs[i].dtype != DType::kFloat32)
      return "its weights are not float constants";
    const Status finite = check_finite(context.inputs[i].value->data.as<float>(), context.inputs[i].value->name);
    if (!finite) return finite.error().message;
  }
  if (!context.has_input(kOutputState) || !context.has_input(kCellState)) return "it has no state tensors";
  return {};
}

void rewrite_lstm(Graph& graph, NodeId id, ValueId input, ValueId output) {
  const std::vector<ValueId> inputs = graph.node(id).inputs;
  std::vector<ValueId> integer = inputs;
  integer[0] = input;
  for (size_t i = kFirstWeight; i <= kLastWeight; ++i) {
    if (inputs[i] != kNoValue) integer[i] = own_weights(graph, inputs[i]);
  }
  for (size_t i = kFirstPeephole; i <= kLastPeephole; ++i) {
    if (inputs[i] != kNoValue) integer[i] = own_peephole(graph, inputs[i]);
  }
  for (size_t i = kFirstBias; i <= kLastBias; ++i) {
    const ValueId weight = integer[i - kFirstBias + kFirstWeight];
    if (inputs[i] == kNoValue || weight == kNoValue) continue;
    integer[i] = own_bias(graph, inputs[i], graph.value(input).quant.scale[0], graph.value(weight).quant.scale[0]);
  }
  const QuantParams hidden = graph.value(output).quant;
  Value output_state = graph.value(inputs[kOutputState]);
  output_state.dtype = DType::kInt8;
  output_state.quant = hidden;
  integer[kOutputState] = graph.add_value(std::move(output_state));
  Value cell_state = graph.value(inputs[kCellState]);
  const float clip = cell_clip(graph.node(id));
  cell_state.dtype = DType::kInt16;
  cell_state.quant = {};
  cell_state.quant.scale = {std::exp2(std::ceil(std::log2(clip > 0 ? clip : kCellRange))) / 32768.0f};
  cell_state.quant.zero_point = {0};
  integer[kCellState] = graph.add_value(std::move(cell_state));

  std::vector<ValueId> intermediates;
  for (size_t i = 0; i < kIntermediates; ++i) {
    Value value;
    value.name = graph.value(output).name + "_intermediate" + std::to_string(i);
    value.shape = {0};
    if (i == kHiddenIntermediate) {
      value.dtype = DType::kInt8;
      value.quant = hidden;
    }
    intermediates.push_back(graph.add_value(std::move(value)));
  }
  Node& node = graph.node(id);
  node.inputs = std::move(integer);
  node.outputs[0] = output;
  node.intermediates = std::move(intermediates);
}

}  // namespace fewbits::quantize
