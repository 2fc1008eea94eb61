// Convolutions that run a band of lines at a time: the same bits as one after another, on any number of threads, and only where
// nobody looks in.
#include "runtime/line_bands.h"

#include <gtest/gtest.h>

#include <cstring>

#include "runtime/session.h"
#include "support/small_models.h"

namespace fewbits::runtime {
namespace {

using fewbits::testing::add_const;
using fewbits::testing::add_floats;
using fewbits::testing::add_node;
using fewbits::testing::add_value;
using fewbits::testing::some_floats;

enum class Kind : uint8_t { kFloat, kHybrid, kInt8 };

// The size of an output by the rules of TFLite.
int32_t size_of(int32_t in, int32_t filter, int32_t stride, int32_t dilation, bool same) {
  return same ? (in + stride - 1) / stride : (in - (filter - 1) * dilation - 1) / stride + 1;
}

// A network of convolutions. kHybrid: CONV_2D has int8 weights under float activations.
struct Net {
  explicit Net(Kind k) : kind(k) { model.graphs.resize(1); }
  Graph& g() { return model.main(); }
  Shape shape(ValueId x) { return g().value(x).shape; }

  ValueId tensor(const std::string& name, Shape shape) {
    const ValueId id = add_value(g(), name, std::move(shape), kind == Kind::kInt8 ? DType::kInt8 : DType::kFloat32);
    if (kind == Kind::kInt8) g().value(id).quant = {.scale = {0.05f}, .zero_point = {3}};
    return id;
  }
  ValueId start(Shape shape) {
    const ValueId x = tensor("x", std::move(shape));
    g().inputs = {x};
    return x;
  }
  ValueId weights(const std::string& name, const Shape& shape, size_t units, int32_t axis, bool bytes) {
    const size_t count = element_count(shape);
    const std::vector<float> reals = some_floats(count, 11);
    if (!bytes) return add_floats(g(), name, shape, reals);
    std::vector<int8_t> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<int8_t>(reals[i] * 127);
    const ValueId id = add_const(g(), name, shape, std::move(values), DType::kInt8);
    QuantParams& quant = g().value(id).quant;
    for (size_t c = 0; c < units; ++c) quant.scale.push_back(0.002f + 0.0001f * static_cast<float>(c % 7));
    quant.zero_point.assign(units, 0);
    quant.axis = axis;
    return id;
  }
  ValueId bias(const std::string& name, size_t units) {
    const auto count = static_cast<int32_t>(units);
    if (kind != Kind::kInt8) return add_floats(g(), name, {count}, some_floats(units, 12));
    return add_const(g(), name, {count}, std::vector<int32_t>(units, 500), DType::kInt32);
  }
  ValueId conv(ValueId x, int32_t units, const std::string& name, int32_t filter = 1, int32_t stride = 1) {
    const Shape in = shape(x);
    const auto count = static_cast<size_t>(units);
    tflite::Conv2DOptionsT options;
    options.stride_w = options.stride_h = stride;
    options.fused_activation_function = tflite::ActivationFunctionType::RELU;
    const ValueId w = weights(name + "/w", {units, filter, filter, in[3]}, count, 0, kind != Kind::kFloat);
    const ValueId y =
        tensor(name, {in[0], size_of(in[1], filter, stride, 1, true), size_of(in[2], filter, stride, 1, true), units});
    add_node(g(), Op::CONV_2D, {x, w, bias(name + "/b", count)}, {y}, options);
    return y;
  }
  ValueId depthwise(ValueId x, const std::string& name, int32_t filter, int32_t stride, int32_t dilation, bool same) {
    const Shape in = shape(x);
    const auto count = static_cast<size_t>(in[3]);
    tflite::DepthwiseConv2DOptionsT options;
    options.stride_w = options.stride_h = stride;
    options.dilation_w_factor = options.dilation_h_factor = dilation;
    options.depth_multiplier = 1;
    options.padding = same ? tflite::Padding::SAME : tflite::Padding::VALID;
    const ValueId w = weights(name + "/w", {1, filter, filter, in[3]}, count, 3, kind == Kind::kInt8);
    const ValueId y = tensor(name, {in[0], size_of(in[1], filter, stride, dilation, same),
                                    size_of(in[2], filter, stride, dilation, same), in[3]});
    add_node(g(), Op::DEPTHWISE_CONV_2D, {x, w, bias(name + "/b", count)}, {y}, options);
    return y;
  }
  // A function of each element.
  ValueId swish(ValueId x, const std::string& name) {
    const ValueId sigmoid = tensor(name + "/sigmoid", shape(x)), y = tensor(name, shape(x));
    if (kind == Kind::kInt8) g().value(sigmoid).quant = {.scale = {1.0f / 256}, .zero_point = {-128}};
    add_node(g(), Op::LOGISTIC, {x}, {sigmoid});
    add_node(g(), Op::MUL, {x, sigmoid}, {y}, tflite::MulOptionsT());
    return y;
  }
  ValueId add(ValueId a, ValueId b, const std::string& name) {
    const ValueId y = tensor(name, shape(a));
    add_node(g(), Op::ADD, {a, b}, {y}, tflite::AddOptionsT());
    return y;
  }

  Model model;
  Kind kind;
};

struct Ran {
  std::vector<std::string> choices;
  std::vector<std::vector<std::byte>> outputs;
};

Ran run(const Net& net, bool fuse, int threads) {
  PlanOptions options;
  options.fuse = fuse;
  const auto plan = Plan::make(std::make_shared<const Model>(net.model), options);
  EXPECT_TRUE(plan) << plan.error().message;
  const auto session = Session::make(*plan, {.threads = threads});
  EXPECT_TRUE(session);
  const TensorView in = (*session)->input_view(0);
  const std::vector<float> x = some_floats(in.bytes, 7);
  for (size_t i = 0; i < in.bytes / dtype_bits(in.dtype) * 8; ++i) {
    if (in.dtype == DType::kInt8) {
      static_cast<int8_t*>((*session)->input(0))[i] = static_cast<int8_t>(x[i] * 127);
    } else {
      static_cast<float*>((*session)->input(0))[i] = x[i];
    }
  }
  for (int again = 0; again < 2; ++again) EXPECT_TRUE((*session)->run());
  Ran ran;
  for (size_t s = 0; s < (*plan)->steps().size(); ++s) ran.choices.push_back((*session)->choice(s));
  for (size_t i = 0; i < net.model.main().outputs.size(); ++i) {
    const TensorView out = (*session)->output(i);
    const auto* data = static_cast<const std::byte*>(out.data);
    ran.outputs.emplace_back(data, data + out.bytes);
  }
  return ran;
}

// The steps of the joined plan, whose outputs are the separate operators' on any number of threads.
std::vector<std::string> joined(const Net& net) {
  const Ran plain = run(net, false, 1);
  for (const std::string& choice : plain.choices) EXPECT_EQ(choice.find("; by "), std::string::npos) << choice;
  for (int threads : {1, 2, 5}) EXPECT_EQ(run(net, true, threads).outputs, plain.outputs) << threads << " threads";
  return run(net, true, 1).choices;
}

struct Window {
  int32_t filter, stride, dilation;
  bool same;
};
constexpr Window kWindows[] = {{3, 1, 1, true}, {3, 2, 1, true},  {5, 1, 1, true},  {5, 2, 1, false},
                               {3, 1, 2, true}, {3, 1, 1, false}, {2, 3, 1, false}, {1, 2, 1, false}};

TEST(LineBands, AnInvertedBottleneckOfFloats) {
  for (const Window& w : kWindows) {
    Net net(Kind::kFloat);
    ValueId x = net.conv(net.start({1, 41, 40, 24}), 176, "expand");
    x = net.depthwise(x, "dw", w.filter, w.stride, w.dilation, w.same);
    net.g().outputs = {net.conv(x, 16, "project")};
    const auto steps = joined(net);
    EXPECT_LE(steps.size(), 2u) << w.filter << ' ' << w.stride;
    EXPECT_NE(steps[0].find("; by "), std::string::npos) << steps[0];
  }
}

TEST(LineBands, WithSwishesAndAResidualOnTheRows) {
  for (int32_t batch : {1, 3}) {
    Net net(Kind::kFloat);
    const ValueId x = net.start({batch, 33, 57, 24});
    ValueId y = net.swish(net.conv(x, 144, "expand"), "swish");
    y = net.swish(net.depthwise(y, "dw", 3, 1, 1, true), "swish2");
    net.g().outputs = {net.add(x, net.conv(y, 24, "project"), "sum")};
    const auto steps = joined(net);
    ASSERT_EQ(steps.size(), 1u);
    EXPECT_NE(steps[0].find("then ADD on its rows; by "), std::string::npos) << steps[0];
  }
}

TEST(LineBands, QuantizedInputsOfTheFirstOnly) {
  for (int32_t batch : {1, 2}) {
    Net net(Kind::kHybrid);
    ValueId x = net.swish(net.conv(net.start({batch, 45, 40, 32}), 192, "expand"), "swish");
    x = net.depthwise(x, "dw", 5, 1, 1, true);
    net.g().outputs = {net.conv(x, 24, "project")};  // its input's range is known when all of it is there
    EXPECT_EQ(joined(net).size(), 2u);
  }
}

TEST(LineBands, BytesWithTables) {
  for (const Window& w : kWindows) {
    Net net(Kind::kInt8);
    ValueId x = net.swish(net.conv(net.start({2, 75, 60, 16}), 192, "expand"), "swish");
    x = net.swish(net.depthwise(x, "dw", w.filter, w.stride, w.dilation, w.same), "swish2");
    net.g().outputs = {net.conv(x, 16, "project")};
    const auto steps = joined(net);
    EXPECT_LE(steps.size(), 3u);
    EXPECT_NE(steps[0].find("one table of 256 for LOGISTIC, MUL; depthwise"), std::string::npos) << steps[0];
  }
}

TEST(LineBands, AFirstConvolutionOfAnyShapeAndALongChain) {
  Net net(Kind::kFloat);
  ValueId x = net.conv(net.start({1, 97, 101, 3}), 96, "stem", 3, 2);
  x = net.depthwise(x, "dw", 3, 1, 1, true);
  x = net.conv(x, 112, "project");
  x = net.depthwise(x, "dw2", 3, 2, 1, true);
  net.g().outputs = {x};
  EXPECT_EQ(joined(net).size(), 1u);
}

TEST(LineBands, WhatOthersReadOrIsSmallStays) {
  Net read(Kind::kFloat);  // the expansion is an output, too
  ValueId x = read.conv(read.start({1, 40, 40, 24}), 176, "expand");
  read.g().outputs = {read.depthwise(x, "dw", 3, 1, 1, true), x};
  EXPECT_EQ(joined(read).size(), 2u);

  Net twice(Kind::kFloat);
  x = twice.conv(twice.start({1, 40, 40, 24}), 176, "expand");
  twice.g().outputs = {twice.depthwise(x, "a", 3, 1, 1, true), twice.depthwise(x, "b", 3, 1, 1, true)};
  EXPECT_EQ(joined(twice).size(), 3u);

  Net small(Kind::kFloat);
  x = small.conv(small.start({1, 10, 10, 24}), 176, "expand");
  small.g().outputs = {small.depthwise(x, "dw", 3, 1, 1, true)};
  EXPECT_EQ(joined(small).size(), 2u);
}

TEST(LineBands, SessionsNeedNoMoreMemoryThanBefore) {
  Net net(Kind::kFloat);
  ValueId x = net.conv(net.start({1, 128, 128, 16}), 96, "expand");
  x = net.depthwise(x, "dw", 3, 2, 1, true);
  net.g().outputs = {net.conv(x, 16, "project")};
  const auto bytes = [&](bool fuse) {
    PlanOptions options;
    options.fuse = fuse;
    const auto plan = Plan::make(std::make_shared<const Model>(net.model), options);
    EXPECT_TRUE(plan);
    return (*plan)->arena_bytes() + (*plan)->workspace_bytes();
  };
  EXPECT_LT(bytes(true), bytes(false) * 3 / 4);
}

}  // namespace
}  // namespace fewbits::runtime
