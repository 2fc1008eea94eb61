// Comparison, accuracy and timing through the public API.
#include "fewbits/evaluate.h"

#include "api_support.h"

namespace fewbits {
namespace {

using test::floats;
using test::shared;

// Scores given as the data, labels beside them.
Dataset scores(std::vector<std::vector<float>> rows, std::vector<int32_t> labels) {
  const size_t count = rows.size();
  return *Dataset::from_callback(count,
                                 [rows = std::move(rows), labels = std::move(labels)](size_t i) -> Result<DataItem> {
                                   DataItem item{{floats("", {1, static_cast<int32_t>(rows[i].size())}, rows[i])}, {}};
                                   if (i < labels.size()) item.label = labels[i];
                                   return item;
                                 });
}

TEST(ApiCompare, HandComputedOutputs) {
  const ModelPtr zero = shared(test::offset_scores(2, {0, 0})), shifted = shared(test::offset_scores(2, {0, 3}));
  Dataset data = scores({{1, 0}, {0, 5}}, {});
  const auto comparison = compare_models(zero, shifted, data);
  ASSERT_TRUE(comparison) << comparison.error().message;
  const OutputComparison& output = comparison->outputs.at(0);
  EXPECT_NEAR(output.error.sqnr_db, 10 * std::log10(26.0 / 18.0), 1e-9);
  EXPECT_DOUBLE_EQ(output.error.max_abs, 3);
  EXPECT_DOUBLE_EQ(output.error.mean_abs, 1.5);
  EXPECT_DOUBLE_EQ(*output.agreement, 0.5);  // [1, 0] becomes [1, 3]
}

TEST(ApiCompare, AModelEqualsItself) {
  const ModelPtr model = shared(test::classifier());
  Dataset data = *Dataset::from_callback(2, [](size_t i) -> Result<DataItem> {
    return DataItem{{floats("", {1, 8, 8, 3}, test::noise(192, static_cast<uint32_t>(i)))}, {}};
  });
  CompareOptions options;
  options.layers = true;
  const auto comparison = compare_models(model, model, data, options);
  ASSERT_TRUE(comparison);
  EXPECT_TRUE(std::isinf(comparison->outputs[0].error.sqnr_db));
  EXPECT_DOUBLE_EQ(*comparison->outputs[0].agreement, 1);
  ASSERT_EQ(comparison->layers.size(), 4u);
  EXPECT_EQ(comparison->layers[0].name, "conv");
  for (const LayerComparison& layer : comparison->layers) EXPECT_EQ(layer.error.max_abs, 0) << layer.name;
}

TEST(ApiCompare, ModelsThatDoNotFit) {
  Dataset data = scores({{1, 0}}, {});
  EXPECT_ERROR(compare_models(shared(test::offset_scores(2, {0, 0})), shared(test::offset_scores(3, {0, 0, 0})), data),
               ErrorCode::kInvalidData, "sample 0");
  EXPECT_ERROR(compare_models(nullptr, shared(test::classifier()), data), ErrorCode::kInvalidArgument, "null");
}

TEST(ApiAccuracy, Top1AndTop5) {
  Dataset data = scores({{9, 8, 7, 6, 5, 4}, {9, 8, 7, 6, 5, 4}, {9, 8, 7, 6, 5, 4}}, {0, 4, 5});
  const auto accuracy = evaluate_accuracy(shared(test::offset_scores(6, std::vector<float>(6))), data);
  ASSERT_TRUE(accuracy) << accuracy.error().message;
  EXPECT_EQ(accuracy->top1_hits, 1u);
  EXPECT_EQ(accuracy->top5_hits, 2u);
  EXPECT_DOUBLE_EQ(accuracy->top5, 2.0 / 3);
  EXPECT_EQ(accuracy->classes, 6);
  EXPECT_EQ(accuracy->label_offset, 0);
  EXPECT_EQ(accuracy->output, "y");
}

TEST(ApiAccuracy, AThousandAndOneClassesHaveABackground) {
  std::vector<float> row(1001);
  row[8] = 1;
  Dataset data = scores({row}, {7});
  const ModelPtr model = shared(test::offset_scores(1001, std::vector<float>(1001)));
  const auto accuracy = evaluate_accuracy(model, data);
  ASSERT_TRUE(accuracy);
  EXPECT_EQ(accuracy->label_offset, 1);
  EXPECT_EQ(accuracy->top1_hits, 1u);
  AccuracyOptions options;
  options.label_offset = 0;
  EXPECT_EQ(evaluate_accuracy(model, data, options)->top1_hits, 0u);
}

TEST(ApiAccuracy, MissingAndImpossibleLabelsNameTheSample) {
  const ModelPtr model = shared(test::offset_scores(2, {0, 0}));
  Dataset none = scores({{1, 0}}, {});
  EXPECT_ERROR(evaluate_accuracy(model, none), ErrorCode::kInvalidData, "sample 0: there is no label");
  Dataset high = scores({{1, 0}, {1, 0}}, {1, 2});
  EXPECT_ERROR(evaluate_accuracy(model, high), ErrorCode::kInvalidData, "sample 1: its label 2");
}

TEST(ApiBenchmark, TimesRuns) {
  BenchmarkOptions options;
  options.runs = 5;
  options.profile = true;
  const auto benchmark = benchmark_model(shared(test::classifier()), options);
  ASSERT_TRUE(benchmark) << benchmark.error().message;
  EXPECT_EQ(benchmark->runs, 5);
  EXPECT_GT(benchmark->min_ms, 0);
  EXPECT_LE(benchmark->min_ms, benchmark->median_ms);
  EXPECT_LE(benchmark->median_ms, benchmark->p90_ms);
  EXPECT_GT(benchmark->peak_bytes, 0u);
  EXPECT_EQ(benchmark->operators.size(), 4u);
  options.runs = 0;
  EXPECT_ERROR(benchmark_model(shared(test::classifier()), options), ErrorCode::kInvalidArgument, "at least one run");
}

TEST(ApiBenchmark, TakesShapesForDynamicInputs) {
  BenchmarkOptions options;
  options.runs = 1;
  options.shapes = {{"left", {1, 7}}, {"right", {1, 7}}};
  EXPECT_TRUE(benchmark_model(shared(test::dynamic_adder()), options));
  options.shapes = {{"middle", {1, 7}}};
  EXPECT_ERROR(benchmark_model(shared(test::dynamic_adder()), options), ErrorCode::kNotFound, "'left', 'right'");
}

TEST(RandomInput, IsPlausibleAndRepeats) {
  TensorSpec spec{"x", "", DType::kFloat32, {1, -1, 1000}};
  const auto a = random_input(spec, 3), b = random_input(spec, 3), c = random_input(spec, 4);
  ASSERT_TRUE(a);
  EXPECT_EQ(a->shape, (Shape{1, 1, 1000}));
  EXPECT_EQ(a->bytes, b->bytes);
  EXPECT_NE(a->bytes, c->bytes);
  for (float value : a->as<float>()) EXPECT_TRUE(value >= -1 && value < 1) << value;
  spec.dtype = DType::kInt32;
  const auto indices = random_input(spec, 1);
  for (int32_t value : indices->as<int32_t>()) EXPECT_TRUE(value == 0 || value == 1) << value;
  spec.dtype = DType::kString;
  EXPECT_ERROR(random_input(spec, 1), ErrorCode::kUnsupported, "string");
}

}  // namespace
}  // namespace fewbits
