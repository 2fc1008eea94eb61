// The shift that bias correction predicts, against a plain convolution of an image that is constant in each channel.
#include "quantize/algorithms/bias_correction.h"

#include <gtest/gtest.h>

#include "quantize/params.h"
#include "support/small_models.h"

namespace fewbits::quantize {
namespace {

using testing::add_floats;
using testing::add_node;
using testing::add_value;
using testing::some_floats;

constexpr int kSize = 5;
const std::vector<double> kMeans{1.5, -0.25, 3.0, 0.5};  // of the four input channels

struct Case {
  Graph graph;
  NodeId node = 0;
  Value weights, integers;
};

template <class Options>
Case make(Op op, const Shape& input, const Shape& shape, int axis, Options options) {
  Case made;
  const ValueId in = add_value(made.graph, "in", input);
  const auto count = element_count(shape);
  const ValueId filter = add_floats(made.graph, "w", shape, some_floats(count, 3));
  made.node = add_node(made.graph, op, {in, filter}, {add_value(made.graph, "out", {})}, std::move(options));
  made.weights = made.integers = made.graph.value(filter);
  QuantizedWeights small = quantize_weights(made.weights.data.as<float>(), shape, axis);
  made.integers.dtype = DType::kInt8;
  made.integers.quant = small.quant;
  made.integers.data = ConstData::own(std::move(small.values));
  return made;
}

double error_at(const Case& made, size_t at, size_t channel) {
  return double{made.integers.quant.scale[channel]} * made.integers.data.as<int8_t>()[at] -
         made.weights.data.as<float>()[at];
}

// The mean over all positions of what a 3x3 window with SAME padding and this stride gives of weight(ky, kx).
template <class Weight>
double mean_over_positions(int stride, Weight weight) {
  const int out = (kSize + stride - 1) / stride, padding = std::max(0, (out - 1) * stride + 3 - kSize) / 2;
  double sum = 0;
  for (int y = 0; y < out; ++y) {
    for (int x = 0; x < out; ++x) {
      for (int ky = 0; ky < 3; ++ky) {
        for (int kx = 0; kx < 3; ++kx) {
          const int iy = y * stride - padding + ky, ix = x * stride - padding + kx;
          if (iy >= 0 && iy < kSize && ix >= 0 && ix < kSize) sum += weight(ky, kx);
        }
      }
    }
  }
  return sum / (out * out);
}

TEST(MeanShift, GroupedConvolutionWithPadding) {
  tflite::Conv2DOptionsT options;
  options.stride_h = options.stride_w = 2;
  const Case made = make(Op::CONV_2D, {1, kSize, kSize, 4}, {6, 3, 3, 2}, 0, options);  // two groups
  const auto shift = mean_shift(made.graph, made.graph.node(made.node), made.weights, made.integers, kMeans);
  ASSERT_EQ(shift.size(), 6u);
  for (size_t o = 0; o < 6; ++o) {
    const double expected = mean_over_positions(2, [&](int ky, int kx) {
      double sum = 0;
      for (size_t c = 0; c < 2; ++c) {
        sum += kMeans[o / 3 * 2 + c] * error_at(made, (o * 9 + static_cast<size_t>(ky * 3 + kx)) * 2 + c, o);
      }
      return sum;
    });
    EXPECT_NEAR(shift[o], expected, 1e-9);
  }
}

TEST(MeanShift, DepthwiseWithAMultiplier) {
  tflite::DepthwiseConv2DOptionsT options;
  options.stride_h = options.stride_w = 1;
  options.depth_multiplier = 2;
  const Case made = make(Op::DEPTHWISE_CONV_2D, {1, kSize, kSize, 4}, {1, 3, 3, 8}, 3, options);
  const auto shift = mean_shift(made.graph, made.graph.node(made.node), made.weights, made.integers, kMeans);
  ASSERT_EQ(shift.size(), 8u);
  for (size_t o = 0; o < 8; ++o) {
    const double expected = mean_over_positions(
        1, [&](int ky, int kx) { return kMeans[o / 2] * error_at(made, static_cast<size_t>(ky * 3 + kx) * 8 + o, o); });
    EXPECT_NEAR(shift[o], expected, 1e-9);
  }
}

TEST(MeanShift, FullyConnected) {
  const Case made = make(Op::FULLY_CONNECTED, {1, 4}, {3, 4}, 0, tflite::FullyConnectedOptionsT{});
  const auto shift = mean_shift(made.graph, made.graph.node(made.node), made.weights, made.integers, kMeans);
  ASSERT_EQ(shift.size(), 3u);
  for (size_t o = 0; o < 3; ++o) {
    double expected = 0;
    for (size_t c = 0; c < 4; ++c) expected += kMeans[c] * error_at(made, o * 4 + c, o);
    EXPECT_NEAR(shift[o], expected, 1e-12);
  }
}

TEST(MeanShift, ShapesThatDoNotFitGiveNone) {
  const Case made = make(Op::FULLY_CONNECTED, {1, 8}, {3, 4}, 0, tflite::FullyConnectedOptionsT{});
  const Node& node = made.graph.node(made.node);
  EXPECT_TRUE(mean_shift(made.graph, node, made.weights, made.integers, std::vector<double>(8, 1.0)).empty());
  EXPECT_TRUE(mean_shift(made.graph, node, made.weights, made.integers, std::vector<double>(3, 1.0)).empty());
  EXPECT_TRUE(mean_shift(made.graph, node, made.weights, made.integers, {}).empty());
}

}  // namespace
}  // namespace fewbits::quantize
