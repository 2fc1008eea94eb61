// What the conformance cases cannot show: refusals, known sums, rows of nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/test_support.h"
#include "ops/one_op.h"
#include "ops/softmax/ref.h"

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

tflite::SoftmaxOptionsT beta(float value) {
  tflite::SoftmaxOptionsT options;
  options.beta = value;
  return options;
}

TEST(Softmax, HalvesAndWholes) {
  OneOp floats(Op::SOFTMAX);
  floats.options(beta(1)).input(DType::kFloat32, {2, 2}, Floats{5, 5, 1000, -1000}).output(DType::kFloat32);
  ASSERT_TRUE(floats.run());
  EXPECT_THAT(floats.result<float>(), ElementsAre(0.5f, 0.5f, 1.0f, 0.0f));
  OneOp bytes(Op::SOFTMAX);
  bytes.options(beta(1))
      .input(DType::kInt8, {2, 2}, Bytes{5, 5, 127, -128}, quant({1.0f}, {3}))
      .output(DType::kInt8, quant({1.0f / 256}, {-128}));
  ASSERT_TRUE(bytes.run());
  EXPECT_THAT(bytes.result<int8_t>(), ElementsAre(0, 0, 127, -128));
  OneOp words(Op::SOFTMAX);
  words.options(beta(1))
      .input(DType::kInt16, {2, 2}, Words{5, 5, 32767, -32768}, quant({0.01f}, {0}))
      .output(DType::kInt16, quant({1.0f / 32768}, {0}));
  ASSERT_TRUE(words.run());
  EXPECT_NEAR(words.result<int16_t>()[0], 16384, 2);
  EXPECT_NEAR(words.result<int16_t>()[2], 32767, 4);
  EXPECT_NEAR(words.result<int16_t>()[3], 0, 4);
}

TEST(Softmax, BytesSumToOne) {
  Bytes x;
  for (int i = 0; i < 40; ++i) x.push_back(static_cast<int8_t>(i * 3 - 60));
  OneOp op(Op::SOFTMAX);
  op.options(beta(1))
      .input(DType::kInt8, {40}, x, quant({0.03f}, {0}))
      .output(DType::kInt8, quant({1.0f / 256}, {-128}));
  ASSERT_TRUE(op.run());
  double sum = 0, total = 0;
  for (int8_t q : x) total += std::exp(0.03 * q);
  for (size_t i = 0; i < x.size(); ++i) {
    sum += op.result<int8_t>()[i] + 128;
    ASSERT_NEAR(op.result<int8_t>()[i] + 128, 256 * std::exp(0.03 * x[i]) / total, 1) << i;
  }
  EXPECT_NEAR(sum, 256, 20);
}

// Rows by tables of bytes equal the rows of ref.h on every scale and depth that they take.
template <class T>
void expect_byte_rows_equal_reference(DType type, uint32_t seed) {
  test::Random random(seed);
  const auto depth = static_cast<size_t>(random.integer(32, 300));
  const float scale = std::exp2(random.real(-9.0f, 1.0f));
  constexpr int kLeast = std::numeric_limits<T>::min(), kMost = std::numeric_limits<T>::max();
  std::vector<T> x(3 * depth), expected(x.size());
  for (T& value : x) value = static_cast<T>(random.integer(seed % 3 == 0 ? kLeast : 0, seed % 2 == 0 ? kMost : 40));
  OneOp op(Op::SOFTMAX);
  op.options(beta(1))
      .input(type, {3, static_cast<int32_t>(depth)}, x, quant({scale}, {0}))
      .output(type, quant({1.0f / 256}, {kLeast}));
  ASSERT_TRUE(op.run());
  const ops::ExpTable table(1.0, static_cast<double>(scale));
  for (size_t row = 0; row < 3; ++row) {
    ops::softmax_row_8bit<T, T>(table, x.data() + row * depth, expected.data() + row * depth, depth);
  }
  ASSERT_EQ(op.template result<T>(), expected) << "scale " << scale << " depth " << depth;
}

TEST(Softmax, ByteRowsEqualTheReference) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    expect_byte_rows_equal_reference<int8_t>(DType::kInt8, seed);
    expect_byte_rows_equal_reference<uint8_t>(DType::kUInt8, seed);
  }
}

TEST(LogSoftmax, ByHand) {
  // ln 0.5 = -11.09 / 16, ln(1 / (1 + e^-2)) = -2.03 / 16, that less 2 = -34.03 / 16.
  OneOp op(Op::LOG_SOFTMAX);
  op.input(DType::kInt8, {2, 2}, Bytes{7, 7, 20, 0}, quant({0.1f}, {0}))
      .output(DType::kInt8, quant({1.0f / 16}, {127}));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(116, 116, 125, 93));
}

TEST(L2Normalization, ByHand) {
  OneOp op(Op::L2_NORMALIZATION);
  op.input(DType::kInt8, {2, 2}, Bytes{4, 5, 1, 1}, quant({0.3f}, {1})).output(DType::kInt8, quant({1.0f / 128}, {0}));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(77, 102, 0, 0));  // 3 / 5, 4 / 5, and a row of zeros
  OneOp floats(Op::L2_NORMALIZATION);
  floats.input(DType::kFloat32, {2, 2}, Floats{3, 4, 0, 0}).output(DType::kFloat32);
  ASSERT_TRUE(floats.run());
  EXPECT_THAT(floats.result<float>(), ElementsAre(0.6f, 0.8f, 0, 0));
}

TEST(LocalResponse, WindowEndsBeforeItsRadius) {
  tflite::LocalResponseNormalizationOptionsT options;
  options.radius = 1;
  options.bias = options.alpha = options.beta = 1;
  OneOp op(Op::LOCAL_RESPONSE_NORMALIZATION);
  op.options(options).input(DType::kFloat32, {1, 1, 1, 3}, Floats{1, 2, 3}).output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<float>(), ElementsAre(0.5f, ::testing::FloatEq(2.0f / 6), ::testing::FloatEq(3.0f / 14)));
  options.radius = -1;
  OneOp negative(Op::LOCAL_RESPONSE_NORMALIZATION);
  negative.options(options).input(DType::kFloat32, {1, 1, 1, 3}).output(DType::kFloat32);
  expect_refused(negative.prepare(), "negative");
}

TEST(Softmax, RowsOfNothingAndRefusals) {
  OneOp empty(Op::SOFTMAX);
  empty.options(beta(1)).input(DType::kFloat32, {3, 0}, Floats{}).output(DType::kFloat32);
  ASSERT_TRUE(empty.run());
  OneOp scalar(Op::SOFTMAX);
  scalar.options(beta(1)).input(DType::kFloat32, {}).output(DType::kFloat32);
  expect_refused(scalar.prepare(), "dimension");
  OneOp parameters(Op::SOFTMAX);
  parameters.options(beta(1))
      .input(DType::kInt8, {2}, quant({1.0f}, {0}))
      .output(DType::kInt8, quant({1.0f / 256}, {0}));
  expect_refused(parameters.prepare(), "zero point -128");
  OneOp cold(Op::SOFTMAX);
  cold.options(beta(-1)).input(DType::kInt8, {2}, quant({1.0f}, {0})).output(DType::kInt8, quant({1.0f / 256}, {-128}));
  expect_refused(cold.prepare(), "beta");
  OneOp hot(Op::SOFTMAX);  // a scale so large that every other value counts as nothing
  hot.options(beta(1))
      .input(DType::kInt8, {2}, Bytes{1, 0}, quant({1e6f}, {0}))
      .output(DType::kInt8, quant({1.0f / 256}, {-128}));
  ASSERT_TRUE(hot.run());
  EXPECT_THAT(hot.result<int8_t>(), ElementsAre(127, -128));
}

}  // namespace
}  // namespace fewbits
