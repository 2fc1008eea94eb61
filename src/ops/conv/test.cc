// Tests of the conv family: hand-computed numbers, every kernel against the specification, shapes and refusals.
#include <gtest/gtest.h>

#include "ops/conv/conv_kernels.h"
#include "ops/conv/ref.h"
#include "ops/one_op.h"

namespace fewbits {
namespace {

using ops::Scheme;
using ops::Spatial;
using test::OneOp;
using test::quant;

// One convolution to try; stride, dilation and filter are depth, height, width.
struct Case {
  Op op = Op::CONV_2D;
  Shape in;  // of the input, with batch and channels
  int32_t out_channels = 1;
  Spatial filter{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  bool same = true;
  int32_t groups = 1;
  Spatial out{};  // transposed only
  bool live_weights = false, per_channel = true, bias = true;
  const char* path = "";  // what the kernel's choice must say: how it finds its rows
};

bool is_3d(Op op) { return op == Op::CONV_3D || op == Op::CONV_3D_TRANSPOSE; }
bool is_transposed(Op op) { return op == Op::TRANSPOSE_CONV || op == Op::CONV_3D_TRANSPOSE; }

Shape filter_shape(const Case& c) {
  const int32_t in = c.in.back() / c.groups, out = c.out_channels;
  switch (c.op) {
    case Op::DEPTHWISE_CONV_2D: return {1, c.filter[1], c.filter[2], out};
    case Op::CONV_3D: return {c.filter[0], c.filter[1], c.filter[2], in, out};
    case Op::CONV_3D_TRANSPOSE: return {c.filter[0], c.filter[1], c.filter[2], out, in};
    default: return {out, c.filter[1], c.filter[2], in};
  }
}

Shape output_shape(const Case& c) {
  if (c.op == Op::TRANSPOSE_CONV) return {c.in[0], c.out[1], c.out[2], c.out_channels};
  return {c.in[0], c.out[0], c.out[1], c.out[2], c.out_channels};
}

void set_options(OneOp& op, const Case& c) {
  const auto padding = c.same ? tflite::Padding::SAME : tflite::Padding::VALID;
  const auto fill = [&](auto options) {
    options.padding = padding;
    options.stride_h = c.stride[1];
    options.stride_w = c.stride[2];
    if constexpr (requires { options.dilation_h_factor; }) {
      options.dilation_h_factor = c.dilation[1];
      options.dilation_w_factor = c.dilation[2];
    }
    if constexpr (requires { options.dilation_d_factor; }) {
      options.stride_d = c.stride[0];
      options.dilation_d_factor = c.dilation[0];
    }
    op.options(std::move(options));
  };
  if (is_3d(c.op)) return fill(tflite::Conv3DOptionsT());
  if (c.op == Op::TRANSPOSE_CONV) return fill(tflite::TransposeConvOptionsT());
  if (c.op == Op::DEPTHWISE_CONV_2D) return fill(tflite::DepthwiseConv2DOptionsT());
  fill(tflite::Conv2DOptionsT());
}

// The types and parameters of a scheme.
struct Types {
  DType in, weights, bias;
  QuantParams in_quant, out_quant;
};
Types types_of(Scheme scheme) {
  switch (scheme) {
    case Scheme::kFloat: return {DType::kFloat32, DType::kFloat32, DType::kFloat32, {}, {}};
    case Scheme::kInt8: return {DType::kInt8, DType::kInt8, DType::kInt32, quant({0.05f}, {-7}), quant({0.4f}, {11})};
    case Scheme::kUInt8:
      return {DType::kUInt8, DType::kUInt8, DType::kInt32, quant({0.05f}, {120}), quant({0.4f}, {140})};
    case Scheme::kInt16:
      return {DType::kInt16, DType::kInt8, DType::kInt64, quant({0.0005f}, {0}), quant({0.002f}, {0})};
    case Scheme::kHybrid: return {DType::kFloat32, DType::kInt8, DType::kFloat32, {}, {}};
  }
  return {};
}

QuantParams weights_quant(const Case& c, Scheme scheme, test::Random& random) {
  if (scheme == Scheme::kFloat) return {};
  if (scheme == Scheme::kUInt8) return quant({0.02f}, {117});
  if (!c.per_channel) return quant({0.02f}, {0});
  return quant(random.reals(static_cast<size_t>(c.out_channels), 0.005f, 0.03f), {},
               c.op == Op::DEPTHWISE_CONV_2D ? 3 : 0);
}

template <class In, class Weight, class Bias, class Out>
void compare(const Case& c, Scheme scheme, int threads) {
  test::Random random(static_cast<uint32_t>(element_count(c.in) * 31 + static_cast<size_t>(c.out_channels)));
  const auto values = [&]<class T>(size_t count, T) {
    if constexpr (std::is_same_v<T, float>)
      return random.reals(count, -1, 1.5f);
    else
      return random.integers<T>(count, std::max<int64_t>(std::numeric_limits<T>::min(), -40000),
                                std::min<int64_t>(std::numeric_limits<T>::max(), 40000));
  };
  const Types types = types_of(scheme);
  const std::vector<In> in = values(element_count(c.in), In{});
  const std::vector<Weight> weights = values(element_count(filter_shape(c)), Weight{});
  const std::vector<Bias> bias = values(static_cast<size_t>(c.out_channels), Bias{});
  OneOp op(c.op);
  set_options(op, c);
  const QuantParams w_quant = weights_quant(c, scheme, random);
  if (is_transposed(c.op)) {
    const Shape shape = output_shape(c);
    op.constant<int32_t>(DType::kInt32, {static_cast<int32_t>(shape.size())}, shape);
  } else {
    op.input(types.in, c.in, in, types.in_quant);
  }
  if (c.live_weights)
    op.input(types.weights, filter_shape(c), weights, w_quant);
  else
    op.constant(types.weights, filter_shape(c), weights, w_quant);
  if (is_transposed(c.op)) op.input(types.in, c.in, in, types.in_quant);
  if (c.bias) op.constant(types.bias, {c.out_channels}, bias);
  op.output(types.in, types.out_quant);
  const Status status = op.run(threads);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_NE(op.prepared().choice.find(c.path), std::string::npos) << op.prepared().choice;

  const Shape out_shape = output_shape(c);
  const auto geometry = ops::conv_geometry(op.context(), is_transposed(c.op) ? &out_shape : nullptr);
  ASSERT_TRUE(geometry);
  const auto conv = ops::conv_case(op.context(), *geometry, c.op == Op::DEPTHWISE_CONV_2D ? 3 : 0);
  ASSERT_TRUE(conv);
  const ops::ConvRefArgs args{*geometry, ops::filter_strides(c.op, *geometry)};
  std::vector<Out> expected(element_count(op.shape()));
  const Bias* some_bias = c.bias ? bias.data() : nullptr;
  if constexpr (std::is_same_v<In, float> && !std::is_same_v<Weight, float>) {
    ops::conv_ref_hybrid(args, conv->spec, !c.per_channel && c.op == Op::CONV_2D, in.data(), weights.data(), some_bias,
                         expected.data());
  } else {
    ops::conv_ref(args, conv->spec, in.data(), weights.data(), some_bias, expected.data());
  }
  const std::vector<Out> got = op.result<Out>();
  ASSERT_EQ(got.size(), expected.size());
  if constexpr (std::is_same_v<Out, float>) {
    // Sums in another order: an error in units of the terms' number.
    const double bound = 2e-6 * static_cast<double>(geometry->taps() * static_cast<size_t>(c.in.back() / c.groups) + 1);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], bound) << i << " " << op.prepared().choice;
  } else {
    EXPECT_EQ(got, expected) << op.prepared().choice;
  }
}

void compare_all(const Case& c, int threads = 2) {
  SCOPED_TRACE(fmt::format("{} {} filter {}x{}x{} stride {}x{} groups {} same {}", op_name(c.op), shape_text(c.in),
                           c.filter[0], c.filter[1], c.filter[2], c.stride[1], c.stride[2], c.groups, c.same));
  compare<float, float, float, float>(c, Scheme::kFloat, threads);
  if (is_3d(c.op)) return;
  compare<int8_t, int8_t, int32_t, int8_t>(c, Scheme::kInt8, threads);
  compare<int8_t, int8_t, int32_t, int8_t>(c, Scheme::kUInt8, threads);
  compare<int16_t, int8_t, int64_t, int16_t>(c, Scheme::kInt16, threads);
  compare<float, int8_t, float, float>(c, Scheme::kHybrid, threads);
}

TEST(Conv, SumsByHand) {
  tflite::Conv2DOptionsT options;
  options.padding = tflite::Padding::SAME;
  options.stride_h = options.stride_w = 1;
  OneOp op(Op::CONV_2D);
  op.options(options)
      .input<float>(DType::kFloat32, {1, 2, 2, 1}, {1, 2, 3, 4})
      .constant<float>(DType::kFloat32, {1, 2, 2, 1}, {10, 1, 0.1f, 0.01f})
      .constant<float>(DType::kFloat32, {1}, {0.5f})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  // Windows begin at the pixel itself: an even filter's padding lies behind.
  const std::vector<float> expected{10 + 2 + 0.3f + 0.04f + 0.5f, 20 + 0.4f + 0.5f, 30 + 4 + 0.5f, 40 + 0.5f};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(op.result<float>()[i], expected[i], 1e-5);
}

TEST(Conv, RequantizesToNearestEven) {
  tflite::Conv2DOptionsT options;
  options.padding = tflite::Padding::VALID;
  options.stride_h = options.stride_w = 1;
  OneOp op(Op::CONV_2D);
  // (q + 1) * 1 * 0.5: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, -1.5 -> -2, and the clamp at 127; zero point 3.
  op.options(options)
      .input<int8_t>(DType::kInt8, {1, 1, 5, 1}, {0, 2, 4, -4, 127}, quant({0.5f}, {-1}))
      .constant<int8_t>(DType::kInt8, {2, 1, 1, 1}, {1, 4}, quant({0.5f, 0.25f}, {0, 0}, 0))
      .constant<int32_t>(DType::kInt32, {2}, {0, 1}, quant({0.25f, 0.125f}, {0, 0}, 0))
      .output(DType::kInt8, quant({0.5f}, {3}));
  ASSERT_TRUE(op.run());
  // Second channel: (4 * (q + 1) + 1) * 0.25 = q + 1.25.
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{3, 4, 5, 6, 5, 8, 1, 0, 67, 127}));
}

TEST(Conv, TransposesByHand) {
  tflite::TransposeConvOptionsT options;
  options.padding = tflite::Padding::VALID;
  options.stride_h = 1;
  options.stride_w = 2;
  OneOp op(Op::TRANSPOSE_CONV);
  op.options(options)
      .constant<int32_t>(DType::kInt32, {4}, {1, 1, 5, 1})
      .constant<float>(DType::kFloat32, {1, 1, 3, 1}, {1, 10, 100})
      .input<float>(DType::kFloat32, {1, 1, 2, 1}, {2, 3})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<float>(), (std::vector<float>{2, 20, 203, 30, 300}));
}

TEST(Conv, EqualsTheReference) {
  constexpr const char *kDirect = "direct", *kGathered = "gathered", *kMerged = "merged columns",
                       *kCopied = "padded lines";
  compare_all({.in = {2, 5, 6, 7}, .out_channels = 9, .path = kDirect});
  compare_all({.in = {2, 5, 6, 7}, .out_channels = 9, .stride = {1, 2, 2}, .path = kGathered});
  compare_all({.in = {2, 7, 6, 40}, .out_channels = 33, .filter = {1, 3, 3}, .stride = {1, 2, 1}, .path = kGathered});
  compare_all({.in = {1, 7, 9, 5}, .out_channels = 17, .filter = {1, 3, 2}, .dilation = {1, 2, 3}, .path = kGathered});
  compare_all({.in = {1, 7, 9, 35}, .out_channels = 6, .filter = {1, 3, 3}, .same = false, .path = kMerged});
  compare_all({.in = {2, 9, 10, 3}, .out_channels = 8, .filter = {1, 3, 5}, .stride = {1, 2, 2}, .path = kCopied});
  compare_all({.in = {2, 7, 6, 5}, .out_channels = 33, .filter = {1, 3, 3}, .dilation = {1, 2, 1}, .path = kCopied});
  // A filter wider than the image.
  compare_all({.in = {1, 1, 3, 2}, .out_channels = 3, .filter = {1, 1, 7}, .path = kCopied});
  compare_all({.in = {2, 5, 4, 6}, .out_channels = 9, .filter = {1, 3, 3}, .groups = 3, .path = kGathered});
  // One input channel a group.
  compare_all({.in = {2, 5, 4, 6}, .out_channels = 12, .filter = {1, 3, 3}, .groups = 6, .path = "depthwise"});
  compare_all({.in = {1, 5, 4, 6}, .out_channels = 4, .filter = {1, 3, 3}, .per_channel = false, .bias = false});
  compare_all({.in = {2, 5, 4, 6}, .out_channels = 5, .filter = {1, 3, 3}, .live_weights = true});
}

// Lines of outputs that some kernels read straight from a padded copy of the image.
TEST(Conv, LongLinesOfManyChannelsEqualTheReference) {
  compare_all({.in = {2, 9, 14, 64}, .out_channels = 20, .filter = {1, 3, 3}});
  compare_all({.in = {1, 8, 29, 64}, .out_channels = 65, .filter = {1, 3, 3}, .stride = {1, 2, 2}});
  compare_all({.in = {1, 9, 18, 64}, .out_channels = 5, .filter = {1, 3, 3}, .same = false});
  compare_all(
      {.in = {1, 10, 20, 64}, .out_channels = 3, .filter = {1, 3, 3}, .stride = {1, 3, 1}, .dilation = {1, 2, 1}});
  compare_all({.in = {1, 2, 13, 64}, .out_channels = 3, .filter = {1, 5, 1}});
  compare_all({.in = {1, 2, 13, 64}, .out_channels = 3, .filter = {1, 5, 2}});
  compare_all({.in = {1, 4, 15, 128}, .out_channels = 3, .filter = {1, 1, 3}});
  compare_all({.in = {2, 5, 27, 64}, .out_channels = 17, .stride = {1, 2, 2}});
  compare_all({.in = {1, 3, 12, 64}, .out_channels = 2, .filter = {1, 3, 3}, .per_channel = false, .bias = false});
}

TEST(Conv, DepthwiseEqualsTheReference) {
  const auto depthwise = [](Shape in, int32_t multiplier, Spatial filter, Spatial stride = {1, 1, 1},
                            Spatial dilation = {1, 1, 1}, bool live = false) {
    const int32_t channels = in.back();
    compare_all({.op = Op::DEPTHWISE_CONV_2D,
                 .in = std::move(in),
                 .out_channels = channels * multiplier,
                 .filter = filter,
                 .stride = stride,
                 .dilation = dilation,
                 .groups = channels,
                 .live_weights = live});
  };
  depthwise({2, 6, 7, 5}, 1, {1, 3, 3});
  depthwise({2, 6, 7, 40}, 1, {1, 3, 3}, {1, 2, 2});
  depthwise({1, 6, 7, 18}, 1, {1, 5, 5}, {1, 1, 1}, {1, 2, 2});
  depthwise({2, 6, 7, 3}, 4, {1, 3, 2});
  depthwise({2, 6, 7, 1}, 6, {1, 3, 3}, {1, 2, 1});
  depthwise({2, 6, 7, 5}, 1, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, true);
}

TEST(Conv, TransposedEqualsTheReference) {
  const auto transposed = [](Shape in, int32_t channels, Spatial filter, Spatial stride, bool same, Spatial out,
                             bool live = false) {
    compare_all({.op = Op::TRANSPOSE_CONV,
                 .in = std::move(in),
                 .out_channels = channels,
                 .filter = filter,
                 .stride = stride,
                 .same = same,
                 .out = out,
                 .live_weights = live});
  };
  transposed({2, 3, 4, 5}, 6, {1, 3, 3}, {1, 2, 2}, true, {1, 6, 8});
  transposed({2, 3, 4, 5}, 6, {1, 3, 3}, {1, 2, 2}, true, {1, 5, 7});  // another size that the same input gives
  transposed({1, 3, 4, 5}, 6, {1, 4, 5}, {1, 2, 3}, false, {1, 8, 14});
  transposed({1, 3, 4, 2}, 3, {1, 2, 2}, {1, 3, 4}, true, {1, 9, 16});  // gaps that only the bias fills
  transposed({1, 3, 4, 2}, 3, {1, 3, 3}, {1, 1, 1}, true, {1, 3, 4});
  transposed({1, 3, 4, 2}, 3, {1, 3, 3}, {1, 2, 2}, true, {1, 20, 20});  // larger than the input reaches
  transposed({1, 3, 4, 2}, 3, {1, 3, 3}, {1, 1 << 20, 2}, false, {1, 3, 9}, true);
}

TEST(Conv, VolumesEqualTheReference) {
  compare_all({.op = Op::CONV_3D, .in = {2, 4, 5, 6, 3}, .out_channels = 7, .filter = {3, 2, 3}, .stride = {2, 1, 2}});
  compare_all({.op = Op::CONV_3D,
               .in = {1, 6, 5, 6, 6},
               .out_channels = 5,
               .filter = {2, 3, 3},
               .dilation = {2, 1, 2},
               .same = false});
  compare_all({.op = Op::CONV_3D, .in = {1, 2, 3, 4, 5}, .out_channels = 5});
  compare_all({.op = Op::CONV_3D_TRANSPOSE,
               .in = {2, 2, 3, 4, 3},
               .out_channels = 5,
               .filter = {3, 2, 3},
               .stride = {2, 2, 1},
               .out = {4, 6, 4}});
  compare_all({.op = Op::CONV_3D_TRANSPOSE,
               .in = {1, 2, 3, 3, 3},
               .out_channels = 2,
               .filter = {2, 3, 3},
               .stride = {1, 2, 2},
               .dilation = {2, 1, 3},
               .same = false,
               .out = {4, 7, 11},
               .live_weights = true});
}

// Too many offsets to keep: they are made band by band.
TEST(Conv, LargeImagesGoByBands) {
  compare<int8_t, int8_t, int32_t, int8_t>(
      {.in = {1, 300, 500, 5}, .out_channels = 1, .filter = {1, 3, 3}, .dilation = {1, 1, 2}, .path = "gathered"},
      Scheme::kInt8, 2);
  compare<float, float, float, float>(
      {.op = Op::DEPTHWISE_CONV_2D, .in = {1, 300, 500, 2}, .out_channels = 2, .filter = {1, 3, 3}, .groups = 2},
      Scheme::kFloat, 2);
}

TEST(Conv, KeepsUnknownSizes) {
  OneOp op(Op::CONV_2D);
  set_options(op, {.filter = {1, 3, 3}, .stride = {1, 2, 2}});
  op.input(DType::kFloat32, {-1, -1, 9, 3}).input(DType::kFloat32, {8, 3, 3, 3}).output(DType::kFloat32);
  ASSERT_TRUE(op.infer());
  EXPECT_EQ(op.shape(), (Shape{-1, -1, 5, 8}));
}

TEST(Conv, TransposedShapeMayComeAtRunTime) {
  OneOp op(Op::TRANSPOSE_CONV);
  set_options(op, {.op = Op::TRANSPOSE_CONV, .stride = {1, 2, 2}});
  op.input(DType::kInt32, {4})
      .input(DType::kFloat32, {3, 2, 2, 5})
      .input(DType::kFloat32, {1, 4, 4, 5})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
}

// The message of a convolution that must be refused.
std::string refusal(const Case& c, Shape filter, QuantParams w_quant = {}, Shape bias = {}) {
  OneOp op(c.op);
  set_options(op, c);
  const bool quantized = w_quant.quantized();
  op.input(quantized ? DType::kInt8 : DType::kFloat32, c.in, quantized ? quant({0.1f}, {0}) : QuantParams{});
  op.input(quantized ? DType::kInt8 : DType::kFloat32, std::move(filter), std::move(w_quant));
  if (!bias.empty()) op.input(quantized ? DType::kInt32 : DType::kFloat32, std::move(bias));
  op.output(quantized ? DType::kInt8 : DType::kFloat32, quantized ? quant({0.1f}, {0}) : QuantParams{});
  const Status status = op.prepare();
  return status ? "" : status.error().message;
}

TEST(Conv, RefusesWhatMakesNoSense) {
  const auto contains = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const Shape image{1, 4, 4, 6};
  EXPECT_EQ(refusal({.in = image}, {2, 1, 1, 6}), "");
  EXPECT_TRUE(contains(refusal({.in = image}, {2, 1, 1, 4}), "does not fit"));
  EXPECT_TRUE(contains(refusal({.in = image}, {3, 1, 1, 3}), "does not fit"));  // 3 filters in 2 groups
  EXPECT_TRUE(contains(refusal({.in = image}, {2, 1, 6}), "4 dimensions"));
  EXPECT_TRUE(contains(refusal({.in = {4, 4, 6}}, {2, 1, 1, 6}), "4 dimensions"));
  EXPECT_TRUE(contains(refusal({.in = image}, {2, 0, 1, 6}), "no elements"));
  EXPECT_TRUE(contains(refusal({.in = image, .stride = {1, 0, 1}}, {2, 1, 1, 6}), "stride 0"));
  EXPECT_TRUE(contains(refusal({.in = image, .dilation = {1, 1, -1}}, {2, 1, 1, 6}), "dilation -1"));
  EXPECT_TRUE(contains(refusal({.in = image}, {2, 1, 1, 6}, {}, {3}), "bias"));
  EXPECT_TRUE(contains(refusal({.in = image}, {2, 1, 1, 6}, quant({0.1f, 0.1f, 0.1f})), "3 scales"));
  EXPECT_TRUE(contains(refusal({.in = image}, {2, 1, 1, 6}, quant({0.1f, 0.1f}, {}, 3)), "along dimension 3"));
  EXPECT_TRUE(contains(refusal({.in = image}, {2, 1, 1, 6}, quant({0.1f}, {5})), "zero point 0"));
  EXPECT_TRUE(
      contains(refusal({.in = image}, {2, 1, 1, 6}, quant({std::numeric_limits<float>::infinity()})), "scale inf"));
  EXPECT_TRUE(contains(refusal({.op = Op::DEPTHWISE_CONV_2D, .in = image}, {1, 1, 1, 7}), "does not fit"));
  EXPECT_TRUE(contains(refusal({.op = Op::DEPTHWISE_CONV_2D, .in = {1, 4, 4, 0}}, {1, 1, 1, 6}), "0 input channels"));
  EXPECT_TRUE(contains(refusal({.op = Op::DEPTHWISE_CONV_2D, .in = image}, {2, 1, 1, 6}), "must be 1"));
}

TEST(Conv, NullOptionsAreAnError) {
  OneOp op(Op::CONV_2D);
  op.input(DType::kFloat32, {1, 4, 4, 1}).input(DType::kFloat32, {1, 1, 1, 1}).output(DType::kFloat32);
  EXPECT_FALSE(op.infer());
}

}  // namespace
}  // namespace fewbits
