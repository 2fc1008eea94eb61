// What the conformance cases cannot show: refusals, every table against the real function, slopes by hand.
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

double real_function(Op op, double x) {
  switch (op) {
    case Op::LOGISTIC: return 1 / (1 + std::exp(-x));
    case Op::TANH: return std::tanh(x);
    case Op::HARD_SWISH: return x * std::min(6.0, std::max(0.0, x + 3)) / 6;
    case Op::ELU: return x < 0 ? std::expm1(x) : x;
    case Op::GELU: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Op::RELU6: return std::min(6.0, std::max(0.0, x));
    case Op::RELU_N1_TO_1: return std::min(1.0, std::max(-1.0, x));
    case Op::RELU_0_TO_1: return std::min(1.0, std::max(0.0, x));
    default: return std::max(0.0, x);
  }
}

constexpr Op kFunctions[] = {Op::LOGISTIC, Op::TANH,  Op::HARD_SWISH,   Op::ELU,        Op::GELU,
                             Op::RELU,     Op::RELU6, Op::RELU_N1_TO_1, Op::RELU_0_TO_1};

TEST(Activation, EveryByteIsWithinOneUnitOfTheFunction) {
  Bytes all;
  for (int q = -128; q < 128; ++q) all.push_back(static_cast<int8_t>(q));
  for (Op code : kFunctions) {
    for (float scale : {0.01f, 0.06f}) {
      const float out_scale = code == Op::LOGISTIC ? 1.0f / 256 : code == Op::TANH ? 1.0f / 128 : scale;
      const int zero = code == Op::LOGISTIC ? -128 : code == Op::TANH ? 0 : -20;
      OneOp op(code);
      op.input(DType::kInt8, {256}, all, quant({scale}, {5})).output(DType::kInt8, quant({out_scale}, {zero}));
      ASSERT_TRUE(op.run());
      const auto got = op.result<int8_t>();
      for (size_t i = 0; i < 256; ++i) {
        const double real = real_function(code, static_cast<double>(scale) * (all[i] - 5));
        const double q = std::min(127.0, std::max(-128.0, std::round(real / static_cast<double>(out_scale)) + zero));
        ASSERT_NEAR(got[i], q, 1.01) << op_name(code) << " of " << static_cast<int>(all[i]);
      }
    }
  }
}

TEST(Activation, WordsAreCloseToTheFunction) {
  Words all;
  for (int q = -32768; q < 32768; q += 13) all.push_back(static_cast<int16_t>(q));
  for (Op code : {Op::LOGISTIC, Op::TANH}) {
    for (float scale : {1.0f / 4096, 1.0f / 2048, 0.0003f}) {
      OneOp op(code);
      op.input(DType::kInt16, {static_cast<int32_t>(all.size())}, all, quant({scale}, {0}))
          .output(DType::kInt16, quant({1.0f / 32768}, {0}));
      ASSERT_TRUE(op.run());
      const auto got = op.result<int16_t>();
      for (size_t i = 0; i < all.size(); ++i) {
        const double real = real_function(code, static_cast<double>(scale) * all[i]);
        ASSERT_NEAR(got[i], std::min(32767.0, real * 32768), 8) << op_name(code) << " of " << all[i] << " at " << scale;
      }
    }
  }
}

TEST(Activation, FloatsAreCloseToTheFunction) {
  Floats x;
  for (float v = -12; v < 12; v += 0.0371f) x.push_back(v);
  for (Op code : kFunctions) {
    OneOp op(code);
    op.input(DType::kFloat32, {static_cast<int32_t>(x.size())}, x).output(DType::kFloat32);
    ASSERT_TRUE(op.run());
    const auto got = op.result<float>();
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(got[i], real_function(code, static_cast<double>(x[i])), 2e-6) << op_name(code) << " of " << x[i];
  }
}

TEST(Activation, NegativeSlopeRoundsTiesTheOtherWay) {
  // -1 * -0.5 = 0.5 and -3 * -0.5 = 1.5 on a grid of 1: LiteRT negates after rounding towards plus infinity.
  OneOp op(Op::LEAKY_RELU);
  tflite::LeakyReluOptionsT options;
  options.alpha = -0.5f;
  op.options(options)
      .input(DType::kInt8, {3}, Bytes{-1, -3, 4}, quant({1.0f}, {0}))
      .output(DType::kInt8, quant({1.0f}, {0}));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(0, 1, 4));
}

TEST(Prelu, SlopeBroadcastsToTheInputOnly) {
  OneOp op(Op::PRELU);
  op.input(DType::kFloat32, {2, 2}, Floats{-1, -2, 3, -4})
      .constant(DType::kFloat32, {2}, Floats{0.5f, 2.0f})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<float>(), ElementsAre(-0.5f, -4.0f, 3.0f, -8.0f));
  OneOp wrong(Op::PRELU);
  wrong.input(DType::kFloat32, {2}).input(DType::kFloat32, {2, 2}).output(DType::kFloat32);
  expect_refused(wrong.infer(), "does not broadcast to [2]");
  OneOp absent(Op::PRELU);
  absent.input(DType::kFloat32, {2}).absent().output(DType::kFloat32);
  expect_refused(absent.infer(), "input 1 is left out");
}

TEST(Prelu, WordsWithSlopesOfEitherWidth) {
  // -1 * -1 and 0.5, in thousandths.
  OneOp narrow(Op::PRELU);
  narrow.input(DType::kInt16, {2}, Words{-1000, 500}, quant({0.001f}, {0}))
      .constant(DType::kInt8, {1}, Bytes{-64}, quant({1.0f / 64}, {0}))
      .output(DType::kInt16, quant({0.001f}, {0}));
  ASSERT_TRUE(narrow.run());
  EXPECT_THAT(narrow.result<int16_t>(), ElementsAre(1000, 500));
  OneOp wide(Op::PRELU);
  wide.input(DType::kInt16, {2}, Words{-1000, 500}, quant({0.001f}, {0}))
      .constant(DType::kInt16, {1}, Words{-16384}, quant({1.0f / 16384}, {0}))
      .output(DType::kInt16, quant({0.001f}, {0}));
  ASSERT_TRUE(wide.run());
  EXPECT_THAT(wide.result<int16_t>(), ElementsAre(1000, 500));
}

TEST(Activation, Refusals) {
  OneOp fixed(Op::LOGISTIC);
  fixed.input(DType::kInt16, {2}, quant({0.001f}, {0})).output(DType::kInt16, quant({0.001f}, {0}));
  expect_refused(fixed.prepare(), "1/32768");
  OneOp shifted(Op::RELU);
  shifted.input(DType::kInt16, {2}, quant({0.001f}, {7})).output(DType::kInt16, quant({0.001f}, {0}));
  expect_refused(shifted.prepare(), "zero point 0");
  OneOp type(Op::TANH);
  type.input(DType::kInt32, {2}).output(DType::kInt32);
  expect_refused(type.prepare(), "not int32");
  OneOp scales(Op::RELU);
  scales.input(DType::kInt8, {2}, quant({0.1f, 0.2f}, {0, 0})).output(DType::kInt8, quant({0.1f}, {0}));
  expect_refused(scales.prepare(), "must have one scale, not 2");
  OneOp fine(Op::HARD_SWISH);
  fine.input(DType::kInt8, {2}, quant({1.0f}, {0})).output(DType::kInt8, quant({0.001f}, {0}));
  expect_refused(fine.prepare(), "1/128");
}

}  // namespace
}  // namespace fewbits
