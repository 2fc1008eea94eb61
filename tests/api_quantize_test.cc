// Calibration and quantization through the public API.
#include "fewbits/quantize.h"

#include <fstream>

#include "api_support.h"
#include "fewbits/calibrate.h"
#include "fewbits/evaluate.h"

namespace fewbits {
namespace {

using test::floats;
using test::shared;
using test::TemporaryFolder;

Dataset pictures(size_t count, uint32_t first = 100) {
  auto data = Dataset::from_callback(count, [first](size_t i) -> Result<DataItem> {
    return DataItem{{floats("image", {1, 8, 8, 3}, test::noise(192, first + static_cast<uint32_t>(i)))},
                    static_cast<int32_t>(i % 10)};
  });
  EXPECT_TRUE(data);
  return *std::move(data);
}

Calibration calibrate(const ModelPtr& model, Dataset data, const CalibrateOptions& options = {}) {
  auto made = calibrate_model(model, data, options);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return *std::move(made);
}

size_t count(const std::vector<Decision>& decisions, Treatment treatment) {
  return static_cast<size_t>(
      std::count_if(decisions.begin(), decisions.end(), [&](const Decision& d) { return d.treatment == treatment; }));
}

TEST(ApiQuantize, Int8IsCloseToFloat) {
  const ModelPtr model = shared(test::classifier());
  const Calibration ranges = calibrate(model, pictures(8));
  EXPECT_EQ(ranges.samples(), 8u);
  const auto made = quantize_model(*model, {QuantizeMode::kInt8}, &ranges);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(count(made->decisions, Treatment::kInteger), 4u);
  EXPECT_LT(model_bytes(*made->model)->size(), model_bytes(*model)->size() / 2);
  Dataset data = pictures(8, 500);
  CompareOptions options;
  options.layers = true;
  const auto comparison = compare_models(model, made->model, data, options);
  ASSERT_TRUE(comparison) << comparison.error().message;
  EXPECT_EQ(comparison->samples, 8u);
  ASSERT_EQ(comparison->outputs.size(), 1u);
  EXPECT_EQ(comparison->outputs[0].name, "scores");
  EXPECT_LT(comparison->outputs[0].error.max_abs, 0.2);
  ASSERT_EQ(comparison->layers.size(), 4u);
  EXPECT_GT(comparison->layers[0].error.sqnr_db, 25);
}

TEST(ApiQuantize, WeightsModeNeedsNoCalibration) {
  const ModelPtr model = shared(test::classifier());
  const auto made = quantize_model(*model, {QuantizeMode::kWeights});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(count(made->decisions, Treatment::kHybrid), 1u);  // the convolution has 216 weights, fewer than 1024
}

TEST(ApiQuantize, MisuseSaysWhatToDo) {
  const ModelPtr model = shared(test::classifier());
  EXPECT_ERROR(quantize_model(*model, {QuantizeMode::kInt8}), ErrorCode::kInvalidArgument, "needs calibration");
  const Calibration other = calibrate(shared(test::offset_scores(2, {1, 1})), [] {
    return *Dataset::from_callback(
        1, [](size_t) -> Result<DataItem> { return DataItem{{floats("x", {1, 2}, {1, 2})}, {}}; });
  }());
  EXPECT_ERROR(quantize_model(*model, {QuantizeMode::kInt8}, &other), ErrorCode::kInvalidArgument, "another model");
  EXPECT_ERROR(quantize_model(*model, {QuantizeMode::kFloat16, DType::kInt8}), ErrorCode::kInvalidArgument, "float16");
}

TEST(ApiQuantize, ExplainsWithoutCalibration) {
  const ModelPtr model = shared(test::with_unknown_operator());
  const auto decisions = explain_quantization(*model, {QuantizeMode::kInt8});
  ASSERT_TRUE(decisions) << decisions.error().message;
  ASSERT_EQ(decisions->size(), 5u);
  EXPECT_EQ(count(*decisions, Treatment::kInteger), 4u);
  EXPECT_EQ(decisions->back().treatment, Treatment::kFloat);
  EXPECT_THAT(decisions->back().reason, testing::HasSubstr("does not know"));
}

TEST(ApiCalibrate, SavedPartsMergeToWhatOnePassGives) {
  const TemporaryFolder folder;
  const ModelPtr model = shared(test::classifier());
  const Calibration whole = calibrate(model, pictures(6, 100));
  Calibration first = calibrate(model, pictures(2, 100));
  const Calibration second = calibrate(model, pictures(4, 102));
  ASSERT_TRUE(first.save(folder / "first.json"));
  ASSERT_TRUE(second.save(folder / "second.json"));
  auto merged = Calibration::load(folder / "first.json");
  ASSERT_TRUE(merged);
  ASSERT_TRUE(merged->merge(*Calibration::load(folder / "second.json")));
  const auto a = whole.ranges(), b = merged->ranges();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].samples, b[i].samples);
    EXPECT_EQ(a[i].min, b[i].min);
    EXPECT_EQ(a[i].max, b[i].max);
    EXPECT_NEAR(a[i].average_max, b[i].average_max, 1e-6 * std::abs(a[i].average_max));
  }
}

TEST(ApiCalibrate, ACopyIsAValue) {
  const ModelPtr model = shared(test::classifier());
  Calibration first = calibrate(model, pictures(2));
  const Calibration copy = first;
  ASSERT_TRUE(first.merge(copy));
  EXPECT_EQ(first.samples(), 4u);
  EXPECT_EQ(copy.samples(), 2u);
}

TEST(ApiCalibrate, OtherSamplesAreTheRest) {
  const ModelPtr model = shared(test::classifier());
  CalibrateOptions options;
  options.samples = {3, 7};
  std::vector<std::pair<size_t, size_t>> steps;
  options.progress = [&](size_t done, size_t total) { return steps.emplace_back(done, total), true; };
  EXPECT_EQ(calibrate(model, pictures(10), options).samples(), 3u);
  EXPECT_EQ(steps, (std::vector<std::pair<size_t, size_t>>{{1, 3}, {2, 3}, {3, 3}}));
  options.samples.others = true;
  EXPECT_EQ(calibrate(model, pictures(10), options).samples(), 7u);
  options.samples.count = 10;
  Dataset data = pictures(10);
  EXPECT_ERROR(calibrate_model(model, data, options), ErrorCode::kInvalidArgument, "no samples are left");
}

TEST(ApiCalibrate, StopsWhenProgressSaysSo) {
  const ModelPtr model = shared(test::classifier());
  CalibrateOptions options;
  options.progress = [](size_t done, size_t) { return done < 2; };
  Dataset data = pictures(5);
  EXPECT_ERROR(calibrate_model(model, data, options), ErrorCode::kInvalidArgument, "stopped after 2 of 5");
}

TEST(ApiCalibrate, NanInDataNamesTheSample) {
  const ModelPtr model = shared(test::classifier());
  const auto read = [](size_t i) -> Result<DataItem> {
    auto numbers = test::noise(192, 1);
    if (i == 1) numbers[5] = NAN;
    return DataItem{{floats("", {1, 8, 8, 3}, numbers)}, {}};
  };
  Dataset strict = *Dataset::from_callback(3, read);
  EXPECT_ERROR(calibrate_model(model, strict), ErrorCode::kInvalidData, "sample 1");
  DatasetOptions options;
  options.non_finite = NonFinite::kSkip;
  EXPECT_EQ(calibrate(model, *Dataset::from_callback(3, read, options)).samples(), 2u);
}

TEST(ApiData, CallbackErrorsAndMissingArraysNameTheSample) {
  const ModelPtr model = shared(test::dynamic_adder());
  Dataset failing = *Dataset::from_callback(
      1, [](size_t) -> Result<DataItem> { return tl::unexpected<Error>(Error{ErrorCode::kIo, "the disk is gone"}); });
  EXPECT_ERROR(calibrate_model(model, failing), ErrorCode::kIo, "sample 0: the disk is gone");
  Dataset half = *Dataset::from_callback(
      1, [](size_t) -> Result<DataItem> { return DataItem{{floats("left", {1, 2}, {1, 2})}, {}}; });
  EXPECT_ERROR(calibrate_model(model, half), ErrorCode::kInvalidData, "there is no array for input 'b'");
  Dataset lying = *Dataset::from_callback(1, [](size_t) -> Result<DataItem> {
    Array array = floats("", {1, 8, 8, 3}, {1});
    return DataItem{{array}, {}};
  });
  EXPECT_ERROR(calibrate_model(shared(test::classifier()), lying), ErrorCode::kInvalidData, "has 4 bytes");
}

// As many samples as `count`, one after another.
Dataset stream(size_t count) {
  return *Dataset::from_stream([count, i = size_t{0}]() mutable -> Result<std::optional<DataItem>> {
    if (i == count) return std::nullopt;
    return DataItem{{floats("", {1, 8, 8, 3}, test::noise(192, static_cast<uint32_t>(i++)))}, {}};
  });
}

TEST(ApiData, AStreamMeasuresWhatTheSameSamplesInAListDo) {
  const ModelPtr model = shared(test::classifier());
  Dataset list = *Dataset::from_callback(4, [](size_t i) -> Result<DataItem> {
    return DataItem{{floats("", {1, 8, 8, 3}, test::noise(192, static_cast<uint32_t>(i)))}, {}};
  });
  Dataset streamed = stream(4);
  EXPECT_EQ(streamed.size(), Dataset::kUnknownSize);
  const Calibration a = calibrate(model, std::move(list)), b = calibrate(model, std::move(streamed));
  EXPECT_EQ(b.samples(), 4u);
  ASSERT_EQ(a.ranges().size(), b.ranges().size());
  for (size_t i = 0; i < a.ranges().size(); ++i) {
    EXPECT_EQ(a.ranges()[i].min, b.ranges()[i].min);
    EXPECT_EQ(a.ranges()[i].average_max, b.ranges()[i].average_max);
  }
}

TEST(ApiData, AStreamIsReadOnceAndCannotBeDrawnFrom) {
  const ModelPtr model = shared(test::classifier());
  Dataset data = stream(3);
  CalibrateOptions options;
  options.samples.seed = 1;
  EXPECT_ERROR(calibrate_model(model, data, options), ErrorCode::kInvalidArgument, "stream");
  options.samples = {2, std::nullopt, false};
  std::vector<std::pair<size_t, size_t>> told;
  options.progress = [&](size_t done, size_t total) { return told.emplace_back(done, total), true; };
  ASSERT_TRUE(calibrate_model(model, data, options));
  EXPECT_EQ(told, (std::vector<std::pair<size_t, size_t>>{{1, 0}, {2, 0}}));
  EXPECT_ERROR(calibrate_model(model, data, options), ErrorCode::kInvalidArgument, "read once");
  Dataset empty = stream(0);
  EXPECT_ERROR(calibrate_model(model, empty), ErrorCode::kInvalidData, "no sample");
}

TEST(ApiData, ArraysToFilesAndBack) {
  const TemporaryFolder folder;
  const std::vector<Array> arrays{floats("a/b:0", {2, 2}, {1, 2, 3, 4}),
                                  make_array<int32_t>("ids", DType::kInt32, {3}, std::vector<int32_t>{7, 8, 9})};
  ASSERT_TRUE(write_arrays(folder / "x.npz", arrays));
  const auto back = read_arrays(folder / "x.npz");
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].name, "a/b:0");
  EXPECT_EQ((*back)[1].bytes, arrays[1].bytes);
  EXPECT_ERROR(write_arrays(folder / "x.npy", arrays), ErrorCode::kInvalidArgument, "holds one array, not 2");
  ASSERT_TRUE(write_arrays(folder / "x.npy", {arrays.data(), 1}));
  EXPECT_EQ(read_arrays(folder / "x.npy")->at(0).shape, (Shape{2, 2}));
}

}  // namespace
}  // namespace fewbits
