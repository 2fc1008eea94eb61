// What calibration learns of tensors, from samples that are written out here.
#include "calibrate/collector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "calibrate/statistics_file.h"
#include "support/small_models.h"

namespace fewbits::calibrate {
namespace {

using fewbits::testing::add_node;
using fewbits::testing::add_value;

constexpr int kRows = 2, kDepth = 3;

// Samples of two rows of three numbers.
class Numbers final : public Dataset {
 public:
  explicit Numbers(std::vector<std::vector<float>> samples) : Dataset({}), samples_(std::move(samples)) {}
  size_t size() const noexcept override { return samples_.size(); }
  bool labeled() const noexcept override { return false; }

 protected:
  Status read(size_t index, std::span<const InputSpec> inputs, Sample& sample) override {
    Array array;
    array.dtype = DType::kFloat32;
    array.shape = {1, kRows, kDepth};
    array.bytes.resize(samples_[index].size() * sizeof(float));
    std::memcpy(array.bytes.data(), samples_[index].data(), array.bytes.size());
    sample.source = "numbers";
    return add(sample, std::move(array), inputs[0]);
  }

 private:
  std::vector<std::vector<float>> samples_;
};

// x -> SOFTMAX -> RELU.
std::shared_ptr<const Model> softmax_of_input() {
  auto model = std::make_shared<Model>();
  model->graphs.resize(1);
  Graph& graph = model->main();
  const Shape shape{1, kRows, kDepth};
  const ValueId x = add_value(graph, "x", shape), y = add_value(graph, "y", shape), z = add_value(graph, "z", shape);
  tflite::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  add_node(graph, Op::SOFTMAX, {x}, {y}, softmax);
  add_node(graph, Op::RELU, {y}, {z});
  graph.inputs = {x};
  graph.outputs = {z};
  return model;
}

Statistics statistics_of(const std::vector<std::vector<float>>& samples) {
  Numbers data(samples);
  auto statistics = collect(softmax_of_input(), data, SampleWalk(select_samples(samples.size(), 0)));
  EXPECT_TRUE(statistics) << statistics.error().message;
  return statistics ? *std::move(statistics) : Statistics();
}

const std::vector<std::vector<float>> kSamples{{1, 5, -2, 0, 3, -9}, {7, 1, 1, -4, -3, -8}, {2, 2, 2, 9, 0, 0}};

TEST(CollectorTest, OfWhatSoftmaxReadsTheLeastOfTheRowsLargestIsKept) {
  const Statistics statistics = statistics_of(kSamples);
  const TensorStats* x = statistics.find(0, 0);
  ASSERT_NE(x, nullptr);
  EXPECT_EQ(x->min, -9);
  EXPECT_EQ(x->max, 9);
  EXPECT_EQ(x->least_top, -3);  // of the second row of the second sample
  ASSERT_NE(statistics.find(0, 1), nullptr);
  EXPECT_TRUE(std::isinf(statistics.find(0, 1)->least_top));  // RELU reads this one
}

TEST(CollectorTest, MergedAndReadBackItIsTheSame) {
  Statistics first = statistics_of({kSamples[0]});
  ASSERT_TRUE(first.merge(statistics_of({kSamples[1], kSamples[2]})));
  const auto back = parse_statistics(statistics_text({.statistics = first}), "text");
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_NE(back->statistics.find(0, 0), nullptr);
  EXPECT_EQ(back->statistics.find(0, 0)->least_top, -3);
  EXPECT_TRUE(std::isinf(back->statistics.find(0, 1)->least_top));
}

TEST(CollectorTest, APartThatDoesNotKnowItsRowsMakesThemUnknown) {
  for (const bool first_knows : {true, false}) {
    Statistics parts[] = {statistics_of({kSamples[0]}), statistics_of({kSamples[1]})};
    parts[first_knows ? 1 : 0].tensors.at({0, 0}).least_top = std::numeric_limits<float>::infinity();
    ASSERT_TRUE(parts[0].merge(parts[1]));
    EXPECT_TRUE(std::isinf(parts[0].find(0, 0)->least_top));
  }
}

TEST(CollectorTest, MaskedElementsDoNotHideTheirRowsLargest) {
  // x -> LOG -> y -> SOFTMAX: the logarithm of 0 masks.
  auto model = std::make_shared<Model>();
  model->graphs.resize(1);
  Graph& graph = model->main();
  const Shape shape{1, kRows, kDepth};
  const ValueId x = add_value(graph, "x", shape), y = add_value(graph, "y", shape), z = add_value(graph, "z", shape);
  add_node(graph, Op::LOG, {x}, {y});
  tflite::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  add_node(graph, Op::SOFTMAX, {y}, {z}, softmax);
  graph.inputs = {x};
  graph.outputs = {z};
  Numbers data({{1, 0, 4, 2, 3, 9}, {0.5f, 0, 0, 6, 1, 1}});
  const auto statistics =
      collect(model, data, SampleWalk(select_samples(2, 0)), {.non_finite = NonFiniteRange::kIgnore});
  ASSERT_TRUE(statistics) << statistics.error().message;
  EXPECT_FLOAT_EQ(statistics->find(0, y)->least_top, std::log(0.5f));
}

}  // namespace
}  // namespace fewbits::calibrate
