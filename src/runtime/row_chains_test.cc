// Operators that run on the rows of the product before them: the same bits as without, and only where nobody looks in.
#include "runtime/row_chains.h"

#include <gtest/gtest.h>

#include "runtime/session.h"
#include "support/small_models.h"

namespace fewbits::runtime {
namespace {

using fewbits::testing::add_floats;
using fewbits::testing::add_node;
using fewbits::testing::add_value;
using fewbits::testing::some_floats;

// A network of one input; values of one shape after the product.
struct Net {
  Net() { model.graphs.resize(1); }
  Graph& g() { return model.main(); }

  ValueId start(Shape shape) {
    const ValueId x = add_value(g(), "x", std::move(shape));
    g().inputs = {x};
    return x;
  }
  ValueId conv(ValueId x, Shape out, int32_t filter, const std::string& name) {
    const int32_t in = g().value(x).shape.back(), units = out.back();
    const auto count = static_cast<size_t>(units * filter * filter * in);
    const ValueId w = add_floats(g(), name + "/w", {units, filter, filter, in}, some_floats(count, 1));
    const ValueId b = add_floats(g(), name + "/b", {units}, some_floats(static_cast<size_t>(units), 2));
    tflite::Conv2DOptionsT options;
    options.stride_w = options.stride_h = 1;
    return add(Op::CONV_2D, {x, w, b}, std::move(out), name, options);
  }
  template <class Options>
  ValueId add(Op op, std::vector<ValueId> inputs, Shape out, const std::string& name, Options options) {
    const ValueId y = add_value(g(), name, std::move(out));
    add_node(g(), op, std::move(inputs), {y}, std::move(options));
    return y;
  }
  ValueId add(Op op, std::vector<ValueId> inputs, Shape out, const std::string& name) {
    const ValueId y = add_value(g(), name, std::move(out));
    add_node(g(), op, std::move(inputs), {y});
    return y;
  }
  ValueId swish(ValueId x, const std::string& name) {
    const Shape shape = g().value(x).shape;
    const ValueId sigmoid = add(Op::LOGISTIC, {x}, shape, name + "/sigmoid");
    return add(Op::MUL, {x, sigmoid}, shape, name, tflite::MulOptionsT());
  }

  Model model;
};

struct Ran {
  std::vector<std::string> choices;
  std::vector<std::vector<float>> outputs;
};

Ran run(const Model& model, bool fuse, int threads = 1) {
  PlanOptions options;
  options.fuse = fuse;
  const auto plan = Plan::make(std::make_shared<const Model>(model), options);
  EXPECT_TRUE(plan) << plan.error().message;
  const auto session = Session::make(*plan, {.threads = threads});
  EXPECT_TRUE(session);
  const std::vector<float> x = some_floats((*session)->input_view(0).bytes / sizeof(float), 7);
  std::copy(x.begin(), x.end(), static_cast<float*>((*session)->input(0)));
  EXPECT_TRUE((*session)->run());
  Ran ran;
  for (size_t s = 0; s < (*plan)->steps().size(); ++s) ran.choices.push_back((*session)->choice(s));
  for (size_t i = 0; i < model.main().outputs.size(); ++i) {
    const TensorView out = (*session)->output(i);
    const auto* data = static_cast<const float*>(out.data);
    ran.outputs.emplace_back(data, data + out.bytes / sizeof(float));
  }
  return ran;
}

// The steps of the joined plan, whose outputs are the separate operators' on any number of threads.
std::vector<std::string> joined(const Model& model) {
  const Ran plain = run(model, false);
  for (const std::string& choice : plain.choices) EXPECT_EQ(choice.find("on its rows"), std::string::npos) << choice;
  for (int threads : {1, 3}) EXPECT_EQ(run(model, true, threads).outputs, plain.outputs) << threads << " threads";
  return run(model, true).choices;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

TEST(RowChains, SwishAfterConvolutionsOfAnyShape) {
  struct Case {
    Shape in, out;
    int32_t filter;
  };
  for (const Case& c : {Case{{1, 40, 40, 16}, {1, 40, 40, 96}, 1}, Case{{2, 9, 7, 5}, {2, 9, 7, 33}, 3},
                        Case{{3, 1, 1, 8}, {3, 1, 1, 2048}, 1}, Case{{1, 61, 50, 3}, {1, 61, 50, 1}, 3}}) {
    Net net;
    net.g().outputs = {net.swish(net.conv(net.start(c.in), c.out, c.filter, "conv"), "swish")};
    const auto steps = joined(net.model);
    ASSERT_EQ(steps.size(), 1u) << shape_text(c.out);
    EXPECT_TRUE(ends_with(steps[0], ", then LOGISTIC, MUL on its rows")) << steps[0];
  }
}

TEST(RowChains, AfterDepthwiseGroupedAndDenseProducts) {
  Net depthwise;
  ValueId x = depthwise.start({2, 30, 30, 24});
  ValueId w = add_floats(depthwise.g(), "w", {1, 3, 3, 24}, some_floats(216, 3));
  tflite::DepthwiseConv2DOptionsT options;
  options.stride_w = options.stride_h = options.depth_multiplier = 1;
  x = depthwise.add(Op::DEPTHWISE_CONV_2D, {x, w, kNoValue}, {2, 30, 30, 24}, "dw", options);
  depthwise.g().outputs = {depthwise.swish(x, "swish")};
  EXPECT_EQ(joined(depthwise.model).size(), 1u);

  Net groups;
  x = groups.start({1, 20, 20, 8});
  w = add_floats(groups.g(), "w", {12, 3, 3, 4}, some_floats(432, 4));
  tflite::Conv2DOptionsT conv;
  conv.stride_w = conv.stride_h = 1;
  x = groups.add(Op::CONV_2D, {x, w, kNoValue}, {1, 20, 20, 12}, "conv", conv);
  groups.g().outputs = {groups.swish(x, "swish")};
  EXPECT_EQ(joined(groups.model).size(), 1u);

  Net dense;
  x = dense.start({77, 64});
  w = add_floats(dense.g(), "w", {256, 64}, some_floats(16384, 5));
  x = dense.add(Op::FULLY_CONNECTED, {x, w, kNoValue}, {77, 256}, "fc", tflite::FullyConnectedOptionsT());
  dense.g().outputs = {dense.add(Op::GELU, {x}, {77, 256}, "gelu", tflite::GeluOptionsT())};
  EXPECT_EQ(joined(dense.model).size(), 1u);
}

TEST(RowChains, OperandsOfWholeShapeOfARowAndOfOneElement) {
  Net net;
  const Shape shape = {1, 12, 11, 10};
  const ValueId x = net.start(shape);
  const ValueId row = add_floats(net.g(), "row", {1, 1, 1, 10}, some_floats(10, 8)),
                one = add_floats(net.g(), "one", {}, {0.3f});
  ValueId y = net.conv(x, shape, 1, "conv");
  y = net.add(Op::ADD, {x, y}, shape, "residual", tflite::AddOptionsT());
  y = net.add(Op::MUL, {y, row}, shape, "scaled", tflite::MulOptionsT());
  y = net.add(Op::SUB, {one, y}, shape, "less", tflite::SubOptionsT());
  net.g().outputs = {y};
  const auto steps = joined(net.model);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_TRUE(ends_with(steps[0], ", then ADD, MUL, SUB on its rows")) << steps[0];
}

TEST(RowChains, AnAdditionGoesToTheLaterOfTwoProducts) {
  Net net;
  const Shape shape = {1, 16, 16, 8};
  const ValueId x = net.start(shape);
  const ValueId a = net.conv(x, shape, 1, "a"), b = net.conv(x, shape, 3, "b");
  net.g().outputs = {net.add(Op::ADD, {a, b}, shape, "sum", tflite::AddOptionsT())};
  const auto steps = joined(net.model);
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_TRUE(ends_with(steps[1], ", then ADD on its rows")) << steps[1];
}

TEST(RowChains, WhatOthersReadStays) {
  const Shape shape = {1, 16, 16, 8};
  Net output;  // the product itself is an output
  ValueId x = output.conv(output.start(shape), shape, 1, "conv");
  output.g().outputs = {output.swish(x, "swish"), x};
  EXPECT_EQ(joined(output.model).size(), 3u);

  Net read;  // the swish is read by two: the chain ends there
  x = read.swish(read.conv(read.start(shape), shape, 1, "conv"), "swish");
  read.g().outputs = {read.add(Op::RELU, {x}, shape, "relu"), read.add(Op::TANH, {x}, shape, "tanh")};
  EXPECT_EQ(joined(read.model).size(), 3u);

  Net before;  // the product is read by another operator between
  x = before.conv(before.start(shape), shape, 1, "conv");
  const ValueId other = before.conv(x, shape, 3, "other");
  before.g().outputs = {before.swish(x, "swish"), other};
  EXPECT_EQ(joined(before.model).size(), 4u);
}

TEST(RowChains, OtherShapesAndTypesAreNotRows) {
  const Shape shape = {1, 16, 16, 8};
  Net broadcast;  // the operand varies along the height
  const ValueId column = add_floats(broadcast.g(), "column", {1, 16, 1, 1}, some_floats(16, 9));
  const ValueId x = broadcast.conv(broadcast.start(shape), shape, 1, "conv");
  broadcast.g().outputs = {broadcast.add(Op::ADD, {x, column}, shape, "sum", tflite::AddOptionsT())};
  EXPECT_EQ(joined(broadcast.model).size(), 2u);

  Net grows;  // the product is the smaller operand
  const ValueId y = grows.conv(grows.start({1, 1, 1, 8}), {1, 1, 1, 8}, 1, "conv");
  const ValueId large = add_floats(grows.g(), "large", {1, 4, 1, 8}, some_floats(32, 3));
  grows.g().outputs = {grows.add(Op::ADD, {y, large}, {1, 4, 1, 8}, "sum", tflite::AddOptionsT())};
  EXPECT_EQ(joined(grows.model).size(), 2u);
}

TEST(RowChains, ATapSeesWhatTheLastOperatorMakes) {
  Net net;
  const ValueId x = net.start({1, 4, 4, 8});
  const ValueId y = net.swish(net.conv(x, {1, 4, 4, 8}, 1, "conv"), "swish");
  net.g().outputs = {y};
  const auto plan = Plan::make(std::make_shared<const Model>(net.model), {});
  ASSERT_TRUE(plan);
  const auto session = Session::make(*plan);
  ASSERT_TRUE(session);
  std::vector<ValueId> seen;
  (*session)->set_tap([&](int32_t, ValueId id, const TensorView& view) -> Status {
    EXPECT_NE(view.data, nullptr);
    seen.push_back(id);
    return {};
  });
  ASSERT_TRUE((*session)->run());
  EXPECT_EQ(seen, (std::vector<ValueId>{x, y}));
}

}  // namespace
}  // namespace fewbits::runtime
