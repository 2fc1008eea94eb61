// Modes, threads, extreme ratios, refusals. Expected numbers are interpolated by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ints = std::vector<int32_t>;

tflite::ResizeBilinearOptionsT bilinear(bool align_corners, bool half_pixel_centers) {
  tflite::ResizeBilinearOptionsT options;
  options.align_corners = align_corners;
  options.half_pixel_centers = half_pixel_centers;
  return options;
}

TEST(ResizeBilinear, ThreeModesOfARow) {
  const std::vector<float> row = {0, 8};
  const std::pair<tflite::ResizeBilinearOptionsT, std::vector<float>> expected[] = {
      {bilinear(false, false), {0, 4, 8, 8}},
      {bilinear(true, false), {0, 8.0f / 3, 16.0f / 3, 8}},
      {bilinear(false, true), {0, 2, 6, 8}}};
  for (const auto& [options, values] : expected) {
    OneOp op(Op::RESIZE_BILINEAR);
    op.options(options)
        .input(DType::kFloat32, {1, 1, 2, 1}, row)
        .constant(DType::kInt32, {2}, Ints{1, 4})
        .output(DType::kFloat32);
    ASSERT_TRUE(op.run());
    const auto result = op.result<float>();
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(result[i], values[i], 1e-5) << i;
  }
}

TEST(ResizeBilinear, Int8RoundsHalfAwayFromZero) {
  OneOp op(Op::RESIZE_BILINEAR);
  op.options(bilinear(false, false)).input(DType::kInt8, {1, 1, 2, 2}, std::vector<int8_t>{-3, 3, -4, 4});
  op.constant(DType::kInt32, {2}, Ints{1, 4}).output(DType::kInt8);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(-3, 3, -4, 4, -4, 4, -4, 4));
}

TEST(ResizeBilinear, LongRowsStayInside) {
  // 1024 * 2999 / 3000 rounds to 1024, and 1024 * 5 / 3000 to 2: positions drift by up to half a unit a step.
  for (const auto& [from, to] : {std::pair{5, 3000}, std::pair{3000, 2999}, std::pair{7, 5000}}) {
    OneOp op(Op::RESIZE_BILINEAR);
    op.options(bilinear(false, true))
        .input(DType::kInt8, {1, from, 1, 1}, std::vector<int8_t>(static_cast<size_t>(from), 77));
    op.constant(DType::kInt32, {2}, Ints{to, 1}).output(DType::kInt8);
    ASSERT_TRUE(op.run());
    for (int8_t value : op.result<int8_t>()) ASSERT_EQ(value, 77);
  }
}

TEST(ResizeBilinear, ThreadsGiveTheSameBits) {
  std::vector<float> image(2 * 31 * 33 * 3);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i * 2654435761u % 1000) / 7;
  OneOp op(Op::RESIZE_BILINEAR);
  op.options(bilinear(false, true))
      .input(DType::kFloat32, {2, 31, 33, 3}, image)
      .constant(DType::kInt32, {2}, Ints{257, 260})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run(1));
  const auto one = op.result<float>();
  ASSERT_TRUE(op.run(3));
  EXPECT_EQ(op.result<float>(), one);
}

TEST(ResizeBilinear, Refusals) {
  OneOp both(Op::RESIZE_BILINEAR);
  both.options(bilinear(true, true))
      .input(DType::kFloat32, {1, 2, 2, 1})
      .constant(DType::kInt32, {2}, Ints{4, 4})
      .output(DType::kFloat32);
  const Status status = both.prepare();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("exclude each other"));
  for (const Ints& size : {Ints{0, 4}, Ints{4, -1}, Ints{4}}) {
    OneOp op(Op::RESIZE_BILINEAR);
    op.input(DType::kFloat32, {1, 2, 2, 1})
        .constant(DType::kInt32, {static_cast<int32_t>(size.size())}, size)
        .output(DType::kFloat32);
    EXPECT_FALSE(op.infer());
  }
  OneOp empty(Op::RESIZE_BILINEAR);
  EXPECT_FALSE(empty.input(DType::kFloat32, {1, 0, 2, 1})
                   .constant(DType::kInt32, {2}, Ints{1, 1})
                   .output(DType::kFloat32)
                   .infer());
  OneOp rank(Op::RESIZE_BILINEAR);
  EXPECT_FALSE(
      rank.input(DType::kFloat32, {2, 2, 1}).constant(DType::kInt32, {2}, Ints{1, 1}).output(DType::kFloat32).infer());
}

TEST(ResizeNearest, SizeOfARunAndRepeatedRows) {
  OneOp op(Op::RESIZE_NEAREST_NEIGHBOR);
  op.input(DType::kInt16, {1, 2, 2, 1}, std::vector<int16_t>{1, 2, 3, 4})
      .input(DType::kInt32, {2}, Ints{4, 3})
      .output(DType::kInt16);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int16_t>(), ElementsAre(1, 1, 2, 1, 1, 2, 3, 3, 4, 3, 3, 4));
}

TEST(ResizeNearest, AlignedCornersRoundHalfUp) {
  tflite::ResizeNearestNeighborOptionsT options;
  options.align_corners = true;
  OneOp op(Op::RESIZE_NEAREST_NEIGHBOR);
  op.options(options)
      .input(DType::kInt8, {1, 1, 2, 1}, std::vector<int8_t>{1, 2})
      .constant(DType::kInt32, {2}, Ints{1, 3})
      .output(DType::kInt8);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(1, 2, 2));
}

}  // namespace
}  // namespace fewbits
