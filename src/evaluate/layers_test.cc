// Pairing of layers by name, and what is kept of them.
#include "evaluate/layers.h"

#include <gtest/gtest.h>

#include "schema/tflite.h"
#include "test_models.h"

namespace fewbits::evaluate {
namespace {

using test::add_operator;
using test::add_tensor;

// x -> RELU "r" -> RELU "s", in float or with integer twins of the given names.
Model chain(const std::string& first, const std::string& second, DType type) {
  Graph graph;
  const ValueId x = add_tensor(graph, "x", {2}), r = add_tensor(graph, first, {2}, type),
                s = add_tensor(graph, second, {2}, type);
  if (type != DType::kFloat32) {
    for (ValueId id : {r, s}) graph.value(id).quant = {{0.5f}, {0}};
  }
  for (auto [from, to] : {std::pair(x, r), std::pair(r, s)}) {
    Node node;
    node.op = Op::RELU;
    node.inputs = {from};
    node.outputs = {to};
    graph.add_node(std::move(node));
  }
  graph.inputs = {x};
  graph.outputs = {s};
  Model model;
  model.graphs.push_back(std::move(graph));
  return model;
}

TensorView view(const std::vector<float>& values) { return {DType::kFloat32, {2}, values.data(), 8}; }
TensorView view(const std::vector<int8_t>& values) { return {DType::kInt8, {2}, values.data(), 2}; }

TEST(LayerComparer, PairsTwinsAndMeasuresThem) {
  const Model a = chain("r", "s", DType::kFloat32), b = chain("r", "s_int8", DType::kInt8);
  LayerComparer comparer(a, b);
  EXPECT_EQ(comparer.unmatched(), 0u);
  const std::vector<float> real{1, 2};
  const std::vector<int8_t> exact{2, 4}, off{2, 6};
  comparer.start_sample();
  for (ValueId id : {1, 2}) ASSERT_TRUE(comparer.see_reference(0, id, view(real)));
  ASSERT_TRUE(comparer.see_other(0, 1, view(exact)));
  ASSERT_TRUE(comparer.see_other(0, 2, view(off)));
  const auto layers = comparer.results();
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].name, "r");
  EXPECT_EQ(layers[0].error.max_abs, 0);
  EXPECT_EQ(layers[1].other_name, "s_int8");
  EXPECT_EQ(layers[1].dtype, "int8");
  EXPECT_EQ(layers[1].type, "RELU");
  EXPECT_DOUBLE_EQ(layers[1].error.max_abs, 1);
}

TEST(LayerComparer, WhatNoReaderSeesIsNoError) {
  const Model a = chain("r", "s", DType::kFloat32);
  Model b = chain("r", "s", DType::kInt8);
  for (ValueId id : {1, 2}) b.main().value(id).quant.zero_point = {-128};  // 0 to 127.5
  LayerComparer comparer(a, b);
  const std::vector<float> real{-3, 130};
  const std::vector<int8_t> codes{-128, 127};
  comparer.start_sample();
  for (ValueId id : {1, 2}) ASSERT_TRUE(comparer.see_reference(0, id, view(real)));
  for (ValueId id : {1, 2}) ASSERT_TRUE(comparer.see_other(0, id, view(codes)));
  // A RELU reads r: the -3 is 0 to it, and the 130 is not 127.5. The caller reads s.
  EXPECT_EQ(comparer.results()[0].error.max_abs, 2.5);
  EXPECT_EQ(comparer.results()[1].error.max_abs, 3);
}

TEST(LayerComparer, OfWhatSoftmaxReadsRowsDecideWhatItSees) {
  Model a = chain("r", "s", DType::kFloat32), b = chain("r", "s", DType::kInt8);
  b.main().value(1).quant = {{0.5f}, {108}};  // -118 to 9.5
  for (Model* model : {&a, &b}) {
    Node& reader = model->main().node(1);
    reader.op = Op::SOFTMAX;
    auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
    tflite::SoftmaxOptionsT softmax;
    softmax.beta = 1;
    options->Set(softmax);
    reader.options = std::move(options);
  }
  const std::vector<int8_t> codes{-128, 127};
  const auto worst = [&](std::vector<float> real) {
    LayerComparer comparer(a, b);
    comparer.start_sample();
    EXPECT_TRUE(comparer.see_reference(0, 1, view(real)));
    EXPECT_TRUE(comparer.see_other(0, 1, view(codes)));
    return comparer.results()[0].error.max_abs;
  };
  EXPECT_EQ(worst({-500, 9.5}), 0);     // e^-118 or e^-500: nothing
  EXPECT_EQ(worst({-500, -115}), 382);  // near the row's largest element: a third of it, or nothing
}

TEST(LayerComparer, NamesWithoutCounterpartAreCounted) {
  const Model a = chain("r", "s", DType::kFloat32), b = chain("r", "other", DType::kFloat32);
  EXPECT_EQ(LayerComparer(a, b).unmatched(), 1u);
}

TEST(LayerComparer, KeepsNothingOfTheSampleBefore) {
  const Model a = chain("r", "s", DType::kFloat32);
  LayerComparer comparer(a, a);
  const std::vector<float> one{1, 1}, two{2, 2};
  comparer.start_sample();
  ASSERT_TRUE(comparer.see_reference(0, 1, view(one)));
  comparer.start_sample();
  ASSERT_TRUE(comparer.see_reference(0, 1, view(two)));
  ASSERT_TRUE(comparer.see_other(0, 1, view(two)));
  ASSERT_EQ(comparer.results().size(), 1u);
  EXPECT_EQ(comparer.results()[0].error.elements, 2u);
  EXPECT_EQ(comparer.results()[0].error.max_abs, 0);
}

TEST(LayerComparer, LoopsArePairedInOrderUpToALimit) {
  const Model a = chain("r", "s", DType::kFloat32);
  LayerComparer comparer(a, a);
  comparer.start_sample();
  for (float i = 0; i < 20; ++i) ASSERT_TRUE(comparer.see_reference(0, 1, view(std::vector<float>{i, i})));
  for (float i = 0; i < 20; ++i) ASSERT_TRUE(comparer.see_other(0, 1, view(std::vector<float>{i, i})));
  EXPECT_EQ(comparer.results()[0].error.elements, 2 * LayerComparer::kMostRepeats);
  EXPECT_EQ(comparer.results()[0].error.max_abs, 0);
}

}  // namespace
}  // namespace fewbits::evaluate
