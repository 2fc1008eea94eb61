// The arithmetic of parameters, against numbers worked out by hand from the published formulas.
#include "quantize/params.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fewbits::quantize {
namespace {

TEST(ActivationInt8, HoldsZeroExactly) {
  // [0.5, 2] widens to [0, 2]: scale 2/255, and 0 at -128.
  const QuantParams quant = activation_int8(0.5f, 2.0f);
  EXPECT_FLOAT_EQ(quant.scale[0], 2.0f / 255);
  EXPECT_EQ(quant.zero(), -128);
  // [-1, 3]: scale 4/255, zero at -128 + 63.75 -> -64.
  const QuantParams both = activation_int8(-1.0f, 3.0f);
  EXPECT_FLOAT_EQ(both.scale[0], 4.0f / 255);
  EXPECT_EQ(both.zero(), -64);
  const QuantParams below = activation_int8(-2.0f, -1.0f);
  EXPECT_EQ(below.zero(), 127);
}

TEST(ActivationInt8, DegenerateRangesStayUsable) {
  const QuantParams zero = activation_int8(0, 0);
  EXPECT_FLOAT_EQ(zero.scale[0], 1.0f / 255);
  EXPECT_EQ(zero.zero(), -128);
  const QuantParams tiny = activation_int8(0, std::numeric_limits<float>::denorm_min());
  EXPECT_GT(tiny.scale[0], 0.0f);
  const QuantParams huge = activation_int8(-std::numeric_limits<float>::max(), std::numeric_limits<float>::max());
  EXPECT_TRUE(std::isfinite(huge.scale[0]));
}

TEST(ActivationInt16, IsSymmetric) {
  const QuantParams quant = activation_int16(-3.0f, 1.0f);
  EXPECT_FLOAT_EQ(quant.scale[0], 3.0f / 32767);
  EXPECT_EQ(quant.zero(), 0);
}

TEST(Weights, PerAxisNarrowAndRoundedAwayFromZero) {
  // Two channels along dimension 0: ranges 1.27 and 2.54, so that the steps are 0.01 and 0.02.
  const std::vector<float> values = {1.27f, -0.005f, 0.025f, -2.54f, 0.03f, 0.01f};
  const QuantizedWeights weights = quantize_weights(values, {2, 3}, 0);
  ASSERT_EQ(weights.quant.scale.size(), 2u);
  EXPECT_NEAR(weights.quant.scale[0], 0.01f, 1e-8);
  EXPECT_NEAR(weights.quant.scale[1], 0.02f, 1e-8);
  EXPECT_EQ(weights.values[0], 127);
  EXPECT_EQ(weights.values[3], -127);
  EXPECT_EQ(weights.values[4], 2);  // 1.5 steps
  const QuantizedWeights one = quantize_weights(values, {2, 3}, -1);
  ASSERT_EQ(one.quant.scale.size(), 1u);
  EXPECT_NEAR(one.quant.scale[0], 0.02f, 1e-8);
}

TEST(Weights, LastAxisOfDepthwise) {
  const std::vector<float> values = {1, 10, -2, 20};  // shape [1, 1, 2, 2]: channels are the even and odd elements
  const QuantizedWeights weights = quantize_weights(values, {1, 1, 2, 2}, 3);
  EXPECT_FLOAT_EQ(weights.quant.scale[0], 2.0f / 127);
  EXPECT_FLOAT_EQ(weights.quant.scale[1], 20.0f / 127);
  EXPECT_EQ(weights.values[2], -127);
}

TEST(Weights, AChannelOfZerosHasAPositiveScale) {
  const QuantizedWeights weights = quantize_weights(std::vector<float>{0, 0, 1, 2}, {2, 2}, 0);
  EXPECT_GT(weights.quant.scale[0], 0.0f);
  EXPECT_EQ(weights.values[0], 0);
  const QuantizedWeights nothing = quantize_weights(std::vector<float>{0, 0}, {2}, -1);
  EXPECT_GT(nothing.quant.scale[0], 0.0f);
}

TEST(Bias, HugeBiasesCoarsenTheirWeights) {
  const float input_scale = 1e-4f;
  const float least = min_weight_scale_for_bias(1000.0f, input_scale);
  // The bias then uses half of int32.
  EXPECT_NEAR(1000.0 / (static_cast<double>(input_scale) * least) / (0.5 * 2147483647.0), 1.0, 1e-5);
  const QuantizedWeights weights = quantize_weights(std::vector<float>{1e-6f}, {1}, 0, std::vector<float>{least});
  EXPECT_FLOAT_EQ(weights.quant.scale[0], least);
  const auto bias = quantize_bias_int32(std::vector<float>{1000.0f}, input_scale, weights.quant.scale);
  EXPECT_NEAR(bias[0] * static_cast<double>(input_scale) * least, 1000.0, 1e-2);
}

TEST(Bias, ScalesOfChannels) {
  const auto bias = quantize_bias_int32(std::vector<float>{1, 1, -0.25f}, 0.5f, std::vector<float>{0.5f, 0.25f, 1.0f});
  EXPECT_EQ(bias, (std::vector<int32_t>{4, 8, -1}));  // -0.5 rounds away from zero
}

TEST(Float16, ClampsAndCounts) {
  size_t clamped = 0;
  const auto halves = to_float16(std::vector<float>{1.0f, 1e6f, -7e4f, 0.1f}, &clamped);
  EXPECT_EQ(clamped, 2u);
  EXPECT_EQ(halves[0], 0x3c00);
  EXPECT_EQ(halves[1], 0x7bff);
  EXPECT_EQ(halves[2], 0xfbff);
  EXPECT_EQ(halves[3], 0x2e66);
}

}  // namespace
}  // namespace fewbits::quantize
