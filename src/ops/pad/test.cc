// Paddings of a run, packed and wide elements, more dimensions than LiteRT takes, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ints = std::vector<int32_t>;

TEST(Pad, WritesTheZeroPoint) {
  OneOp op(Op::PAD);
  op.input(DType::kInt8, {1, 2}, std::vector<int8_t>{1, 2}, quant({0.5f}, {-3}))
      .constant(DType::kInt32, {2, 2}, Ints{1, 0, 0, 1});
  op.output(DType::kInt8, quant({0.5f}, {-3}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 3}));
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(-3, -3, -3, 1, 2, -3));
}

TEST(Pad, Int4ZeroPointIsPacked) {
  OneOp op(Op::PAD);
  op.input(DType::kInt4, {2}, std::vector<uint8_t>{0x21}, quant({0.5f}, {-1}))
      .constant(DType::kInt32, {1, 2}, Ints{1, 2});
  op.output(DType::kInt4, quant({0.5f}, {-1}));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<uint8_t>(), ElementsAre(0x1f, 0xf2, 0x0f));
}

TEST(Pad, SixDimensionsByIndex) {
  const Shape shape = {2, 1, 2, 1, 3, 2}, before = {1, 0, 2, 1, 0, 1}, after = {0, 2, 0, 1, 1, 0};
  Ints values, paddings;
  for (int32_t i = 0; i < 24; ++i) values.push_back(i + 1);
  for (size_t i = 0; i < 6; ++i) paddings.insert(paddings.end(), {before[i], after[i]});
  OneOp op(Op::PADV2);
  op.input(DType::kInt32, shape, values)
      .input(DType::kInt32, {6, 2}, paddings)
      .input(DType::kInt32, {}, Ints{-7})
      .output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  const auto result = op.result<int32_t>();
  for (size_t i = 0; i < result.size(); ++i) {
    auto rest = static_cast<int32_t>(i);
    int32_t from = 0, stride = 1;
    bool inside = true;
    for (size_t d = 6; d-- > 0; stride *= shape[d]) {
      const int32_t at = rest % op.shape()[d] - before[d];
      rest /= op.shape()[d];
      inside = inside && at >= 0 && at < shape[d];
      from += at * stride;
    }
    ASSERT_EQ(result[i], inside ? values[static_cast<size_t>(from)] : -7) << i;
  }
}

TEST(Pad, EmptyTensorIsAllPadding) {
  OneOp op(Op::PADV2);
  op.input(DType::kInt32, {0, 2}, Ints{})
      .constant(DType::kInt32, {2, 2}, Ints{1, 0, 0, 1})
      .input(DType::kInt32, {}, Ints{5})
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(5, 5, 5));
}

TEST(Pad, Refusals) {
  for (const Ints& paddings : {Ints{-1, 0}, Ints{0, -1}, Ints{INT32_MAX, INT32_MAX}}) {
    OneOp op(Op::PAD);
    EXPECT_FALSE(op.input(DType::kInt8, {3}).constant(DType::kInt32, {1, 2}, paddings).output(DType::kInt8).infer());
  }
  OneOp rank(Op::PAD);
  EXPECT_FALSE(
      rank.input(DType::kInt8, {3, 3}).constant(DType::kInt32, {1, 2}, Ints{0, 0}).output(DType::kInt8).infer());
  OneOp types(Op::PADV2);
  types.input(DType::kInt8, {3})
      .constant(DType::kInt32, {1, 2}, Ints{1, 1})
      .input(DType::kInt16, {})
      .output(DType::kInt8);
  const Status status = types.prepare();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("no kernel for these types"));
}

OneOp mirror(tflite::MirrorPadMode mode, const Ints& paddings) {
  tflite::MirrorPadOptionsT options;
  options.mode = mode;
  OneOp op(Op::MIRROR_PAD);
  op.options(options)
      .input(DType::kInt32, {3}, Ints{1, 2, 3})
      .input(DType::kInt32, {1, 2}, paddings)
      .output(DType::kInt32);
  return op;
}

TEST(MirrorPad, ReachesAsFarAsItMay) {
  OneOp reflect = mirror(tflite::MirrorPadMode::REFLECT, {2, 2});
  ASSERT_TRUE(reflect.run());
  EXPECT_THAT(reflect.result<int32_t>(), ElementsAre(3, 2, 1, 2, 3, 2, 1));
  OneOp symmetric = mirror(tflite::MirrorPadMode::SYMMETRIC, {3, 1});
  ASSERT_TRUE(symmetric.run());
  EXPECT_THAT(symmetric.result<int32_t>(), ElementsAre(3, 2, 1, 1, 2, 3, 3));
}

TEST(MirrorPad, RefusesMore) {
  EXPECT_FALSE(mirror(tflite::MirrorPadMode::REFLECT, {3, 0}).prepare());
  EXPECT_FALSE(mirror(tflite::MirrorPadMode::SYMMETRIC, {0, 4}).prepare());
}

}  // namespace
}  // namespace fewbits
