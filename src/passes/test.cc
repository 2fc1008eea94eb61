// Constant folding; unique names.
#include <gtest/gtest.h>

#include "base/half.h"
#include "passes/fold_constants.h"
#include "passes/pipeline.h"
#include "support/small_models.h"

namespace fewbits::passes {
namespace {

using fewbits::testing::add_const;
using fewbits::testing::add_floats;
using fewbits::testing::add_node;
using fewbits::testing::add_value;

TEST(FoldConstants, HalfPrecisionWeightsBecomeFloat) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId half = add_const<uint16_t>(g, "half", {2}, {0x3c00, 0xc000}, DType::kFloat16);  // 1, -2
  const ValueId wide = add_value(g, "wide", {2}), in = add_value(g, "in", {2}), out = add_value(g, "out", {2});
  add_node(g, Op::DEQUANTIZE, {half}, {wide});
  add_node(g, Op::ADD, {in, wide}, {out}, tflite::AddOptionsT());
  g.inputs = {in};
  g.outputs = {out};
  const Status status = fold_constants(model);
  ASSERT_TRUE(status) << status.error().message;
  ASSERT_EQ(g.order().size(), 1u);
  const Value& folded = g.value(wide);
  ASSERT_TRUE(folded.is_const);
  ASSERT_EQ(folded.data.bytes().size(), 8u);
  EXPECT_EQ(folded.data.as<float>()[0], 1.0f);
  EXPECT_EQ(folded.data.as<float>()[1], -2.0f);
}

TEST(FoldConstants, ChainsAndLeavesTheRest) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId a = add_floats(g, "a", {2}, {1, 2}), b = add_floats(g, "b", {2}, {3, 4});
  const ValueId sum = add_value(g, "sum", {2}), product = add_value(g, "product", {2});
  const ValueId in = add_value(g, "in", {2}), out = add_value(g, "out", {2});
  add_node(g, Op::ADD, {a, b}, {sum}, tflite::AddOptionsT());
  add_node(g, Op::MUL, {sum, b}, {product}, tflite::MulOptionsT());
  add_node(g, Op::ADD, {in, product}, {out}, tflite::AddOptionsT());
  g.inputs = {in};
  g.outputs = {out};
  ASSERT_TRUE(fold_constants(model));
  ASSERT_EQ(g.order().size(), 1u);
  EXPECT_EQ(g.value(product).data.as<float>()[1], 24.0f);
  EXPECT_FALSE(g.value(out).is_const);
}

TEST(FoldConstants, DoesNotBlowUpTheModel) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId dims = add_const<int32_t>(g, "dims", {2}, {4096, 4096}, DType::kInt32),
                value = add_floats(g, "value", {}, {1});
  const ValueId filled = add_value(g, "filled", {4096, 4096});
  add_node(g, Op::FILL, {dims, value}, {filled});
  g.outputs = {filled};
  ASSERT_TRUE(fold_constants(model));
  EXPECT_EQ(g.order().size(), 1u);
}

TEST(UniqueNames, InputsAndOutputsKeepTheirsAndOthersAreNumbered) {
  Graph g;
  const ValueId a = add_value(g, "x", {1}), in = add_value(g, "x", {1}), b = add_value(g, "x", {1}),
                taken = add_value(g, "x/2", {1}), out = add_value(g, "y", {1}), c = add_value(g, "y", {1});
  g.inputs = {in};
  g.outputs = {out, in};
  unique_names(g);
  EXPECT_EQ(g.value(in).name, "x");
  EXPECT_EQ(g.value(out).name, "y");
  EXPECT_EQ(g.value(a).name, "x/2");
  EXPECT_EQ(g.value(b).name, "x/3");
  EXPECT_EQ(g.value(taken).name, "x/2/2");
  EXPECT_EQ(g.value(c).name, "y/2");
}

}  // namespace
}  // namespace fewbits::passes
