// Gates that hybrid convolutions apply on the way in: the same bits as a product before, and only where nobody else reads it.
#include "runtime/gates.h"

#include <gtest/gtest.h>

#include "runtime/session.h"
#include "support/small_models.h"

namespace fewbits::runtime {
namespace {

using fewbits::testing::add_const;
using fewbits::testing::add_floats;
using fewbits::testing::add_node;
using fewbits::testing::add_value;
using fewbits::testing::some_floats;

// MUL(x, gate) -> CONV_2D of int8 weights. The gate is an input; `first`: of the two operands.
struct Net {
  Net(Shape image, Shape gate_shape, bool first, bool hybrid = true) {
    model.graphs.resize(1);
    Graph& g = model.main();
    const int32_t channels = image[3];
    const ValueId x = add_value(g, "x", image), gate = add_value(g, "gate", std::move(gate_shape));
    product = add_value(g, "product", image);
    add_node(g, Op::MUL, first ? std::vector{gate, x} : std::vector{x, gate}, {product}, tflite::MulOptionsT());
    const std::vector<float> reals = some_floats(static_cast<size_t>(24 * channels), 3);
    ValueId w;
    if (hybrid) {
      std::vector<int8_t> values;
      for (float v : reals) values.push_back(static_cast<int8_t>(v * 127));
      w = add_const(g, "w", {24, 1, 1, channels}, std::move(values), DType::kInt8);
      g.value(w).quant.scale.assign(24, 0.01f);
      g.value(w).quant.zero_point.assign(24, 0);
    } else {
      w = add_floats(g, "w", {24, 1, 1, channels}, reals);
    }
    Shape made = image;
    made[3] = 24;
    const ValueId y = add_value(g, "y", made);
    tflite::Conv2DOptionsT options;
    options.stride_h = options.stride_w = 1;
    add_node(g, Op::CONV_2D, {product, w, kNoValue}, {y}, options);
    g.inputs = {x, gate};
    g.outputs = {y};
  }
  Model model;
  ValueId product;
};

struct Ran {
  size_t steps = 0;
  std::vector<float> outputs;
};

Ran run(const Net& net, bool fuse, int threads) {
  PlanOptions options;
  options.fuse = fuse;
  const auto plan = Plan::make(std::make_shared<const Model>(net.model), options);
  EXPECT_TRUE(plan) << plan.error().message;
  const auto session = Session::make(*plan, {.threads = threads});
  EXPECT_TRUE(session);
  for (size_t i = 0; i < 2; ++i) {
    const std::vector<float> values = some_floats((*session)->input_view(i).bytes / sizeof(float), 7);
    std::copy(values.begin(), values.end(), static_cast<float*>((*session)->input(i)));
  }
  EXPECT_TRUE((*session)->run());
  const TensorView out = (*session)->output(0);
  const auto* data = static_cast<const float*>(out.data);
  return {(*plan)->steps().size(), {data, data + out.bytes / sizeof(float)}};
}

size_t joined(const Net& net) {
  const Ran plain = run(net, false, 1);
  EXPECT_EQ(plain.steps, 2u);
  for (int threads : {1, 3}) EXPECT_EQ(run(net, true, threads).outputs, plain.outputs);
  return run(net, true, 1).steps;
}

TEST(Gates, OfAnyWidthAndBatch) {
  for (int32_t channels : {1, 7, 64, 100}) {
    for (int32_t batch : {1, 3}) {
      EXPECT_EQ(joined(Net({batch, 30, 41, channels}, {batch, 1, 1, channels}, batch == 3)), 1u) << channels;
    }
  }
}

TEST(Gates, OtherProductsStay) {
  EXPECT_EQ(joined(Net({2, 8, 8, 16}, {1, 1, 1, 16}, false)), 2u);         // one gate for all images
  EXPECT_EQ(joined(Net({1, 8, 8, 16}, {1, 8, 8, 1}, false)), 2u);          // a mask
  EXPECT_EQ(joined(Net({1, 8, 8, 16}, {1, 1, 1, 16}, false, false)), 2u);  // floats
  Net read({1, 8, 8, 16}, {1, 1, 1, 16}, false);
  read.model.main().outputs.push_back(read.product);
  EXPECT_EQ(joined(read), 2u);
}

}  // namespace
}  // namespace fewbits::runtime
