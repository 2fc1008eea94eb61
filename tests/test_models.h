// Small models for tests that cross layers, built in memory: no test needs files that this repository does not have.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "ir/model.h"
#include "schema/tflite.h"

namespace fewbits::test {

// Numbers in [-1, 1) that are always the same: a linear congruential generator (Numerical Recipes).
inline std::vector<float> noise(size_t count, uint32_t seed) {
  std::vector<float> out(count);
  for (float& value : out) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(seed)) / 2147483648.0f;
  }
  return out;
}

inline ValueId add_tensor(Graph& graph, std::string name, Shape shape, DType dtype = DType::kFloat32) {
  Value value;
  value.name = std::move(name);
  value.dtype = dtype;
  value.shape = std::move(shape);
  value.has_rank = true;
  return graph.add_value(std::move(value));
}

template <class T>
ValueId add_constant(Graph& graph, std::string name, Shape shape, DType dtype, std::vector<T> numbers) {
  const ValueId id = add_tensor(graph, std::move(name), std::move(shape), dtype);
  graph.value(id).data = ConstData::own(std::move(numbers));
  graph.value(id).is_const = true;
  return id;
}

template <class Options>
void add_operator(Graph& graph, Op op, std::vector<ValueId> inputs, std::vector<ValueId> outputs, Options options) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  auto holder = std::make_shared<tflite::BuiltinOptionsUnion>();
  holder->Set(std::move(options));
  node.options = std::move(holder);
  graph.add_node(std::move(node));
}

inline Model one_graph_model(Graph graph, std::vector<SignatureTensor> inputs, std::vector<SignatureTensor> outputs) {
  Model model;
  model.description = "made for a test";
  model.graphs.push_back(std::move(graph));
  model.signatures.push_back({"serve", 0, std::move(inputs), std::move(outputs)});
  return model;
}

// Pictures [1, 8, 8, 3] to scores of 10 classes: CONV_2D with RELU, RESHAPE, FULLY_CONNECTED, SOFTMAX. Signature "serve" with
// input "image" (tensor "x") and output "scores" (tensor "probabilities").
inline Model classifier(int32_t classes = 10) {
  Graph graph;
  graph.name = "main";
  const ValueId x = add_tensor(graph, "x", {1, 8, 8, 3});
  const ValueId w = add_constant(graph, "conv/w", {8, 3, 3, 3}, DType::kFloat32, noise(8 * 27, 1));
  const ValueId b = add_constant(graph, "conv/b", {8}, DType::kFloat32, noise(8, 2));
  const ValueId conv = add_tensor(graph, "conv", {1, 8, 8, 8});
  const ValueId shape = add_constant(graph, "flat/shape", {2}, DType::kInt32, std::vector<int32_t>{1, 512});
  const ValueId flat = add_tensor(graph, "flat", {1, 512});
  const ValueId fw =
      add_constant(graph, "dense/w", {classes, 512}, DType::kFloat32, noise(static_cast<size_t>(classes) * 512, 3));
  const ValueId fb = add_constant(graph, "dense/b", {classes}, DType::kFloat32, noise(static_cast<size_t>(classes), 4));
  const ValueId logits = add_tensor(graph, "logits", {1, classes});
  const ValueId probabilities = add_tensor(graph, "probabilities", {1, classes});

  tflite::Conv2DOptionsT conv_options;
  conv_options.padding = tflite::Padding::SAME;
  conv_options.stride_h = conv_options.stride_w = 1;
  conv_options.dilation_h_factor = conv_options.dilation_w_factor = 1;
  conv_options.fused_activation_function = tflite::ActivationFunctionType::RELU;
  add_operator(graph, Op::CONV_2D, {x, w, b}, {conv}, conv_options);
  add_operator(graph, Op::RESHAPE, {conv, shape}, {flat}, tflite::ReshapeOptionsT());
  add_operator(graph, Op::FULLY_CONNECTED, {flat, fw, fb}, {logits}, tflite::FullyConnectedOptionsT());
  tflite::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  add_operator(graph, Op::SOFTMAX, {logits}, {probabilities}, softmax);
  graph.inputs = {x};
  graph.outputs = {probabilities};
  return one_graph_model(std::move(graph), {{"image", x}}, {{"scores", probabilities}});
}

// a + b, of inputs [1, n] whose n is dynamic (2 in the file). Inputs "left" and "right", output "sum".
inline Model dynamic_adder() {
  Graph graph;
  const ValueId a = add_tensor(graph, "a", {1, 2}), b = add_tensor(graph, "b", {1, 2}),
                sum = add_tensor(graph, "a_plus_b", {1, 2});
  for (ValueId id : {a, b, sum}) graph.value(id).shape_signature = {1, -1};
  add_operator(graph, Op::ADD, {a, b}, {sum}, tflite::AddOptionsT());
  graph.inputs = {a, b};
  graph.outputs = {sum};
  return one_graph_model(std::move(graph), {{"left", a}, {"right", b}}, {{"sum", sum}});
}

// x + c for scores [1, classes] given directly: a classifier whose answers a test chooses.
inline Model offset_scores(int32_t classes, std::vector<float> offsets) {
  Graph graph;
  const ValueId x = add_tensor(graph, "x", {1, classes});
  const ValueId c = add_constant(graph, "c", {1, classes}, DType::kFloat32, std::move(offsets));
  const ValueId y = add_tensor(graph, "y", {1, classes});
  add_operator(graph, Op::ADD, {x, c}, {y}, tflite::AddOptionsT());
  graph.inputs = {x};
  graph.outputs = {y};
  return one_graph_model(std::move(graph), {{"x", x}}, {{"y", y}});
}

// A custom operator that nobody knows between two known ones.
inline Model with_unknown_operator() {
  Model model = classifier();
  Graph& graph = model.main();
  const ValueId out = add_tensor(graph, "mystery", {1, 10});
  Node node;
  node.op = Op::CUSTOM;
  node.custom_code = "Mystery";
  node.inputs = graph.outputs;
  node.outputs = {out};
  graph.add_node(std::move(node));
  graph.outputs = {out};
  model.signatures[0].outputs = {{"scores", out}};
  return model;
}

}  // namespace fewbits::test
