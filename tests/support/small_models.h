// Small models built in memory, for tests.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"
#include "schema/tflite.h"

namespace fewbits::testing {

inline ValueId add_value(Graph& graph, const std::string& name, Shape shape, DType type = DType::kFloat32) {
  Value value;
  value.name = name;
  value.shape = std::move(shape);
  value.dtype = type;
  return graph.add_value(std::move(value));
}

template <class T>
ValueId add_const(Graph& graph, const std::string& name, Shape shape, std::vector<T> data, DType type) {
  const ValueId id = add_value(graph, name, std::move(shape), type);
  graph.value(id).data = ConstData::own(std::move(data));
  graph.value(id).is_const = true;
  return id;
}

inline ValueId add_floats(Graph& graph, const std::string& name, Shape shape, std::vector<float> data) {
  return add_const(graph, name, std::move(shape), std::move(data), DType::kFloat32);
}

template <class Options>
NodeId add_node(Graph& graph, Op op, std::vector<ValueId> inputs, std::vector<ValueId> outputs, Options options) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  auto all = std::make_shared<tflite::BuiltinOptionsUnion>();
  all->Set(std::move(options));
  node.options = std::move(all);
  return graph.add_node(std::move(node));
}

inline NodeId add_node(Graph& graph, Op op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  return graph.add_node(std::move(node));
}

// A deterministic spread of numbers in [-1, 1].
inline std::vector<float> some_floats(size_t count, uint32_t seed = 1) {
  std::vector<float> values(count);
  uint32_t state = seed * 2654435761u + 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(state >> 8) % 2001 - 1000) / 1000.0f;
  }
  return values;
}

// input [1, 4, 4, 3] -> CONV_2D 3x3 RELU -> DEPTHWISE_CONV_2D -> RESHAPE -> FULLY_CONNECTED -> SOFTMAX -> output [1, 5], with a
// signature "serving_default" whose names are x and y.
inline Model small_network() {
  Model model;
  model.description = "a small network";
  model.graphs.resize(1);
  Graph& g = model.graphs[0];
  g.name = "main";
  const ValueId input = add_value(g, "input", {1, 4, 4, 3});
  const ValueId filter = add_floats(g, "conv/w", {8, 3, 3, 3}, some_floats(216, 1));
  const ValueId bias = add_floats(g, "conv/b", {8}, some_floats(8, 2));
  const ValueId conv = add_value(g, "conv", {1, 4, 4, 8});
  tflite::Conv2DOptionsT conv_options;
  conv_options.stride_w = conv_options.stride_h = 1;
  conv_options.fused_activation_function = tflite::ActivationFunctionType::RELU;
  add_node(g, Op::CONV_2D, {input, filter, bias}, {conv}, conv_options);
  const ValueId depth_filter = add_floats(g, "dw/w", {1, 3, 3, 8}, some_floats(72, 3));
  const ValueId depth = add_value(g, "dw", {1, 4, 4, 8});
  tflite::DepthwiseConv2DOptionsT depth_options;
  depth_options.stride_w = depth_options.stride_h = depth_options.depth_multiplier = 1;
  add_node(g, Op::DEPTHWISE_CONV_2D, {conv, depth_filter, add_floats(g, "dw/b", {8}, some_floats(8, 4))}, {depth},
           depth_options);
  const ValueId flat = add_value(g, "flat", {1, 128});
  add_node(g, Op::RESHAPE, {depth, add_const<int32_t>(g, "shape", {2}, {1, 128}, DType::kInt32)}, {flat},
           tflite::ReshapeOptionsT());
  const ValueId logits = add_value(g, "logits", {1, 5});
  add_node(g, Op::FULLY_CONNECTED, {flat, add_floats(g, "fc/w", {5, 128}, some_floats(640, 5)), kNoValue}, {logits},
           tflite::FullyConnectedOptionsT());
  const ValueId output = add_value(g, "probabilities", {1, 5});
  tflite::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  add_node(g, Op::SOFTMAX, {logits}, {output}, softmax);
  g.inputs = {input};
  g.outputs = {output};
  model.signatures.push_back({"serving_default", 0, {{"x", input}}, {{"y", output}}});
  model.metadata.push_back({"min_runtime_version", ConstData::own(std::vector<uint8_t>{'1', '.', '5', '.', '0', 0})});
  return model;
}

}  // namespace fewbits::testing
