// Tests of the control flow family: which subgraph runs on what, and refusals.
#include <gtest/gtest.h>

#include "ops/dynamic_test_args.h"
#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::DynamicTestArgs;
using test::OneOp;
using test::tensor;
using Values = std::vector<OwnedTensor>;

OwnedTensor truth(bool value) { return tensor(DType::kBool, {}, std::vector<uint8_t>{value}); }
OwnedTensor number(int32_t value) { return tensor(DType::kInt32, {1}, std::vector<int32_t>{value}); }
int32_t value_of(const TensorView& view) { return *static_cast<const int32_t*>(view.data); }

// A further subgraph with inputs and outputs of these types.
void add_graph(OneOp& op, const std::vector<DType>& inputs, const std::vector<DType>& outputs) {
  Graph& graph = op.model().graphs.emplace_back();
  for (DType type : inputs) graph.inputs.push_back(graph.add_value({.name = "x", .dtype = type}));
  for (DType type : outputs) graph.outputs.push_back(graph.add_value({.name = "y", .dtype = type}));
}

OneOp conditional(int32_t then_graph, int32_t else_graph) {
  OneOp op(Op::IF);
  tflite::IfOptionsT options;
  options.then_subgraph_index = then_graph;
  options.else_subgraph_index = else_graph;
  op.options(options);
  op.input(DType::kBool, {}).input(DType::kInt32, {1}).output(DType::kInt32);
  add_graph(op, {DType::kInt32}, {DType::kInt32});
  add_graph(op, {DType::kInt32}, {DType::kInt32});
  return op;
}

OneOp loop(int32_t condition, int32_t body) {
  OneOp op(Op::WHILE);
  tflite::WhileOptionsT options;
  options.cond_subgraph_index = condition;
  options.body_subgraph_index = body;
  op.options(options);
  op.input(DType::kInt32, {1}).output(DType::kInt32);
  add_graph(op, {DType::kInt32}, {DType::kBool});
  add_graph(op, {DType::kInt32}, {DType::kInt32});
  return op;
}

TEST(If, RunsTheBranchOfTheCondition) {
  OneOp op = conditional(1, 2);
  ASSERT_TRUE(op.prepare());
  EXPECT_TRUE(op.is_dynamic());
  for (bool condition : {true, false}) {
    ResourceStore store;
    DynamicTestArgs args(Values{truth(condition), number(5)}, {DType::kInt32}, store,
                         [](int32_t graph, std::span<const TensorView> inputs) -> Result<Values> {
                           EXPECT_EQ(inputs.size(), 1u);
                           return Values{number(value_of(inputs[0]) * (graph == 1 ? 10 : 100))};
                         });
    ASSERT_TRUE(op.prepared().dynamic_kernel->run(args));
    EXPECT_EQ(args.values<int32_t>()[0], condition ? 50 : 500);
  }
}

TEST(If, RefusesSubgraphsThatAreNotThereOrDoNotFit) {
  EXPECT_FALSE(conditional(1, 3).prepare());
  EXPECT_FALSE(conditional(-1, 2).prepare());
  OneOp more = conditional(1, 2);
  more.input(DType::kInt32, {1});
  EXPECT_FALSE(more.prepare());
  OneOp other = conditional(1, 2);
  other.model().graphs[2].value(0).dtype = DType::kFloat32;
  EXPECT_FALSE(other.prepare());
  OneOp no_options(Op::IF);
  no_options.input(DType::kBool, {});
  EXPECT_FALSE(no_options.prepare());
}

TEST(If, RefusesAConditionOfSeveralElements) {
  OneOp op = conditional(1, 2);
  ASSERT_TRUE(op.prepare());
  ResourceStore store;
  DynamicTestArgs args(Values{tensor(DType::kBool, {2}, std::vector<uint8_t>{1, 1}), number(5)}, {DType::kInt32},
                       store);
  EXPECT_FALSE(op.prepared().dynamic_kernel->run(args));
}

TEST(While, RunsItsBodyUntilTheConditionFails) {
  OneOp op = loop(1, 2);
  ASSERT_TRUE(op.prepare());
  for (int32_t start : {0, 7, 12}) {
    int bodies = 0;
    ResourceStore store;
    DynamicTestArgs args(Values{number(start)}, {DType::kInt32}, store,
                         [&](int32_t graph, std::span<const TensorView> inputs) -> Result<Values> {
                           const int32_t x = value_of(inputs[0]);
                           if (graph == 1) return Values{truth(x < 10)};
                           ++bodies;
                           return Values{number(x + 3)};
                         });
    ASSERT_TRUE(op.prepared().dynamic_kernel->run(args));
    EXPECT_EQ(args.values<int32_t>()[0], start == 0 ? 12 : start == 7 ? 10 : 12);
    EXPECT_EQ(bodies, start == 0 ? 4 : start == 7 ? 1 : 0);
  }
}

TEST(While, PassesTheErrorOfASubgraphOn) {
  OneOp op = loop(1, 2);
  ASSERT_TRUE(op.prepare());
  ResourceStore store;
  DynamicTestArgs args(
      Values{number(1)}, {DType::kInt32}, store,
      [](int32_t, std::span<const TensorView>) -> Result<Values> { return fail(ErrorCode::kResource, "no memory"); });
  const Status status = op.prepared().dynamic_kernel->run(args);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("no memory"), std::string::npos);
}

TEST(While, RefusesABodyThatChangesTypes) {
  OneOp op = loop(1, 2);
  op.model().graphs[2].value(1).dtype = DType::kFloat32;
  EXPECT_FALSE(op.prepare());
  OneOp wrong_condition = loop(2, 2);
  EXPECT_FALSE(wrong_condition.prepare());
}

TEST(CallOnce, RunsOnceForASubgraph) {
  const auto make = [] {
    OneOp op(Op::CALL_ONCE);
    tflite::CallOnceOptionsT options;
    options.init_subgraph_index = 1;
    op.options(options);
    add_graph(op, {}, {});
    return op;
  };
  OneOp first = make(), second = make();
  ASSERT_TRUE(first.prepare());
  ASSERT_TRUE(second.prepare());
  int calls = 0;
  ResourceStore store;
  DynamicTestArgs args({}, {}, store, [&](int32_t, std::span<const TensorView>) -> Result<Values> {
    ++calls;
    return Values{};
  });
  for (const OneOp* op : {&first, &second, &first}) ASSERT_TRUE(op->prepared().dynamic_kernel->run(args));
  EXPECT_EQ(calls, 1) << "two nodes with one initializer";
}

}  // namespace
}  // namespace fewbits
