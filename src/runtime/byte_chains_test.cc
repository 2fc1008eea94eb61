// Chains of pointwise operators that run as one table: the same bytes as without fusion, and only where nobody looks in.
#include "runtime/byte_chains.h"

#include <gtest/gtest.h>

#include <cstring>

#include "runtime/session.h"
#include "support/small_models.h"

namespace fewbits::runtime {
namespace {

using fewbits::testing::add_const;
using fewbits::testing::add_node;
using fewbits::testing::add_value;

ValueId add_bytes(Graph& g, const char* name, float scale, int64_t zero, Shape shape = {1, 16, 16}) {
  const ValueId id = add_value(g, name, std::move(shape), DType::kInt8);
  g.value(id).quant.scale = {scale};
  g.value(id).quant.zero_point = {zero};
  return id;
}

// x -> swish (LOGISTIC, MUL) -> plus a constant -> RELU, all bytes.
struct Swish {
  Swish() {
    model.graphs.resize(1);
    Graph& g = model.main();
    x = add_bytes(g, "x", 0.05f, -3);
    sigmoid = add_bytes(g, "sigmoid", 1.0f / 256, -128);
    swish = add_bytes(g, "swish", 0.03f, -110);
    sum = add_bytes(g, "sum", 0.03f, -90);
    relu = add_bytes(g, "relu", 0.02f, -128);
    const ValueId one = add_const<int8_t>(g, "one", {1}, {40}, DType::kInt8);
    g.value(one).quant.scale = {0.01f};
    g.value(one).quant.zero_point = {0};
    add_node(g, Op::LOGISTIC, {x}, {sigmoid});
    add_node(g, Op::MUL, {x, sigmoid}, {swish}, tflite::MulOptionsT());
    add_node(g, Op::ADD, {swish, one}, {sum}, tflite::AddOptionsT());
    add_node(g, Op::RELU, {sum}, {relu});
    g.inputs = {x};
    g.outputs = {relu};
  }
  Model model;
  ValueId x, sigmoid, swish, sum, relu;
};

struct Ran {
  size_t steps = 0;
  std::vector<std::string> choices;
  std::vector<std::vector<int8_t>> outputs;
};

Ran run(const Model& model, bool fuse) {
  PlanOptions options;
  options.fuse = fuse;
  const auto plan = Plan::make(std::make_shared<const Model>(model), options);
  EXPECT_TRUE(plan) << plan.error().message;
  const auto session = Session::make(*plan);
  EXPECT_TRUE(session);
  auto* bytes = static_cast<int8_t*>((*session)->input(0));
  for (size_t i = 0; i < (*session)->input_view(0).bytes; ++i) bytes[i] = static_cast<int8_t>(i * 7);
  EXPECT_TRUE((*session)->run());
  Ran ran{(*plan)->steps().size(), {}, {}};
  for (size_t s = 0; s < ran.steps; ++s) ran.choices.push_back((*session)->choice(s));
  for (size_t i = 0; i < model.main().outputs.size(); ++i) {
    const TensorView out = (*session)->output(i);
    const auto* data = static_cast<const int8_t*>(out.data);
    ran.outputs.emplace_back(data, data + out.bytes);
  }
  return ran;
}

TEST(ByteChains, AChainRunsAsOneTable) {
  const Swish net;
  const Ran plain = run(net.model, false), fused = run(net.model, true);
  EXPECT_EQ(plain.steps, 4u);
  ASSERT_EQ(fused.steps, 1u);
  EXPECT_EQ(fused.choices[0], "one table of 256 for LOGISTIC, MUL, ADD, RELU");
  EXPECT_EQ(fused.outputs, plain.outputs);
}

TEST(ByteChains, WhatOthersReadStays) {
  Swish net;  // the swish is an output, too: the chain breaks there
  net.model.main().outputs.push_back(net.swish);
  Ran plain = run(net.model, false), fused = run(net.model, true);
  ASSERT_EQ(fused.steps, 2u);
  EXPECT_EQ(fused.choices[0], "one table of 256 for LOGISTIC, MUL");
  EXPECT_EQ(fused.choices[1], "one table of 256 for ADD, RELU");
  EXPECT_EQ(fused.outputs, plain.outputs);

  Swish sigmoid;  // and where the sigmoid is, the MUL meets two different values
  sigmoid.model.main().outputs.push_back(sigmoid.sigmoid);
  plain = run(sigmoid.model, false);
  fused = run(sigmoid.model, true);
  ASSERT_EQ(fused.steps, 3u);
  EXPECT_EQ(fused.choices[2], "one table of 256 for ADD, RELU");
  EXPECT_EQ(fused.outputs, plain.outputs);
}

TEST(ByteChains, AnOperandOfManyElementsIsNoConstant) {
  Swish net;
  Graph& g = net.model.main();
  std::vector<int8_t> many(16);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int8_t>(i * 11);
  const ValueId row = add_const<int8_t>(g, "row", {16}, many, DType::kInt8);
  g.value(row).quant.scale = {0.01f};
  g.value(row).quant.zero_point = {0};
  g.node(2).inputs[1] = row;
  const Ran plain = run(net.model, false), fused = run(net.model, true);
  EXPECT_EQ(fused.steps, 3u);
  EXPECT_EQ(fused.outputs, plain.outputs);
}

TEST(ByteChains, FloatsInBetweenAreFine) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId x = add_bytes(g, "x", 0.05f, 5), real = add_value(g, "real", {1, 16, 16});
  const ValueId tanh = add_value(g, "tanh", {1, 16, 16}), y = add_bytes(g, "y", 1.0f / 128, 0);
  add_node(g, Op::DEQUANTIZE, {x}, {real});
  add_node(g, Op::TANH, {real}, {tanh});
  add_node(g, Op::QUANTIZE, {tanh}, {y});
  g.inputs = {x};
  g.outputs = {y};
  const Ran plain = run(model, false), fused = run(model, true);
  EXPECT_EQ(fused.steps, 1u);
  EXPECT_EQ(fused.outputs, plain.outputs);
}

TEST(ByteChains, ScalesAlongADimensionArePositions) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId x = add_bytes(g, "x", 0.05f, 0, {2, 128}), real = add_value(g, "real", {2, 128});
  g.value(x).quant.scale = {0.05f, 0.5f};
  g.value(x).quant.zero_point = {0, 0};
  const ValueId y = add_bytes(g, "y", 0.4f, 0, {2, 128});
  add_node(g, Op::DEQUANTIZE, {x}, {real});
  add_node(g, Op::QUANTIZE, {real}, {y});
  g.inputs = {x};
  g.outputs = {y};
  const Ran plain = run(model, false), fused = run(model, true);
  EXPECT_EQ(fused.steps, 2u);
  EXPECT_EQ(fused.outputs, plain.outputs);
}

}  // namespace
}  // namespace fewbits::runtime
