// Rounding that keeps means: sums of errors, bounds, and what is left alone.
#include "quantize/algorithms/mean_rounding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quantize/params.h"
#include "support/small_models.h"

namespace fewbits::quantize {
namespace {

// The errors of each pair of output and input channel, in steps.
struct Errors {
  double worst_sum = 0, worst = 0;
};

Errors errors(const std::vector<float>& values, const Shape& shape, const QuantizedWeights& weights) {
  Errors out;
  const int taps = shape[1] * shape[2];
  for (int o = 0; o < shape[0]; ++o) {
    for (int c = 0; c < shape[3]; ++c) {
      double sum = 0;
      for (int k = 0; k < taps; ++k) {
        const auto at = static_cast<size_t>((o * taps + k) * shape[3] + c);
        const double error =
            weights.values[at] -
            values[at] / double{weights.quant.scale[static_cast<size_t>(weights.quant.axis == 0 ? o : c)]};
        sum += error;
        out.worst = std::max(out.worst, std::abs(error));
      }
      out.worst_sum = std::max(out.worst_sum, std::abs(sum));
    }
  }
  return out;
}

TEST(KeepMeans, TheSumOfAFiltersErrorsIsLittle) {
  for (const auto& [shape, axis] : {std::pair(Shape{1, 3, 3, 16}, 3), std::pair(Shape{4, 5, 5, 6}, 0)}) {
    const std::vector<float> values =
        testing::some_floats(static_cast<size_t>(shape[0] * shape[1] * shape[2] * shape[3]), 5);
    QuantizedWeights weights = quantize_weights(values, shape, axis);
    const Errors nearest = errors(values, shape, weights);
    keep_means(values, shape, weights.quant, weights.values);
    const Errors kept = errors(values, shape, weights);
    EXPECT_GT(nearest.worst_sum, 1.0);  // or this test shows nothing
    EXPECT_LT(kept.worst_sum, 0.75);
    EXPECT_LT(kept.worst, 1.0);
  }
}

TEST(KeepMeans, OnTheEdgeOfTheRangeNothingLeavesIt) {
  // 127 and eight times 100.45: the sum is off by 3.6, and one move of the largest would pass 127.
  std::vector<float> values{127};
  values.resize(9, 100.45f);
  QuantizedWeights weights = quantize_weights(values, {1, 3, 3, 1}, 3);
  ASSERT_EQ(weights.quant.scale[0], 1.0f);
  keep_means(values, {1, 3, 3, 1}, weights.quant, weights.values);
  int sum = 0;
  for (int8_t value : weights.values) {
    EXPECT_LE(value, 127);
    sum += value;
  }
  EXPECT_EQ(sum, 127 + 800 + 4);  // of 930.6, as near as moves that pay come: 931
}

TEST(KeepMeans, SingleTapsAreLeftAsTheyAre) {
  const std::vector<float> values = testing::some_floats(64, 9);
  QuantizedWeights weights = quantize_weights(values, {8, 1, 1, 8}, 0);
  const std::vector<int8_t> before = weights.values;
  keep_means(values, {8, 1, 1, 8}, weights.quant, weights.values);
  EXPECT_EQ(weights.values, before);
}

}  // namespace
}  // namespace fewbits::quantize
