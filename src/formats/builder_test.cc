// GraphBuilder: shapes under two trial sizes, folding, padding, names.
#include "formats/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/formulas.h"
#include "formats/options.h"

namespace fewbits::formats {
namespace {

using ::testing::ElementsAre;

class Builder : public ::testing::Test {
 protected:
  Model model_ = [] {
    Model m;
    m.graphs.resize(1);
    return m;
  }();
  GraphBuilder b{model_, 0};
  ValueId filter(int out, int k, int in) {
    return b.constant(std::vector<float>(static_cast<size_t>(out * k * k * in), 0.5f), DType::kFloat32,
                      {out, k, k, in});
  }
  void expect_good() {
    const Status finished = b.finish();
    ASSERT_TRUE(finished) << finished.error().message;
    const Status verified = verify(model_);
    ASSERT_TRUE(verified) << verified.error().message;
  }
  std::vector<Op> ops() {
    std::vector<Op> list;
    for (NodeId id : b.graph().order()) list.push_back(b.graph().node(id).op);
    return list;
  }
};

TEST_F(Builder, ConstantsAreFoldedOnTheSpot) {
  const ValueId sum = b.add(b.floats({1, 2}), b.floats({3, 4}));
  ASSERT_TRUE(b.is_const(sum));
  EXPECT_THAT(*b.number_values(sum), ElementsAre(4, 6));
  EXPECT_TRUE(b.graph().order().empty());
}

TEST_F(Builder, PaddingIsSameWhereItIsTheSame) {
  const ValueId x = b.input("x", DType::kFloat32, {1, 8, 8, 3});
  b.output(b.conv2d(x, filter(4, 3, 3), kNoValue, {.top = 1, .left = 1, .bottom = 1, .right = 1}), "stride1");
  b.output(b.conv2d(x, filter(4, 3, 3), kNoValue, {.stride_h = 2, .stride_w = 2, .bottom = 1, .right = 1}), "stride2");
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D, Op::CONV_2D));
  // TFLite's SAME would pad only behind.
  const ValueId even = b.conv2d(x, filter(4, 3, 3), kNoValue,
                                {.stride_h = 2, .stride_w = 2, .top = 1, .left = 1, .bottom = 1, .right = 1});
  b.output(even, "padded");
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D, Op::CONV_2D, Op::PAD, Op::CONV_2D));
  EXPECT_THAT(b.shape(even), ElementsAre(1, 4, 4, 4));
  expect_good();
}

TEST_F(Builder, SizesThatChangeAreFollowedThroughShapeArithmetic) {
  const ValueId x = b.input("x", DType::kFloat32, {-1, 8, -1, 4});
  EXPECT_THAT(b.shape(x), ElementsAre(-1, 8, -1, 4));
  const ValueId sizes = b.shape_of(x);
  const ValueId channels = b.gather(sizes, b.int_scalar(3), 0);
  EXPECT_TRUE(b.is_const(channels));  // the same under every size
  const ValueId width = b.gather(sizes, b.int_scalar(2), 0);
  EXPECT_FALSE(b.is_const(width));
  const ValueId batch = b.gather(sizes, b.int_scalar(0), 0);
  // [batch, 8 * 4, width]: two sizes are computed; [batch, 8 * width * 4] leaves one.
  const ValueId three = b.reshape_to(x, b.pack({batch, b.int_scalar(32), width}, 0));
  EXPECT_THAT(b.shape(three), ElementsAre(-1, 32, -1));
  const ValueId fixed = b.reshape_to(b.reduce(Op::MEAN, x, {2}, false), b.pack({batch, b.int_scalar(32)}, 0));
  EXPECT_THAT(b.shape(fixed), ElementsAre(-1, 32));
  EXPECT_THAT(*b.int_values(b.producer(fixed)->inputs[1]), ElementsAre(-1, 32));
  b.output(three, "three");
  b.output(fixed, "fixed");
  expect_good();
  EXPECT_THAT(b.value(three).shape_signature, ElementsAre(-1, 32, -1));
  EXPECT_THAT(b.value(three).shape, ElementsAre(1, 32, 1));
}

TEST_F(Builder, EqualSymbolsAreEqualSizes) {
  const std::vector<std::string> names = {"n", "s"};
  const ValueId a = b.input("a", DType::kFloat32, {-1, -1}, names), c = b.input("c", DType::kFloat32, {-1, -1}, names);
  EXPECT_THAT(b.shape(b.add(a, c)), ElementsAre(-1, -1));
  EXPECT_TRUE(b.ok());
}

TEST_F(Builder, TransposesCompose) {
  const ValueId x = b.input("x", DType::kFloat32, {1, 2, 3, 4});
  const ValueId there = b.transpose(x, {0, 3, 1, 2});
  EXPECT_EQ(b.transpose(there, {0, 2, 3, 1}), x);
  EXPECT_EQ(b.dim(there, 1), 4);
}

TEST_F(Builder, OutputsAreNeverInputsOrConstants) {
  const ValueId x = b.input("x", DType::kFloat32, {2});
  b.output(x, "same");
  b.output(b.floats({1}), "constant");
  const ValueId y = b.unary(Op::RELU, x);
  b.output(y, "y");
  b.output(y, "again");
  expect_good();
  EXPECT_EQ(b.value(b.graph().outputs[3]).name, "again");
  EXPECT_EQ(b.graph().order().size(), 4u);
}

TEST_F(Builder, ErrorsStickAndNothingCrashes) {
  const ValueId x = b.input("x", DType::kFloat32, {2, 3});
  const ValueId bad = b.add(x, b.floats({1, 2}));
  EXPECT_FALSE(b.ok());
  EXPECT_EQ(b.dim(bad, 7), -1);
  b.output(b.matmul(bad, b.transpose(bad, {5, 6})), "y");
  EXPECT_FALSE(b.finish());
}

TEST_F(Builder, MeansOfWindowsCountElementsOrPadding) {
  const ValueId x = b.input("x", DType::kFloat32, {1, 4, 4, 1});
  const Window w = {.stride_h = 2, .stride_w = 2, .top = 1, .left = 1, .bottom = 1, .right = 1};
  b.average_pool(x, 3, 3, w, true);
  EXPECT_THAT(ops(), ElementsAre(Op::PAD, Op::AVERAGE_POOL_2D));
  const ValueId y = b.average_pool(x, 3, 3, w, false);
  const auto factors = b.number_values(b.producer(y)->inputs[1]);
  ASSERT_TRUE(factors);
  EXPECT_FLOAT_EQ((*factors)[0], 9.0f / 4);  // the corner window has four elements
  EXPECT_FLOAT_EQ((*factors)[3], 1.0f);
}

TEST_F(Builder, TransposedConvolutionsAreCropped) {
  const ValueId x = b.input("x", DType::kFloat32, {1, 4, 4, 2});
  const ValueId same = b.transpose_conv(x, filter(3, 2, 2), kNoValue, {.stride_h = 2, .stride_w = 2}, 8, 8);
  EXPECT_THAT(b.shape(same), ElementsAre(1, 8, 8, 3));
  const ValueId cropped = b.transpose_conv(
      x, filter(3, 3, 2), kNoValue, {.stride_h = 2, .stride_w = 2, .top = 1, .left = 1, .bottom = 1, .right = 1}, 7, 7);
  EXPECT_THAT(b.shape(cropped), ElementsAre(1, 7, 7, 3));
  EXPECT_TRUE(b.ok());
}

TEST_F(Builder, ReservedNamesAreThoseOfTheOutputs) {
  const ValueId x = b.input("x", DType::kFloat32, {2});
  b.reserve("y");
  b.set_scope("y");
  b.output(b.unary(Op::NEG, b.unary(Op::EXP, x)), "y");
  expect_good();
  EXPECT_EQ(model_.main().value(model_.main().outputs[0]).name, "y");
}

TEST_F(Builder, BatchNormIsComputedInDouble) {
  const float gamma = 1.7f, beta = 0.3f, mean = 30.1f, variance = 3.3e-4f;
  const auto [factor, addend] =
      batch_norm(b, b.floats({gamma}), b.floats({beta}), b.floats({mean}), b.floats({variance}), 1e-3);
  const double exact = double{gamma} / std::sqrt(double{variance} + 1e-3);
  EXPECT_EQ(b.value(factor).data.as<float>()[0], static_cast<float>(exact));
  EXPECT_EQ(b.value(addend).data.as<float>()[0], static_cast<float>(double{beta} - double{mean} * exact));
}

TEST_F(Builder, PoolsOfVolumesAreTwoPools) {
  const ValueId x = b.input("x", DType::kFloat32, {-1, 4, 6, 8, 3});
  const ValueId y = b.pool3d(true, x, {2, 3, 2}, {2, 3, 2}, {}, {}, false, false);
  b.output(y, "y");
  expect_good();
  EXPECT_EQ(b.shape(y), (Shape{-1, 2, 2, 4, 3}));
}

}  // namespace
}  // namespace fewbits::formats
