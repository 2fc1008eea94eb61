// Scales of int4 weights: against every scale there is, against max / 7, and at the ends of the number range.
#include "quantize/algorithms/small_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/half.h"

namespace fewbits::quantize {
namespace {

std::vector<float> normal(size_t count, float deviation, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> distribution(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(engine);
  return values;
}

int element(const SmallWeights& weights, size_t i) {
  const int four = weights.packed[i / 2] >> (i % 2 * 4) & 0xf;
  return four < 8 ? four : four - 16;
}

double decibels(const SmallWeights& weights) { return 10 * std::log10(weights.squared_sum / weights.squared_error); }

double decibels_of_max(std::span<const float> values, size_t block) {
  double error = 0, sum = 0;
  for (size_t begin = 0; begin < values.size(); begin += block) {
    double top = 0;
    for (float value : values.subspan(begin, block)) top = std::max(top, std::abs(static_cast<double>(value)));
    for (const double value : values.subspan(begin, block)) {
      const double off = value - std::nearbyint(value / (top / 7)) * (top / 7);
      error += off * off;
      sum += value * value;
    }
  }
  return 10 * std::log10(sum / error);
}

// The least squared error under any scale of 8 bits of mantissa up to max / 7, in double.
double least_error(std::span<const float> block) {
  double top = 0, least = 1e300;
  for (float value : block) top = std::max(top, std::abs(static_cast<double>(value)));
  for (uint32_t bits = 0x3000; bits < 0x4800; ++bits) {
    const double scale = bfloat16_to_float(static_cast<uint16_t>(bits));
    if (scale < 0.4 * top / 7 || scale > 1.01 * top / 7) continue;
    double error = 0;
    for (double value : block) {
      const double whole = std::min(std::max(std::nearbyint(value / scale), -7.0), 7.0);
      error += (value - whole * scale) * (value - whole * scale);
    }
    least = std::min(least, error);
  }
  return least;
}

TEST(SmallBlocks, ScalesAreNearlyTheBestThereAre) {
  const std::vector<float> values = normal(64 * 64, 0.05f, 3);
  double best = 0;
  for (size_t i = 0; i < values.size(); i += 64) best += least_error(std::span(values).subspan(i, 64));
  const SmallWeights got = quantize_int4(values, 64);
  EXPECT_GE(got.squared_error, best * 0.999);
  EXPECT_LE(got.squared_error, best * 1.01);
}

TEST(SmallBlocks, SearchedScalesBeatTheGreatestWeight) {
  for (const auto& [block, gain] : {std::pair{size_t{32}, 0.4}, std::pair{size_t{256}, 1.0}}) {
    const std::vector<float> values = normal(256 * 256, 1, 4);
    EXPECT_GT(decibels(quantize_int4(values, block)), decibels_of_max(values, block) + gain);
  }
}

TEST(SmallBlocks, WhatIsStoredIsWhatTheErrorSays) {
  const std::vector<float> values = normal(33 * 32, 2, 5);
  const SmallWeights got = quantize_int4(values, 32);
  ASSERT_EQ(got.scales.size(), 33u);
  double error = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_LE(std::abs(element(got, i)), 7);
    const double off = static_cast<double>(values[i]) - element(got, i) * static_cast<double>(got.scales[i / 32]);
    error += off * off;
  }
  EXPECT_DOUBLE_EQ(got.squared_error, error);
  for (float scale : got.scales) {
    EXPECT_EQ(half_to_float(float_to_half(scale)), scale);
    EXPECT_EQ(bfloat16_to_float(float_to_bfloat16(scale)), scale);
  }
}

TEST(SmallBlocks, TheEndsOfTheNumberRange) {
  for (float size : {0.0f, 1e-30f, 1e-8f, 3e-7f, 1e-5f, 400000.0f, 1e6f, 3e38f}) {
    std::vector<float> values(32, size);
    values[1] = -size;
    const SmallWeights got = quantize_int4(values, 32);
    EXPECT_TRUE(got.scales[0] > 0 && got.scales[0] <= 65280) << size;
    EXPECT_EQ(half_to_float(float_to_half(got.scales[0])), got.scales[0]) << size;
    EXPECT_EQ(element(got, 1), -element(got, 0)) << size;
    if (size >= 1e-5f) {
      EXPECT_EQ(element(got, 0), 7) << size;
    }
  }
}

}  // namespace
}  // namespace fewbits::quantize
