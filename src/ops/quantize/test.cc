// What the conformance cases cannot show: rounding, saturation and NaN by hand, packed types, scales along dimensions,
// refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;
using Bytes = std::vector<int8_t>;
using Words = std::vector<int16_t>;

void expect_refused(const Status& status, const char* part) {
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr(part));
}

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

TEST(Quantize, RoundsHalfAwayAndSaturates) {
  OneOp op(Op::QUANTIZE);
  op.input(DType::kFloat32, {7}, Floats{0.25f, -0.25f, 0.24f, 1e9f, -kInfinity, kNaN, 1.0f})
      .output(DType::kInt8, quant({0.5f}, {3}));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(4, 2, 3, 127, -128, -128, 5));
  OneOp bytes(Op::QUANTIZE);
  bytes.input(DType::kFloat32, {3}, Floats{-200.0f, 0.0f, 200.0f}).output(DType::kUInt8, quant({1.0f}, {100}));
  ASSERT_TRUE(bytes.run());
  EXPECT_THAT(bytes.result<uint8_t>(), ElementsAre(0, 100, 255));
}

TEST(Quantize, AlongADimension) {
  OneOp op(Op::QUANTIZE);
  op.input(DType::kFloat32, {2, 2, 2}, Floats{1, 2, 1, 2, -1, -2, -1, -2})
      .output(DType::kInt16, quant({0.5f, 0.25f}, {0, 0}, 1));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int16_t>(), ElementsAre(2, 4, 4, 8, -2, -4, -4, -8));
  OneOp last(Op::QUANTIZE);
  last.input(DType::kFloat32, {2, 2}, Floats{1, 1, 2, 2}).output(DType::kInt8, quant({0.5f, 0.25f}, {1, -1}, 1));
  ASSERT_TRUE(last.run());
  EXPECT_THAT(last.result<int8_t>(), ElementsAre(3, 3, 5, 7));
}

TEST(Quantize, FourBitsAndBack) {
  OneOp op(Op::QUANTIZE);
  op.input(DType::kFloat32, {5}, Floats{-1, 7, 100, -100, 3}).output(DType::kInt4, quant({1.0f}, {0}));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<uint8_t>(), ElementsAre(0x7f, 0x87, 0x03));
  OneOp back(Op::DEQUANTIZE);
  back.input(DType::kInt4, {5}, std::vector<uint8_t>{0x7f, 0x87, 0x03}, quant({0.5f}, {0})).output(DType::kFloat32);
  ASSERT_TRUE(back.run());
  EXPECT_THAT(back.result<float>(), ElementsAre(-0.5f, 3.5f, 3.5f, -4.0f, 1.5f));
  OneOp two(Op::DEQUANTIZE);
  two.input(DType::kInt2, {3}, std::vector<uint8_t>{0b00100111}, quant({1.0f}, {0})).output(DType::kFloat32);
  ASSERT_TRUE(two.run());
  EXPECT_THAT(two.result<float>(), ElementsAre(-1, 1, -2));
}

TEST(Dequantize, ChannelsOfZeroScaleAndHalves) {
  OneOp op(Op::DEQUANTIZE);
  op.input(DType::kInt8, {2, 2}, Bytes{4, 100, -4, -100}, quant({0.5f, 0.0f}, {}, 1)).output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<float>(), ElementsAre(2, 0, -2, 0));
  OneOp half(Op::DEQUANTIZE);
  half.input(DType::kFloat16, {2}, std::vector<uint16_t>{0x3c00, 0xc000}).output(DType::kFloat32);
  ASSERT_TRUE(half.run());
  EXPECT_THAT(half.result<float>(), ElementsAre(1, -2));
}

TEST(Requantize, BetweenIntegers) {
  OneOp sign(Op::QUANTIZE);
  sign.input(DType::kInt8, {3}, Bytes{-128, 0, 127}, quant({0.5f}, {-1})).output(DType::kUInt8, quant({0.5f}, {127}));
  ASSERT_TRUE(sign.run());
  EXPECT_THAT(sign.result<uint8_t>(), ElementsAre(0, 128, 255));
  OneOp narrow(Op::QUANTIZE);
  narrow.input(DType::kInt32, {3}, Ints{100, 1000000, -7}, quant({0.5f}, {0}))
      .output(DType::kInt16, quant({0.25f}, {0}));
  ASSERT_TRUE(narrow.run());
  EXPECT_THAT(narrow.result<int16_t>(), ElementsAre(200, 32767, -14));
}

TEST(Quantize, Refusals) {
  OneOp zero(Op::QUANTIZE);
  zero.input(DType::kFloat32, {2}).output(DType::kInt8, quant({0.0f}, {0}));
  expect_refused(zero.prepare(), "scale of 0");
  OneOp none(Op::QUANTIZE);
  none.input(DType::kFloat32, {2}).output(DType::kInt8);
  expect_refused(none.prepare(), "no scale");
  OneOp count(Op::DEQUANTIZE);
  count.input(DType::kInt8, {3}, quant({1.0f, 1.0f}, {}, 0)).output(DType::kFloat32);
  expect_refused(count.prepare(), "2 scales along dimension 0 of [3]");
  OneOp point(Op::DEQUANTIZE);
  point.input(DType::kInt8, {3}, quant({1.0f}, {300})).output(DType::kFloat32);
  expect_refused(point.prepare(), "zero point 300");
  OneOp scale(Op::DEQUANTIZE);
  scale.input(DType::kInt8, {3}, quant({kNaN}, {0})).output(DType::kFloat32);
  expect_refused(scale.prepare(), "scale nan");
}

TEST(FakeQuant, PutsValuesOnTheGrid) {
  tflite::FakeQuantOptionsT options;
  options.min = 0;
  options.max = 2.55f;
  options.num_bits = 8;
  OneOp op(Op::FAKE_QUANT);
  op.options(options).input(DType::kFloat32, {4}, Floats{0.004f, 0.006f, 9.0f, -1.0f}).output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<float>(), ElementsAre(0, ::testing::FloatEq(0.01f), ::testing::FloatEq(2.55f), 0));
  options.num_bits = 1;
  OneOp bits(Op::FAKE_QUANT);
  bits.options(options).input(DType::kFloat32, {4}).output(DType::kFloat32);
  expect_refused(bits.prepare(), "2 to 16 bits");
}

TEST(Cast, FloatsTruncateAndSaturate) {
  const Floats x = {1.9f, -1.9f, 1e20f, -1e20f, kNaN, 2147483648.0f, -0.5f};
  OneOp op(Op::CAST);
  op.input(DType::kFloat32, {7}, x).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min(), kMost = std::numeric_limits<int32_t>::max();
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(1, -1, kMost, kLeast, kMost, kMost, 0));
  OneOp bytes(Op::CAST);
  bytes.input(DType::kFloat32, {7}, x).output(DType::kUInt8);
  ASSERT_TRUE(bytes.run());
  EXPECT_THAT(bytes.result<uint8_t>(), ElementsAre(1, 0, 255, 0, 255, 255, 0));
}

TEST(Cast, BetweenOtherTypes) {
  OneOp truth(Op::CAST);
  truth.input(DType::kFloat32, {3}, Floats{0.0f, 0.1f, kNaN}).output(DType::kBool);
  ASSERT_TRUE(truth.run());
  EXPECT_THAT(truth.result<uint8_t>(), ElementsAre(0, 1, 1));
  OneOp half(Op::CAST);
  half.input(DType::kInt32, {2}, Ints{1, -2}).output(DType::kFloat16);
  ASSERT_TRUE(half.run());
  EXPECT_THAT(half.result<uint16_t>(), ElementsAre(0x3c00, 0xc000));
  OneOp wrap(Op::CAST);
  wrap.input(DType::kInt32, {2}, Ints{300, -1}).output(DType::kUInt8);
  ASSERT_TRUE(wrap.run());
  EXPECT_THAT(wrap.result<uint8_t>(), ElementsAre(44, 255));
  OneOp packed(Op::CAST);
  packed.input(DType::kFloat32, {3}, Floats{-1.9f, 9.0f, -9.0f}).output(DType::kInt4);
  ASSERT_TRUE(packed.run());
  EXPECT_THAT(packed.result<uint8_t>(), ElementsAre(0x7f, 0x08));
  OneOp string(Op::CAST);
  string.input(DType::kString, {1}).output(DType::kInt32);
  expect_refused(string.prepare(), "string");
}

TEST(Bitcast, ElementSizesMoveTheLastDimension) {
  OneOp narrow(Op::BITCAST);
  narrow.input(DType::kInt32, {1}, Ints{0x01020304}).output(DType::kUInt8);
  ASSERT_TRUE(narrow.run());
  EXPECT_EQ(narrow.shape(), (Shape{1, 4}));
  EXPECT_THAT(narrow.result<uint8_t>(), ElementsAre(4, 3, 2, 1));
  OneOp wide(Op::BITCAST);
  wide.input(DType::kUInt8, {3}).output(DType::kInt32);
  expect_refused(wide.infer(), "must be 4");
}

}  // namespace
}  // namespace fewbits
