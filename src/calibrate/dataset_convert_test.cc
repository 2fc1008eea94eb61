// Arrays into inputs: shapes, types, pixels, codes, and what must not pass.
#include "calibrate/dataset_convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/half.h"
#include "calibrate/dataset_test_files.h"

namespace fewbits::calibrate {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;

const InputSpec kFloat{"x", "", DType::kFloat32, {1, 3}};
const InputSpec kInt8{"x", "", DType::kInt8, {1, 3}, 0.5f, -10};

// Converts and expects success.
Array converted(Array array, const InputSpec& input, const PreprocessOptions& options = {},
                const IntegerCoding& coding = {}) {
  auto result = convert_array(std::move(array), input, options, coding);
  EXPECT_TRUE(result) << message_of(result);
  if (!result) return {};
  EXPECT_EQ(result->non_finite, "");
  EXPECT_EQ(result->array.name, input.name);
  EXPECT_EQ(result->array.dtype, input.dtype);
  EXPECT_EQ(result->array.bytes.size(), *byte_size(input.dtype, result->array.shape));
  return std::move(result->array);
}
std::string refusal(Array array, const InputSpec& input, const PreprocessOptions& options = {},
                    const IntegerCoding& coding = {}) {
  return message_of(convert_array(std::move(array), input, options, coding));
}

template <class T>
Array three(DType dtype, T a, T b, T c) {
  return array_of<T>("data", dtype, {3}, {a, b, c});
}

TEST(FitShapeTest, AddsWhatIsMissing) {
  const auto fit = [](Shape from, Shape wanted) {
    const auto shape = fit_shape(from, {"x", "", DType::kFloat32, std::move(wanted)});
    return shape ? shape_text(*shape) : "none";
  };
  EXPECT_EQ(fit({1, 4, 4}, {1, 4, 4}), "[1, 4, 4]");
  EXPECT_EQ(fit({4, 4}, {1, 4, 4}), "[1, 4, 4]");
  EXPECT_EQ(fit({4, 4}, {-1, 4, 4}), "[1, 4, 4]");
  EXPECT_EQ(fit({3, 4, 4}, {-1, 4, 4}), "[3, 4, 4]");
  EXPECT_EQ(fit({7, 4}, {-1, -1, 4}), "[1, 7, 4]");
  EXPECT_EQ(fit({7}, {-1}), "[7]");
  EXPECT_EQ(fit({}, {1}), "[1]");
  EXPECT_EQ(fit({}, {}), "[]");
  EXPECT_EQ(fit({49, 10}, {1, 49, 10, 1}), "[1, 49, 10, 1]");
  EXPECT_EQ(fit({49, 10}, {-1, 49, 10, 1}), "[1, 49, 10, 1]");
  EXPECT_EQ(fit({1, 28, 28, 1}, {28, 28}), "[28, 28]");
  EXPECT_EQ(fit({10, 49}, {1, 49, 10}), "none");
  EXPECT_EQ(fit({490}, {1, 49, 10}), "none");
  EXPECT_EQ(fit({4, 4}, {2, 4, 4}), "none");
  EXPECT_EQ(fit({7, 5}, {-1, -1, 4}), "none");
}

TEST(FitShapeTest, AnErrorTellsBothShapes) {
  EXPECT_EQ(message_of(fit_shape({4, 5}, {"x", "", DType::kFloat32, {1, 6}})),
            "input 'x' has shape [1, 6], but the sample has [4, 5]");
}

TEST(ConvertTest, FloatsOfAllWidths) {
  EXPECT_THAT(values_of<float>(converted(three(DType::kFloat32, 1.5f, -2.f, 0.f), kFloat)), ElementsAre(1.5f, -2, 0));
  EXPECT_THAT(values_of<float>(converted(three(DType::kFloat64, 0.1, -2., 1e-50), kFloat)), ElementsAre(0.1f, -2, 0));
  EXPECT_THAT(values_of<float>(converted(three<uint16_t>(DType::kFloat16, 0x3c00, 0xc000, 0x0001), kFloat)),
              ElementsAre(1, -2, std::ldexp(1.f, -24)));
  const InputSpec half{"x", "", DType::kFloat16, {1, 3}};
  EXPECT_THAT(values_of<uint16_t>(converted(three(DType::kFloat32, 1.f, -2.f, 65504.f), half)),
              ElementsAre(0x3c00, 0xc000, 0x7bff));
}

TEST(ConvertTest, FloatsTooLargeAreErrors) {
  EXPECT_THAT(refusal(three(DType::kFloat64, 0., 1e39, 0.), kFloat), HasSubstr("cannot hold"));
  EXPECT_THAT(refusal(three(DType::kFloat32, 0.f, 1e6f, 0.f), {"x", "", DType::kFloat16, {3}}),
              HasSubstr("cannot hold"));
}

TEST(ConvertTest, RealNumbersAreQuantizedAndSaturate) {
  // round(v / 0.5) - 10, halves away from zero.
  EXPECT_THAT(values_of<int8_t>(converted(three(DType::kFloat32, 0.25f, -0.25f, 1.f), kInt8)),
              ElementsAre(-9, -11, -8));
  EXPECT_THAT(values_of<int8_t>(converted(three(DType::kFloat64, 1e9, -1e300, 68.5), kInt8)),
              ElementsAre(127, -128, 127));
  const InputSpec unsigned8{"x", "", DType::kUInt8, {1, 3}, 0.5f, 128};
  EXPECT_THAT(values_of<uint8_t>(converted(three(DType::kFloat32, 0.f, -100.f, 63.5f), unsigned8)),
              ElementsAre(128, 0, 255));
  const InputSpec int16{"x", "", DType::kInt16, {1, 3}, 0.25f, 0};
  EXPECT_THAT(values_of<int16_t>(converted(three(DType::kFloat32, 1.f, -1e5f, 8191.75f), int16)),
              ElementsAre(4, -32768, 32767));
}

TEST(ConvertTest, TheModelsOwnCodesAreKept) {
  EXPECT_THAT(values_of<int8_t>(converted(three<int8_t>(DType::kInt8, 1, -128, 127), kInt8)),
              ElementsAre(1, -128, 127));
  EXPECT_THAT(values_of<int8_t>(converted(three<int8_t>(DType::kInt8, 1, -128, 127), kInt8, {}, {0.5000001f, -10})),
              ElementsAre(1, -128, 127));
  const InputSpec unsigned8{"x", "", DType::kUInt8, {1, 3}, 0.5f, 128};
  EXPECT_THAT(values_of<uint8_t>(
                  converted(three<uint8_t>(DType::kUInt8, 1, 2, 255), unsigned8, {.mean = {5}}, {.of_input = true})),
              ElementsAre(1, 2, 255));
}

TEST(ConvertTest, CodedIntegersStandForRealNumbers) {
  const IntegerCoding coding{0.25f, 83};
  EXPECT_THAT(values_of<float>(converted(three<int8_t>(DType::kInt8, 83, 127, -128), kFloat, {}, coding)),
              ElementsAre(0, 11, -52.75f));
  // 11 / 0.5 - 10 = 12; -52.75 / 0.5 = -105.5 -> -106 - 10 = -116.
  EXPECT_THAT(values_of<int8_t>(converted(three<int8_t>(DType::kInt8, 83, 127, -128), kInt8, {}, coding)),
              ElementsAre(-10, 12, -116));
  // uint8 with a coding is no picture: the normalisation does not apply.
  EXPECT_THAT(values_of<float>(converted(three<uint8_t>(DType::kUInt8, 83, 84, 0), kFloat, {.mean = {100}}, coding)),
              ElementsAre(0, 0.25f, -20.75f));
}

TEST(ConvertTest, IntegersForFloatsAndIntegers) {
  EXPECT_THAT(values_of<float>(converted(three<int64_t>(DType::kInt64, 1, -2, 1 << 24), kFloat)),
              ElementsAre(1, -2, 1 << 24));
  EXPECT_THAT(values_of<float>(converted(three<uint8_t>(DType::kBool, 1, 0, 1), kFloat)), ElementsAre(1, 0, 1));
  const InputSpec ids{"ids", "", DType::kInt32, {1, 3}};
  EXPECT_THAT(values_of<int32_t>(converted(three<int64_t>(DType::kInt64, 101, -2, INT32_MAX), ids)),
              ElementsAre(101, -2, INT32_MAX));
  EXPECT_THAT(refusal(three<int64_t>(DType::kInt64, 0, 0, int64_t{1} << 31), ids),
              HasSubstr("cannot hold all numbers"));
  EXPECT_THAT(refusal(three<uint64_t>(DType::kUInt64, 0, 0, UINT64_MAX), {"x", "", DType::kInt64, {3}}),
              HasSubstr("cannot hold"));
}

TEST(ConvertTest, WhatCouldBeMisunderstoodIsRefused) {
  EXPECT_EQ(
      refusal(three<int64_t>(DType::kInt64, 1, 2, 3), kInt8),
      "input 'x' is int8, the data is int64: save the model's codes in the input's type, or real numbers as float32");
  EXPECT_THAT(refusal(three(DType::kFloat32, 1.f, 2.f, 3.f), {"x", "", DType::kInt8, {3}}),
              HasSubstr("only rounded for quantized inputs"));
  EXPECT_THAT(refusal(three(DType::kFloat32, 1.f, 2.f, 3.f), {"x", "", DType::kInt32, {3}}), HasSubstr("only rounded"));
  EXPECT_THAT(refusal(three(DType::kFloat32, 1.f, 2.f, 3.f), {"x", "", DType::kBool, {3}}),
              HasSubstr("there is no conversion"));
  EXPECT_THAT(refusal(three<uint64_t>(DType::kComplex64, 1, 2, 3), kFloat), HasSubstr("there is no conversion"));
}

TEST(ConvertTest, NanAndInfinityAreFoundBeforeAnythingElse) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const InputSpec& input :
       {InputSpec{"x", "", DType::kFloat32, {1, 2, 3}}, InputSpec{"x", "", DType::kInt8, {1, 2, 3}, 1}}) {
    const auto result =
        convert_array(array_of<float>("", DType::kFloat32, {2, 3}, {0, 1, 2, 3, nan, infinity}), input, {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->non_finite, "element 4 ([1, 1]) is nan");
  }
  EXPECT_EQ(convert_array(three<double>(DType::kFloat64, 0, -HUGE_VAL, 0), kFloat, {})->non_finite,
            "element 1 ([1]) is -inf");
  EXPECT_EQ(convert_array(three<uint16_t>(DType::kFloat16, 0, 0, 0x7c00), kFloat, {})->non_finite,
            "element 2 ([2]) is inf");
}

// (pixel * scale - mean) / std
TEST(PixelTest, AreNormalisedForFloatInputs) {
  EXPECT_THAT(values_of<float>(converted(three<uint8_t>(DType::kUInt8, 0, 128, 255), kFloat)),
              ElementsAre(0, 128, 255));
  EXPECT_THAT(values_of<float>(converted(three<uint8_t>(DType::kUInt8, 0, 51, 255), kFloat, {.scale = 1 / 255.f})),
              ElementsAre(0, FloatEq(0.2f), FloatEq(1)));
  EXPECT_THAT(values_of<float>(
                  converted(three<uint8_t>(DType::kUInt8, 0, 255, 51), kFloat, {.mean = {127.5f}, .std = {127.5f}})),
              ElementsAre(-1, 1, FloatEq(-0.6f)));
  const PreprocessOptions imagenet{
      .scale = 1 / 255.f, .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
  const auto values = values_of<float>(converted(three<uint8_t>(DType::kUInt8, 255, 0, 128), kFloat, imagenet));
  EXPECT_FLOAT_EQ(values[0], (1 - 0.485f) / 0.229f);
  EXPECT_FLOAT_EQ(values[1], -0.456f / 0.224f);
  EXPECT_FLOAT_EQ(values[2], (128 / 255.f - 0.406f) / 0.225f);
}

TEST(PixelTest, PlanarChannelsHaveTheirOwnMean) {
  const InputSpec planar{"x", "", DType::kFloat32, {1, 3, 1, 2}};
  const PreprocessOptions options{.layout = ChannelLayout::kNchw, .mean = {1, 2, 3}};
  const Array out =
      converted(array_of<uint8_t>("", DType::kUInt8, {3, 1, 2}, {10, 11, 20, 21, 30, 31}), planar, options);
  EXPECT_THAT(values_of<float>(out), ElementsAre(9, 10, 18, 19, 27, 28));
}

TEST(PixelTest, AreQuantizedWithTheInputsParameters) {
  const InputSpec int8{"x", "", DType::kInt8, {1, 3}, 1, -128};
  EXPECT_THAT(values_of<int8_t>(converted(three<uint8_t>(DType::kUInt8, 0, 128, 255), int8)),
              ElementsAre(-128, 0, 127));
  const InputSpec unit{"x", "", DType::kInt8, {1, 3}, 1 / 255.f, -128};
  EXPECT_THAT(values_of<int8_t>(converted(three<uint8_t>(DType::kUInt8, 0, 128, 255), unit, {.scale = 1 / 255.f})),
              ElementsAre(-128, 0, 127));
  const InputSpec unsigned8{"x", "", DType::kUInt8, {1, 3}, 1 / 128.f, 128};
  EXPECT_THAT(values_of<uint8_t>(converted(three<uint8_t>(DType::kUInt8, 0, 1, 255), unsigned8)),
              ElementsAre(0, 1, 255));
  EXPECT_THAT(values_of<uint8_t>(
                  converted(three<uint8_t>(DType::kUInt8, 0, 100, 255), unsigned8, {.mean = {128}, .std = {64}})),
              ElementsAre(0, 72, 255));  // (100 - 128) / 64 * 128 + 128; ends saturate
}

TEST(PixelTest, AMissingNormalisationIsNoticed) {
  const InputSpec unit{"x", "", DType::kInt8, {1, 3}, 1 / 255.f, -128};
  EXPECT_THAT(refusal(three<uint8_t>(DType::kUInt8, 0, 128, 255), unit),
              HasSubstr("takes values up to 1, but pixels go to 255"));
}

TEST(PixelTest, WrongOptionsAreErrors) {
  EXPECT_THAT(
      refusal(three<uint8_t>(DType::kUInt8, 0, 1, 2), kFloat, {.layout = ChannelLayout::kNchw, .mean = {1, 2, 3}}),
      HasSubstr("mean and std are for 3 channels, but input 'x' is [1, 3] (nchw)"));
  EXPECT_THAT(refusal(three<uint8_t>(DType::kUInt8, 0, 1, 2), {"x", "", DType::kInt32, {3}}, {.scale = 0.5f}),
              HasSubstr("normalised pixels"));
  EXPECT_THAT(values_of<int32_t>(converted(three<uint8_t>(DType::kUInt8, 0, 1, 255), {"x", "", DType::kInt32, {3}})),
              ElementsAre(0, 1, 255));
}

}  // namespace
}  // namespace fewbits::calibrate
