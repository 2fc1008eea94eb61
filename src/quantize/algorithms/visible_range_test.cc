// Where ranges are cut: bounds worked out on paper from each reader's function and its output's step.
#include "quantize/algorithms/visible_range.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/small_models.h"

namespace fewbits::quantize {
namespace {

using testing::add_floats;
using testing::add_node;
using testing::add_value;

const Shape kShape{1, 8};

// x -> ABS -> v, which the tests read; v is no input of the graph.
struct Net {
  Model model;
  Statistics statistics;
  std::map<ValueId, Codes> values;
  ValueId v = kNoValue;
  std::vector<NodeId> floats;  // operators that stay in float

  explicit Net(Interval range) {
    model.graphs.resize(1);
    const ValueId x = add_value(graph(), "x", kShape);
    graph().inputs = {x};
    v = value("v", range);
    add_node(graph(), Op::ABS, {x}, {v});
  }
  Graph& graph() { return model.graphs[0]; }
  ValueId value(const std::string& name, Interval range) {
    const ValueId id = add_value(graph(), name, kShape);
    values[id].range = range;
    return id;
  }
  // A new value that `op` makes of `inputs`.
  ValueId then(Op op, std::vector<ValueId> inputs, Interval range) {
    const ValueId out = value("value" + std::to_string(graph().value_count()), range);
    add_node(graph(), op, std::move(inputs), {out});
    return out;
  }
  // What v's range becomes when the graph's outputs are these.
  Interval cut(std::vector<ValueId> outputs) {
    graph().outputs = std::move(outputs);
    const auto found = visible_ranges(model, 0, statistics, values, [&](NodeId id) {
      return std::find(floats.begin(), floats.end(), id) == floats.end();
    });
    const auto at = found.find(v);
    return at == found.end() ? Interval{} : at->second;
  }
};

bool is_whole(const Interval& interval) { return std::isinf(interval.min) && std::isinf(interval.max); }

TEST(VisibleRangeTest, ALogisticFunctionEndsWhereItIsAnEighthOfAStepFromItsLimit) {
  Net net({-40, 20});
  const Interval cut = net.cut({net.then(Op::LOGISTIC, {net.v}, {0, 1})});
  // 1 / (1 + e^x) = 1 / 2048 at x = ln(2047).
  const double end = std::log(2047.0);
  EXPECT_NEAR(cut.min, -end, 0.04);
  EXPECT_NEAR(cut.max, end, 0.04);
}

TEST(VisibleRangeTest, ReluSeesNothingBelowZero) {
  Net net({-3, 5});
  const Interval cut = net.cut({net.then(Op::RELU, {net.v}, {0, 5})});
  EXPECT_NEAR(cut.min, 5.0 / 255 / 8, 0.005);  // an eighth of a step is seen as zero
  EXPECT_TRUE(std::isinf(cut.max));
}

TEST(VisibleRangeTest, Relu6EndsOnBothSides) {
  Net net({-30, 30});
  const Interval cut = net.cut({net.then(Op::RELU6, {net.v}, {0, 6})});
  EXPECT_NEAR(cut.min, 0, 0.04);
  EXPECT_NEAR(cut.max, 6, 0.04);
}

TEST(VisibleRangeTest, FunctionsOfSeveralOperatorsAreLookedThrough) {
  Net net({-20, 10});
  const ValueId logistic = net.then(Op::LOGISTIC, {net.v}, {0, 1});
  const Interval cut = net.cut({net.then(Op::MUL, {net.v, logistic}, {-0.278f, 10})});
  // x / (1 + e^-x) is an eighth of a step, 10.278 / 255 / 8 = 0.00504, below zero at -7.2.
  EXPECT_NEAR(-7.2 / (1 + std::exp(7.2)), -0.00504, 0.0004);
  EXPECT_NEAR(cut.min, -7.2, 0.1);
  EXPECT_TRUE(std::isinf(cut.max));
}

TEST(VisibleRangeTest, ConstantsOfOneElementArePartOfAFunction) {
  Net net({-20, 20});
  const ValueId three = add_floats(net.graph(), "three", {}, {3});
  const ValueId moved = net.then(Op::ADD, {net.v, three}, {-17, 23});
  const Interval cut = net.cut({net.then(Op::RELU6, {moved}, {0, 6})});
  EXPECT_NEAR(cut.min, -3, 0.04);
  EXPECT_NEAR(cut.max, 3, 0.04);
}

TEST(VisibleRangeTest, SoftmaxSeesWhatLiesNearItsRowsLargest) {
  for (const float beta : {1.0f, 2.0f}) {
    Net net({-50, 30});
    TensorStats& stats = net.statistics.tensors[{0, net.v}];
    stats.add(-50, 30);
    stats.least_top = 4;
    const ValueId out = net.value("out", {0, 1});
    tflite::SoftmaxOptionsT options;
    options.beta = beta;
    add_node(net.graph(), Op::SOFTMAX, {net.v}, {out}, options);
    const Interval cut = net.cut({out});
    // Eight elements of e^-depth each add up to an eighth of 1 / 256.
    const double depth = std::log(8 * 8 * 256.0) / beta;
    EXPECT_NEAR(cut.min, 4 - depth, 1e-3);
    EXPECT_TRUE(std::isinf(cut.max));
  }
}

TEST(VisibleRangeTest, WithoutTheRowsLargestSoftmaxSeesAll) {
  Net net({-50, 30});
  net.statistics.tensors[{0, net.v}].add(-50, 30);
  const ValueId out = net.value("out", {0, 1});
  tflite::SoftmaxOptionsT options;
  options.beta = 1;
  add_node(net.graph(), Op::SOFTMAX, {net.v}, {out}, options);
  EXPECT_TRUE(is_whole(net.cut({out})));
}

TEST(VisibleRangeTest, MoversPassOnWhatTheirReadersSee) {
  Net net({-30, 30});
  const ValueId moved = net.then(Op::SQUEEZE, {net.v}, {-30, 30});
  const Interval cut = net.cut({net.then(Op::RELU6, {moved}, {0, 6})});
  EXPECT_NEAR(cut.min, 0, 0.1);
  EXPECT_NEAR(cut.max, 6, 0.1);
}

TEST(VisibleRangeTest, TheReaderThatSeesMostDecides) {
  Net net({-30, 30});
  const ValueId low = net.then(Op::RELU6, {net.v}, {0, 6}), all = net.then(Op::RELU, {net.v}, {0, 30});
  const Interval cut = net.cut({low, all});
  EXPECT_NEAR(cut.min, 0, 0.2);
  EXPECT_TRUE(std::isinf(cut.max));
}

TEST(VisibleRangeTest, OthersSeeAll) {
  const auto relu6 = [](Net& net) { return net.then(Op::RELU6, {net.v}, {0, 6}); };
  Net output({-30, 30});
  const ValueId out = relu6(output);
  EXPECT_TRUE(is_whole(output.cut({out, output.v})));

  Net averaged({-30, 30});
  const ValueId mean = averaged.then(Op::AVERAGE_POOL_2D, {averaged.v}, {-30, 30});
  EXPECT_TRUE(is_whole(averaged.cut({averaged.then(Op::RELU6, {mean}, {0, 6})})));

  Net summed({-30, 30});
  const ValueId other = summed.value("other", {-30, 30});
  add_node(summed.graph(), Op::ABS, {summed.graph().inputs[0]}, {other});
  const ValueId sum = summed.then(Op::ADD, {summed.v, other}, {-60, 60});
  EXPECT_TRUE(is_whole(summed.cut({summed.then(Op::RELU6, {sum}, {0, 6})})));

  Net in_float({-30, 30});
  const ValueId clipped = relu6(in_float);
  in_float.floats = {1};  // the RELU6
  EXPECT_TRUE(is_whole(in_float.cut({clipped})));

  Net one_answer({-30, -20});  // zero for all of it: nothing to choose by
  EXPECT_TRUE(is_whole(one_answer.cut({one_answer.then(Op::RELU, {one_answer.v}, {0, 0})})));
}

}  // namespace
}  // namespace fewbits::quantize
