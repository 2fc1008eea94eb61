// Tests of the fully_connected family.
#include <gtest/gtest.h>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;

TEST(FullyConnected, FloatByHand) {
  tflite::FullyConnectedOptionsT options;
  options.fused_activation_function = tflite::ActivationFunctionType::RELU6;
  OneOp op(Op::FULLY_CONNECTED);
  op.options(options)
      .input<float>(DType::kFloat32, {2, 3}, {1, 2, 3, -1, 0, 1})
      .constant<float>(DType::kFloat32, {2, 3}, {1, 0, 1, 0, 1, -1})
      .constant<float>(DType::kFloat32, {2}, {0.5f, 1})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 2}));
  EXPECT_EQ(op.result<float>(), (std::vector<float>{4.5f, 0, 0.5f, 0}));
}

TEST(FullyConnected, LiveWeightsMayHaveAZeroPoint) {
  OneOp op(Op::FULLY_CONNECTED);
  // (1 - 1, 3 - 1) . (4 - 2, 5 - 2) = 6; scaled by 0.5 * 0.5 / 0.25 = 1.
  op.options(tflite::FullyConnectedOptionsT())
      .input<int8_t>(DType::kInt8, {1, 2}, {1, 3}, quant({0.5f}, {1}))
      .input<int8_t>(DType::kInt8, {1, 2}, {4, 5}, quant({0.5f}, {2}))
      .absent()
      .output(DType::kInt8, quant({0.25f}, {-10}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<int8_t>(), std::vector<int8_t>{-4});
}

TEST(FullyConnected, LegacyBytes) {
  OneOp op(Op::FULLY_CONNECTED);
  // (130 - 128, 100 - 128) . (3 - 1, 2 - 1) = -24; plus 4 is -20, times 0.25 is -5.
  op.options(tflite::FullyConnectedOptionsT())
      .input<uint8_t>(DType::kUInt8, {1, 2}, {130, 100}, quant({0.5f}, {128}))
      .constant<uint8_t>(DType::kUInt8, {1, 2}, {3, 2}, quant({0.5f}, {1}))
      .constant<int32_t>(DType::kInt32, {1}, {4})
      .output(DType::kUInt8, quant({1.0f}, {200}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<uint8_t>(), std::vector<uint8_t>{195});
}

TEST(FullyConnected, PackedWeightsLowNibbleFirst) {
  OneOp op(Op::FULLY_CONNECTED);
  // Weights 1, -2, 7 and -8, 3, 0; the last byte's high half is nothing's.
  op.options(tflite::FullyConnectedOptionsT())
      .input<int8_t>(DType::kInt8, {1, 3}, {1, 10, 100}, quant({1.0f}, {0}))
      .constant<uint8_t>(DType::kInt4, {2, 3}, {0xe1, 0x87, 0x03}, quant({1.0f, 1.0f}))
      .output(DType::kInt8, quant({8.0f}, {0}));
  ASSERT_TRUE(op.run());
  // 1 - 20 + 700 = 681 -> 85; -8 + 30 = 22 -> 3.
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{85, 3}));
}

TEST(FullyConnected, SixteenBitsWithEitherBias) {
  const auto run = [](auto bias, DType type) {
    OneOp op(Op::FULLY_CONNECTED);
    op.options(tflite::FullyConnectedOptionsT())
        .input<int16_t>(DType::kInt16, {1, 2}, {1000, -2000}, quant({1.0f}, {0}))
        .constant<int8_t>(DType::kInt8, {1, 2}, {3, 1}, quant({1.0f}))
        .constant(type, {1}, std::vector{bias})
        .output(DType::kInt16, quant({4.0f}, {0}));
    EXPECT_TRUE(op.run());
    return op.result<int16_t>();
  };
  EXPECT_EQ(run(int64_t{200}, DType::kInt64), std::vector<int16_t>{300});
  EXPECT_EQ(run(int32_t{200}, DType::kInt32), std::vector<int16_t>{300});
}

TEST(FullyConnected, HybridQuantizesEachRow) {
  for (bool asymmetric : {false, true}) {
    tflite::FullyConnectedOptionsT options;
    options.asymmetric_quantize_inputs = asymmetric;
    OneOp op(Op::FULLY_CONNECTED);
    // Both rows are exact in their own ranges: 127 steps of 1 and of 1000 (symmetric), 255 steps with the zero at -128.
    const float top = asymmetric ? 255 : 127;
    op.options(options)
        .input<float>(DType::kFloat32, {2, 2}, {top, 5, 1000 * top, 5000})
        .constant<int8_t>(DType::kInt8, {1, 2}, {2, 100}, quant({0.5f}))
        .constant<float>(DType::kFloat32, {1}, {1})
        .output(DType::kFloat32);
    ASSERT_TRUE(op.run());
    const std::vector<float> got = op.result<float>();
    EXPECT_FLOAT_EQ(got[0], top + 250 + 1);
    EXPECT_FLOAT_EQ(got[1], 1000 * (top + 250) + 1);
  }
}

// Weights [units, 64] in two blocks of 32 under a float input [rows, 64], with the scales as an operand of no operator.
struct Blockwise {
  Blockwise(int32_t rows, const std::vector<uint8_t>& weights, const std::vector<uint16_t>& scales,
            const std::vector<float>& x, tflite::FullyConnectedOptionsT options = {}) {
    const auto units = static_cast<int32_t>(weights.size() / 32);
    auto any = std::make_shared<tflite::QuantizationDetailsUnion>();
    details.block_size = 32;
    details.zero_points = -1;
    details.scales = 0;
    any->Set(details);
    Value scale{.name = "scales", .dtype = DType::kFloat16, .shape = {units, 2}, .is_const = true};
    scale.data = ConstData::own(scales);
    EXPECT_EQ(op.model().graphs[0].add_value(std::move(scale)), details.scales);
    op.options(std::move(options))
        .input<float>(DType::kFloat32, {rows, 64}, x)
        .constant<uint8_t>(DType::kInt4, {units, 64}, weights, {.details = any})
        .output(DType::kFloat32);
    stored = any;
  }
  Status run() { return op.run(); }

  tflite::BlockwiseQuantizationT details;
  std::shared_ptr<tflite::QuantizationDetailsUnion> stored;
  OneOp op{Op::FULLY_CONNECTED};
};

constexpr uint16_t kHalfOne = 0x3c00, kHalfTwo = 0x4000;

TEST(FullyConnected, BlocksHaveTheirOwnScalesAndTheActivationIsApplied) {
  tflite::FullyConnectedOptionsT options;
  options.fused_activation_function = tflite::ActivationFunctionType::RELU;
  // Inputs 0 to 255 in steps that a row of 255 steps holds exactly; weights 1 in the first block, -2 or 3 in the second.
  std::vector<float> x(64, 1);
  x[0] = 255;
  x[63] = 0;
  std::vector<uint8_t> weights(64, 0x11);
  std::fill(weights.begin() + 16, weights.begin() + 32, uint8_t{0xee});
  std::fill(weights.begin() + 48, weights.end(), uint8_t{0x33});
  Blockwise node(1, weights, {kHalfOne, kHalfTwo, kHalfTwo, kHalfOne}, x, options);
  ASSERT_TRUE(node.run());
  // (255 + 31) * 1 - 2 * 31 * 2 = 162; (255 + 31) * 2 + 3 * 31 = 665.
  EXPECT_EQ(node.op.result<float>(), (std::vector<float>{162, 665}));
  std::fill(weights.begin(), weights.begin() + 16, uint8_t{0xff});
  Blockwise negative(1, weights, {kHalfOne, kHalfTwo, kHalfTwo, kHalfOne}, x, options);
  ASSERT_TRUE(negative.run());
  EXPECT_EQ(negative.op.result<float>(), (std::vector<float>{0, 665}));
}

TEST(FullyConnected, BlocksThatAreNotAsLiteRtRunsThemAreRefused) {
  const std::vector<uint8_t> weights(64, 0x11);
  const auto error = [&](auto change) {
    Blockwise node(1, weights, std::vector<uint16_t>(4, kHalfOne), std::vector<float>(64, 1));
    change(node, *node.stored->AsBlockwiseQuantization(), node.op.model().graphs[0].value(0));
    const Status status = node.op.prepare();
    return status ? std::string() : status.error().message;
  };
  using Details = tflite::BlockwiseQuantizationT;
  EXPECT_EQ(error([](auto&, Details&, Value&) {}), "");
  const auto contains = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(
      contains(error([](auto&, Details& d, Value&) { d.block_size = 48; }), "which blocks of 48 do not divide"));
  EXPECT_TRUE(contains(error([](auto&, Details& d, Value&) { d.block_size = 0; }), "which blocks of 0 do not divide"));
  EXPECT_TRUE(contains(error([](auto&, Details& d, Value&) { d.block_size = 16; }), "not of a multiple of 32"));
  EXPECT_TRUE(contains(error([](auto&, Details& d, Value&) { d.zero_points = 0; }), "have zero points"));
  EXPECT_TRUE(contains(error([](auto&, Details& d, Value&) { d.scales = 77; }), "lack the 4 scales"));
  EXPECT_TRUE(contains(error([](auto&, Details& d, Value&) { d.scales = 1; }), "lack the 4 scales"));
  EXPECT_TRUE(contains(error([](auto&, Details&, Value& v) { v.dtype = DType::kBFloat16; }), "bfloat16, not float16"));
  const std::vector<uint16_t> infinite(4, 0x7c00);
  EXPECT_TRUE(contains(error([&](auto&, Details&, Value& v) { v.data = ConstData::own(infinite); }), "the scale inf"));
}

TEST(FullyConnected, Shapes) {
  const auto shape = [](Shape in, Shape weights, bool keep) {
    tflite::FullyConnectedOptionsT options;
    options.keep_num_dims = keep;
    OneOp op(Op::FULLY_CONNECTED);
    op.options(options)
        .input(DType::kFloat32, std::move(in))
        .input(DType::kFloat32, std::move(weights))
        .output(DType::kFloat32);
    return op.infer() ? op.shape() : Shape{-9};
  };
  EXPECT_EQ(shape({2, 3, 4}, {5, 12}, false), (Shape{2, 5}));
  EXPECT_EQ(shape({2, 3, 4}, {5, 4}, true), (Shape{2, 3, 5}));
  EXPECT_EQ(shape({-1, 4}, {5, 4}, false), (Shape{-1, 5}));
  EXPECT_EQ(shape({-1, 3, 4}, {5, 4}, true), (Shape{-1, 3, 5}));
  EXPECT_EQ(shape({0, 4}, {5, 4}, false), (Shape{0, 5}));
  EXPECT_EQ(shape({2, 3}, {5, 4}, false), Shape{-9});
  EXPECT_EQ(shape({2, 3}, {5, 4}, true), Shape{-9});
  EXPECT_EQ(shape({2, 4}, {4}, false), Shape{-9});
  EXPECT_EQ(shape({2, 4}, {4, 0}, false), Shape{-9});
}

TEST(FullyConnected, NothingToDo) {
  OneOp op(Op::FULLY_CONNECTED);
  op.options(tflite::FullyConnectedOptionsT())
      .input(DType::kFloat32, {0, 4})
      .input<float>(DType::kFloat32, {1, 4}, {1, 2, 3, 4});
  op.output(DType::kFloat32);
  EXPECT_TRUE(op.run());
}

TEST(FullyConnected, Versions) {
  const auto version = [](DType in, DType weights, QuantParams weights_quant, bool bias, bool asymmetric = false) {
    tflite::FullyConnectedOptionsT options;
    options.asymmetric_quantize_inputs = asymmetric;
    OneOp op(Op::FULLY_CONNECTED);
    op.options(options).input(in, {1, 4}).input(weights, {2, 4}, std::move(weights_quant));
    if (bias) op.input(in == DType::kInt16 ? DType::kInt32 : DType::kFloat32, {2});
    op.output(in);
    EXPECT_TRUE(op.infer());
    return op.def()->version(op.context());
  };
  EXPECT_EQ(version(DType::kFloat32, DType::kFloat32, {}, true), 1);
  EXPECT_EQ(version(DType::kFloat32, DType::kFloat32, {}, false), 6);
  EXPECT_EQ(version(DType::kFloat32, DType::kInt8, quant({1.0f}), true), 3);
  EXPECT_EQ(version(DType::kFloat32, DType::kInt8, quant({1.0f}), true, true), 9);
  EXPECT_EQ(version(DType::kFloat32, DType::kInt8, quant({1.0f, 1.0f}), true), 12);
  EXPECT_EQ(version(DType::kInt8, DType::kInt8, quant({1.0f}), true), 4);
  EXPECT_EQ(version(DType::kInt8, DType::kInt4, quant({1.0f}), true), 10);
  EXPECT_EQ(version(DType::kInt16, DType::kInt8, quant({1.0f}), true), 11);
}

}  // namespace
}  // namespace fewbits
