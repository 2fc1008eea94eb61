// What the conformance cases cannot show: refusals, the ends of domains and types. Numbers are worked out by hand.
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

template <class T>
std::vector<T> compute(Op code, DType type, const std::vector<T>& x, QuantParams in = {}, QuantParams out = {}) {
  OneOp op(code);
  op.input(type, {static_cast<int32_t>(x.size())}, x, in).output(type, out);
  EXPECT_TRUE(op.run());
  return op.result<T>();
}

TEST(Elementwise, EndsOfTypes) {
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  EXPECT_THAT(compute<int32_t>(Op::ABS, DType::kInt32, {-3, kLeast}), ElementsAre(3, kLeast));
  EXPECT_THAT(compute<int32_t>(Op::NEG, DType::kInt32, {5, kLeast}), ElementsAre(-5, kLeast));
  EXPECT_THAT(compute<int8_t>(Op::NEG, DType::kInt8, {5, -128}, quant({1.0f}, {0}), quant({1.0f}, {0})),
              ElementsAre(-5, -128));
  EXPECT_THAT(compute<int32_t>(Op::SIGN, DType::kInt32, {kLeast, 0, 9}), ElementsAre(-1, 0, 1));
}

TEST(Elementwise, RoundTiesToEvenAndSignKeepsNaN) {
  EXPECT_THAT(compute<float>(Op::ROUND, DType::kFloat32, {0.5f, 1.5f, 2.5f, -1.5f, 2.6f}), ElementsAre(0, 2, 2, -2, 3));
  const auto signs = compute<float>(Op::SIGN, DType::kFloat32, {-2.0f, 0.0f, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_EQ(signs[0], -1.0f);
  EXPECT_EQ(signs[1], 0.0f);
  EXPECT_TRUE(std::isnan(signs[2]));
}

TEST(Elementwise, QuantizedByHand) {
  // |-2.5| on a grid of 1/4 from -3; the root of 8 is 5.6 halves, truncated; 1 / sqrt(4) is 32 / 64.
  EXPECT_THAT(compute<int8_t>(Op::ABS, DType::kInt8, {-4, 1}, quant({0.5f}, {1}), quant({0.25f}, {-3})),
              ElementsAre(7, -3));
  EXPECT_THAT(compute<int8_t>(Op::SQRT, DType::kInt8, {8, 9, -1}, quant({1.0f}, {0}), quant({0.5f}, {0})),
              ElementsAre(5, 6, 0));
  EXPECT_THAT(compute<int8_t>(Op::RSQRT, DType::kInt8, {4, 16}, quant({1.0f}, {0}), quant({1.0f / 64}, {0})),
              ElementsAre(32, 16));
  EXPECT_THAT(compute<int8_t>(Op::EXP, DType::kInt8, {0, 1, 127}, quant({0.6931472f}, {0}), quant({1.0f / 32}, {0})),
              ElementsAre(32, 64, 127));
  EXPECT_THAT(compute<int16_t>(Op::SQRT, DType::kInt16, {8, -5}, quant({1.0f}, {0}), quant({0.5f}, {0})),
              ElementsAre(5, 0));
}

// LiteRT stops with an error, or clamps.
TEST(Elementwise, OutsideTheDomain) {
  EXPECT_THAT(compute<int8_t>(Op::RSQRT, DType::kInt8, {0, -5}, quant({1.0f}, {0}), quant({1.0f}, {0})),
              ElementsAre(127, 127));
  EXPECT_THAT(compute<int8_t>(Op::LOG, DType::kInt8, {0, -5, 1}, quant({1.0f}, {0}), quant({1.0f}, {3})),
              ElementsAre(-128, -128, 3));
  EXPECT_EQ(compute<int16_t>(Op::RSQRT, DType::kInt16, {-32768}, quant({1.0f}, {0}), quant({1.0f}, {0}))[0], 32767);
}

TEST(Elementwise, Refusals) {
  OneOp type(Op::SIN);
  type.input(DType::kInt8, {2}, quant({1.0f}, {0})).output(DType::kInt8, quant({1.0f}, {0}));
  expect_refused(type.prepare(), "int8");
  OneOp mixed(Op::EXP);
  mixed.input(DType::kFloat32, {2}).output(DType::kInt8);
  expect_refused(mixed.prepare(), "float32");
  OneOp unscaled(Op::EXP);
  unscaled.input(DType::kInt8, {2}).output(DType::kInt8, quant({1.0f}, {0}));
  expect_refused(unscaled.prepare(), "must have one scale");
  OneOp absent(Op::EXP);
  absent.absent().output(DType::kFloat32);
  expect_refused(absent.infer(), "input 0 is left out");
}

TEST(Elementwise, ThreadsChangeNothing) {
  Floats x(100001);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 1000) * 0.01f;
  OneOp op(Op::EXP);
  op.input(DType::kFloat32, {100001}, x).output(DType::kFloat32);
  ASSERT_TRUE(op.run(1));
  const auto alone = op.result<float>();
  ASSERT_TRUE(op.run(4));
  EXPECT_EQ(op.result<float>(), alone);
}

}  // namespace
}  // namespace fewbits
