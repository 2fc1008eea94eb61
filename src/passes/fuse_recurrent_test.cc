// Loops that are an LSTM or a simple RNN, and those that differ from one in a single thing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/builder.h"
#include "formats/time_loop.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "support/small_models.h"

namespace fewbits::passes {
namespace {

using formats::GraphBuilder;
using formats::TimeLoop;

constexpr int32_t kBatch = 2, kTime = 5, kSize = 3, kUnits = 4;
using States = std::vector<ValueId>;

ValueId weights(GraphBuilder& b, Shape shape, uint32_t seed) {
  const size_t count = element_count(shape);
  return b.constant(fewbits::testing::some_floats(count, seed), DType::kFloat32, std::move(shape));
}

ValueId sums(GraphBuilder& b, ValueId x, ValueId h, int32_t gates) {
  const int32_t rows = gates * kUnits;
  const ValueId from_x = b.fully_connected(x, weights(b, {rows, kSize}, 1), weights(b, {rows}, 2));
  return b.add(b.add(from_x, b.fully_connected(h, weights(b, {rows, kUnits}, 3), kNoValue)), weights(b, {rows}, 4));
}

States lstm_step(GraphBuilder& b, ValueId x, const States& before) {
  const auto gates = b.split(sums(b, x, before[0], 4), std::vector<int32_t>(4, kUnits), 1);
  const ValueId kept = b.mul(before[1], b.unary(Op::LOGISTIC, gates[2]));
  const ValueId c = b.add(b.mul(b.unary(Op::TANH, gates[0]), b.unary(Op::LOGISTIC, gates[1])), kept);
  return {b.mul(b.unary(Op::LOGISTIC, gates[3]), b.unary(Op::TANH, c)), c};
}

class FuseRecurrent : public ::testing::Test {
 protected:
  // An LSTM; tests change what they are about.
  FuseRecurrent() {
    loop_.name = "lstm";
    loop_.units = kUnits;
    loop_.keep_all = true;
    loop_.step = lstm_step;
  }
  ValueId zeros() { return b.constant(std::vector<float>(kBatch * kUnits, 0.0f), DType::kFloat32, {kBatch, kUnits}); }
  formats::Sequence run_loop(size_t states, Shape shape = {kBatch, kTime, kSize}) {
    loop_.x = b.input("x", DType::kFloat32, shape);
    while (loop_.states.size() < states) loop_.states.push_back(zeros());
    return formats::run_over_time(b, loop_);
  }
  // How many loops became sequence operators; the first run's results stay.
  size_t fused() {
    EXPECT_TRUE(b.finish());
    const std::vector<std::vector<float>> before = run();
    const auto counts = run_pipeline(model_, {.fuse_recurrent = true});
    EXPECT_TRUE(counts) << counts.error().message;
    if (!counts) return 0;
    const Status valid = verify(model_);
    EXPECT_TRUE(valid) << valid.error().message;
    const std::vector<std::vector<float>> after = run();
    EXPECT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size() && i < after.size(); ++i)
      EXPECT_THAT(after[i], ::testing::Pointwise(::testing::FloatNear(1e-5f), before[i]));
    for (const Count& count : *counts) {
      if (count.name == "fuse-recurrent") return count.changes;
    }
    ADD_FAILURE() << "there is no such pass";
    return 0;
  }
  // The outputs of the first run; none where a size is open.
  std::vector<std::vector<float>> run() const {
    if (!model_.main().value(model_.main().inputs[0]).shape_signature.empty()) return {};
    const auto plan = runtime::Plan::make(std::make_shared<const Model>(model_));
    EXPECT_TRUE(plan) << plan.error().message;
    if (!plan) return {};
    const auto session = runtime::Session::make(*plan);
    EXPECT_TRUE(session) << session.error().message;
    if (!session) return {};
    const auto values = fewbits::testing::some_floats(element_count((*session)->input_view(0).shape), 9);
    std::copy(values.begin(), values.end(), static_cast<float*>((*session)->input(0)));
    const Status ran = (*session)->run();
    EXPECT_TRUE(ran) << ran.error().message;
    std::vector<std::vector<float>> results;
    for (size_t i = 0; i < model_.main().outputs.size(); ++i) {
      const TensorView out = (*session)->output(i);
      const auto* first = static_cast<const float*>(out.data);
      results.emplace_back(first, first + element_count(out.shape));
    }
    return results;
  }
  std::vector<Op> ops() const {
    std::vector<Op> list;
    for (NodeId id : model_.main().order()) list.push_back(model_.main().node(id).op);
    return list;
  }

  Model model_ = [] {
    Model model;
    model.graphs.resize(1);
    return model;
  }();
  GraphBuilder b{model_, 0};
  TimeLoop loop_;
};

TEST_F(FuseRecurrent, LstmLosesItsLoop) {
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 1u);
  EXPECT_THAT(ops(), ::testing::ElementsAre(Op::UNIDIRECTIONAL_SEQUENCE_LSTM));
  EXPECT_EQ(model_.graphs.size(), 1u);  // the loop's own are gone
  EXPECT_EQ(model_.main().value(model_.main().outputs[0]).name, "y");
}

TEST_F(FuseRecurrent, LastStepIsASliceOfAll) {
  const auto done = run_loop(2);
  b.output(done.all, "all");
  b.output(done.last, "last");
  EXPECT_EQ(fused(), 1u);
  EXPECT_THAT(ops(), ::testing::ElementsAre(Op::UNIDIRECTIONAL_SEQUENCE_LSTM, Op::STRIDED_SLICE));
}

TEST_F(FuseRecurrent, TimeFirst) {
  loop_.time_axis = 0;
  b.output(run_loop(2, {kTime, kBatch, kSize}).all, "y");
  EXPECT_EQ(fused(), 1u);
  EXPECT_THAT(ops(), ::testing::ElementsAre(Op::TRANSPOSE, Op::UNIDIRECTIONAL_SEQUENCE_LSTM, Op::TRANSPOSE));
}

TEST_F(FuseRecurrent, OpenTime) {
  b.output(run_loop(2, {kBatch, -1, kSize}).all, "y");
  EXPECT_EQ(fused(), 1u);
}

TEST_F(FuseRecurrent, SimpleRnn) {
  loop_.step = [](GraphBuilder& g, ValueId x, const States& before) {
    return States{g.unary(Op::TANH, sums(g, x, before[0], 1))};
  };
  b.output(run_loop(1).all, "y");
  EXPECT_EQ(fused(), 1u);
  EXPECT_THAT(ops(), ::testing::ElementsAre(Op::UNIDIRECTIONAL_SEQUENCE_RNN));
}

TEST_F(FuseRecurrent, OnlyWhereItIsAskedFor) {
  b.output(run_loop(2).all, "y");
  ASSERT_TRUE(b.finish());
  ASSERT_TRUE(run_pipeline(model_, {}));
  EXPECT_THAT(ops(), ::testing::ElementsAre(Op::WHILE));
}

// ---- what is left alone ----

TEST_F(FuseRecurrent, CellStateIsRead) {
  const auto done = run_loop(2);
  b.output(done.all, "y");
  b.output(done.states[1], "c");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, StateThatDoesNotBeginAtZero) {
  loop_.states = {zeros(), weights(b, {kBatch, kUnits}, 5)};
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, OpenBatch) {
  loop_.x = b.input("x", DType::kFloat32, {-1, kTime, kSize});
  const ValueId zero = formats::zeros_of(b, {b.size_of(loop_.x, 0), b.int_scalar(kUnits)});
  loop_.states = {zero, zero};
  b.output(formats::run_over_time(b, loop_).all, "y");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, MaskedSteps) {
  loop_.mask = b.constant(std::vector<uint8_t>{1, 1, 0, 1, 1, 0, 1, 1, 1, 0}, DType::kBool, {kBatch, kTime});
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, FromTheLastStepToTheFirst) {
  loop_.reverse = true;
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, FewerTurnsThanSteps) {
  b.output(run_loop(2).all, "y");
  Graph& test = model_.graphs[1];
  const Node& less = test.node(test.order().back());
  ASSERT_EQ(less.op, Op::LESS);
  Value& limit = test.value(less.inputs[1]);
  ASSERT_TRUE(limit.is_const);
  limit.data = ConstData::own(std::vector<int32_t>{kTime - 1});
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, TurnsThatBeginLater) {
  b.output(run_loop(2).all, "y");
  Graph& main = model_.main();
  Node& loop = main.node(main.order().back());
  ASSERT_EQ(loop.op, Op::WHILE);
  loop.inputs[0] = b.int_scalar(1);
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, ListOfTheCellStates) {
  loop_.step = [](GraphBuilder& g, ValueId x, const States& before) {
    const States next = lstm_step(g, x, {before[1], before[0]});
    return States{next[1], next[0]};  // the first one is what is gathered
  };
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, GatesOfAnotherKind) {
  loop_.step = [](GraphBuilder& g, ValueId x, const States& before) {
    const auto gates = g.split(sums(g, x, before[0], 4), std::vector<int32_t>(4, kUnits), 1);
    const ValueId kept = g.mul(before[1], g.unary(Op::TANH, gates[2]));
    const ValueId c = g.add(g.mul(g.unary(Op::TANH, gates[0]), g.unary(Op::LOGISTIC, gates[1])), kept);
    return States{g.mul(g.unary(Op::LOGISTIC, gates[3]), g.unary(Op::TANH, c)), c};
  };
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, ForgetGateOfTheOutput) {
  loop_.step = [](GraphBuilder& g, ValueId x, const States& before) {
    const auto gates = g.split(sums(g, x, before[0], 4), std::vector<int32_t>(4, kUnits), 1);
    const ValueId kept = g.mul(before[0], g.unary(Op::LOGISTIC, gates[2]));
    const ValueId c = g.add(g.mul(g.unary(Op::TANH, gates[0]), g.unary(Op::LOGISTIC, gates[1])), kept);
    return States{g.mul(g.unary(Op::LOGISTIC, gates[3]), g.unary(Op::TANH, c)), g.add(c, before[1])};
  };
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 0u);
}

TEST_F(FuseRecurrent, InputThatIsChangedFirst) {
  loop_.step = [](GraphBuilder& g, ValueId x, const States& before) {
    return lstm_step(g, g.unary(Op::ABS, x), before);
  };
  b.output(run_loop(2).all, "y");
  EXPECT_EQ(fused(), 0u);
}

}  // namespace
}  // namespace fewbits::passes
