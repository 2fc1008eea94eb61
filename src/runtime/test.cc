// Plans and sessions: memory, shapes, threads, state, taps, and what must not happen while a plan runs.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "base/cpu.h"
#include "runtime/memory_plan.h"
#include "runtime/session.h"
#include "support/small_models.h"

// Sanitizers bring allocators of their own, which this one must not replace: allocations are counted in plain builds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FB_COUNT_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FB_COUNT_ALLOCATIONS 0
#endif
#endif
#ifndef FB_COUNT_ALLOCATIONS
#define FB_COUNT_ALLOCATIONS 1
#endif

#if FB_COUNT_ALLOCATIONS
namespace {
std::atomic<size_t> allocations{0};
}  // namespace

// Counts what the tests' whole program allocates.
void* operator new(size_t size) {
  ++allocations;
  void* data = std::malloc(size == 0 ? 1 : size);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
void operator delete(void* data) noexcept { std::free(data); }
void operator delete(void* data, size_t) noexcept { std::free(data); }
#endif

namespace fewbits::runtime {
namespace {

using fewbits::testing::add_const;
using fewbits::testing::add_node;
using fewbits::testing::add_value;
using fewbits::testing::small_network;

std::shared_ptr<const Model> shared(Model model) { return std::make_shared<const Model>(std::move(model)); }

std::unique_ptr<Session> session_of(const std::shared_ptr<const Plan>& plan, int threads = 1) {
  auto session = Session::make(plan, {threads});
  EXPECT_TRUE(session);
  return *std::move(session);
}

std::vector<float> run(Session& session, uint32_t seed) {
  const TensorView input = session.input_view(0);
  const auto values = fewbits::testing::some_floats(input.bytes / sizeof(float), seed);
  std::memcpy(session.input(0), values.data(), input.bytes);
  EXPECT_TRUE(session.run());
  const TensorView output = session.output(0);
  const auto* data = static_cast<const float*>(output.data);
  return {data, data + output.bytes / sizeof(float)};
}

TEST(MemoryPlan, NeighboursInTimeDoNotOverlapAndOthersShare) {
  std::vector<Block> blocks = {{100, 0, 1}, {200, 1, 2}, {100, 2, 3}, {300, 4, 4}};
  const size_t total = place_blocks(blocks);
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i].offset % 64, 0u);
    EXPECT_LE(blocks[i].offset + blocks[i].bytes, total);
    for (size_t j = 0; j < i; ++j) {
      const Block &a = blocks[i], &b = blocks[j];
      if (a.last < b.first || b.last < a.first) continue;
      EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset) << i << " and " << j;
    }
  }
  EXPECT_LE(total, 128u + 256u);  // two live at once at the most, each rounded up to 64
}

TEST(MemoryPlan, ABlockInsideAnotherLivesThereAsLongAsEither) {
  std::vector<Block> blocks = {{64, 0, 3}, {64, 1, 3}, {128, 1, 2}, {128, 3, 5}};
  blocks[0].inside = blocks[1].inside = 3;
  blocks[1].at = 64;
  place_blocks(blocks);
  EXPECT_EQ(blocks[0].offset, blocks[3].offset);
  EXPECT_EQ(blocks[1].offset, blocks[3].offset + 64);
  EXPECT_NE(blocks[2].offset, blocks[3].offset);  // the outer block is alive from step 0 on
}

// Two of the three parts of a concatenation are made in its output; one is read later and stays where it is.
TEST(Session, ConcatenationsOfWholeRowsAreMadeInPlace) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId x = add_value(g, "x", {4, 3});
  const auto pointwise = [&](Op op, ValueId in, const char* name) {
    const ValueId y = add_value(g, name, {4, 3});
    add_node(g, op, {in}, {y});
    return y;
  };
  const ValueId a = pointwise(Op::TANH, x, "a"), b = pointwise(Op::ABS, x, "b"), c = pointwise(Op::EXP, x, "c");
  const ValueId all = add_value(g, "all", {16, 3}), late = add_value(g, "late", {4, 3});
  tflite::ConcatenationOptionsT options;
  options.axis = 0;
  add_node(g, Op::CONCATENATION, {a, b, c, a}, {all}, options);
  add_node(g, Op::NEG, {b}, {late});  // in place, were it allowed to
  g.inputs = {x};
  g.outputs = {all, late};
  const auto plan = Plan::make(shared(std::move(model)));
  ASSERT_TRUE(plan) << plan.error().message;
  const auto address = [&](ValueId id) { return (*plan)->value(id).offset; };
  EXPECT_EQ(address(a), address(all));
  EXPECT_EQ(address(c), address(all) + 96);
  const auto session = session_of(*plan);
  const std::vector<float> in = fewbits::testing::some_floats(12, 5);
  const std::vector<float> out = run(*session, 5);
  const auto* negative = static_cast<const float*>(session->output(1).data);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(out[i], std::tanh(in[i]), 1e-6f);
    EXPECT_EQ(out[12 + i], std::fabs(in[i]));
    EXPECT_NEAR(out[24 + i], std::exp(in[i]), 1e-6f);
    EXPECT_EQ(out[36 + i], out[i]);
    EXPECT_EQ(negative[i], -std::fabs(in[i]));
  }
}

TEST(Session, SoftmaxSumsToOne) {
  const auto plan = Plan::make(shared(small_network()));
  ASSERT_TRUE(plan) << plan.error().message;
  const auto session = session_of(*plan);
  const auto output = run(*session, 7);
  ASSERT_EQ(output.size(), 5u);
  float sum = 0;
  for (float p : output) sum += p;
  EXPECT_NEAR(sum, 1.0f, 1e-5);
}

TEST(Session, RunsTheSameAgainAndOnSeveralThreads) {
  const auto plan = Plan::make(shared(small_network()));
  ASSERT_TRUE(plan);
  const auto session = session_of(*plan);
  const auto first = run(*session, 3);
  EXPECT_NE(run(*session, 4), first);
  EXPECT_EQ(run(*session, 3), first);
  const auto threaded = session_of(*plan, 2);
  EXPECT_EQ(run(*threaded, 3), first);

  std::vector<std::thread> threads;
  std::atomic<int> same{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const auto own = session_of(*plan);
      for (int i = 0; i < 20; ++i) same += run(*own, 3) == first;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, 80);
}

#if FB_COUNT_ALLOCATIONS
TEST(Session, RunAllocatesNothing) {
  const auto plan = Plan::make(shared(small_network()));
  ASSERT_TRUE(plan);
  for (int threads : {1, 2}) {
    const auto session = session_of(*plan, threads);
    ASSERT_TRUE(session->run());
    const size_t before = allocations;
    const Status status = session->run();
    EXPECT_EQ(allocations - before, 0u);
    EXPECT_TRUE(status);
  }
}
#endif

// A product of 16 rows, 32 columns and a depth of 64.
std::shared_ptr<const Model> one_product() {
  Model model;
  model.graphs.emplace_back();
  Graph& graph = model.graphs[0];
  const ValueId x = add_value(graph, "x", {16, 64});
  const ValueId w = fewbits::testing::add_floats(graph, "w", {32, 64}, fewbits::testing::some_floats(32 * 64, 2));
  const ValueId y = add_value(graph, "y", {16, 32});
  add_node(graph, Op::FULLY_CONNECTED, {x, w, kNoValue}, {y}, tflite::FullyConnectedOptionsT{});
  graph.inputs = {x};
  graph.outputs = {y};
  return shared(std::move(model));
}

// Float products of bfloat16 parts are for who asks for them, and as exact as the others.
TEST(Plan, FastFloatProducts) {
  const auto model = one_product();
  PlanOptions options;
  const auto strict = Plan::make(model, options);
  options.fast_float = true;
  const auto fast = Plan::make(model, options);
  ASSERT_TRUE(strict && fast);
  EXPECT_EQ((*strict)->steps()[0].prepared.choice.find("amx"), std::string::npos);
  EXPECT_EQ((*fast)->steps()[0].prepared.choice.find("amx") != std::string::npos, isa() == Isa::kAmx);
  const auto exact = run(*session_of(*strict), 1), other = run(*session_of(*fast), 1);
  ASSERT_EQ(exact.size(), other.size());
  for (size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(exact[i], other[i], 64 * 2e-6);
}

TEST(Session, TapsSeeEveryValueOnce) {
  const auto plan = Plan::make(shared(small_network()));
  ASSERT_TRUE(plan);
  const auto session = session_of(*plan);
  std::vector<std::string> seen;
  session->set_tap([&](int32_t graph, ValueId id, const TensorView& tensor) -> Status {
    EXPECT_EQ(graph, 0);
    EXPECT_NE(tensor.data, nullptr);
    seen.push_back((*plan)->graph().value(id).name);
    return {};
  });
  ASSERT_TRUE(session->run());
  EXPECT_EQ(seen, (std::vector<std::string>{"input", "conv", "dw", "flat", "logits", "probabilities"}));
  session->set_tap(
      [](int32_t, ValueId, const TensorView&) -> Status { return fail(ErrorCode::kInvalidData, "enough"); });
  const Status stopped = session->run();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().message, "enough");
}

// Found by fuzz_run: 200 million empty images took the kernel a minute.
TEST(Plan, NoElementsAreNoWork) {
  Model model = small_network();
  Graph& g = model.graphs[0];
  const std::vector<NodeId> order = g.order();
  for (NodeId id : order) {
    if (g.node(id).op != Op::DEPTHWISE_CONV_2D) g.remove_node(id);
  }
  const Node& depthwise = g.node(g.order()[0]);
  g.inputs = {depthwise.inputs[0]};
  g.outputs = depthwise.outputs;
  model.signatures.clear();
  PlanOptions options;
  options.input_shapes[0] = {200'000'000, 0, 4, 8};
  const auto plan = Plan::make(shared(std::move(model)), options);
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ((*plan)->steps().size(), 1u);
  EXPECT_EQ((*plan)->steps()[0].prepared.choice, "nothing to do: no elements");
  ASSERT_TRUE(session_of(*plan)->run());
}

TEST(Plan, OtherInputShapes) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId in = add_value(g, "in", {1, 4}), out = add_value(g, "out", {1, 4});
  add_node(g, Op::RELU, {in}, {out});
  g.inputs = {in};
  g.outputs = {out};
  PlanOptions options;
  options.input_shapes[0] = {3, 2};
  const auto plan = Plan::make(shared(model), options);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto session = session_of(*plan);
  EXPECT_EQ(session->input_view(0).bytes, 24u);
  EXPECT_EQ(session->output(0).shape, (Shape{3, 2}));
  options.input_shapes[0] = {-1, 2};
  EXPECT_FALSE(Plan::make(shared(model), options));
}

TEST(Plan, SizesThatAreComputedMakeDynamicSteps) {
  // RESHAPE whose shape is an input.
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId in = add_value(g, "in", {2, 6}), shape = add_value(g, "shape", {2}, DType::kInt32),
                out = add_value(g, "out", {1, 1});
  const ValueId relu = add_value(g, "relu", {1, 1});
  add_node(g, Op::RESHAPE, {in, shape}, {out}, tflite::ReshapeOptionsT());
  add_node(g, Op::RELU, {out}, {relu});
  g.inputs = {in, shape};
  g.outputs = {relu};
  const auto plan = Plan::make(shared(model));
  ASSERT_TRUE(plan) << plan.error().message;
  const auto session = session_of(*plan);
  for (const auto& wanted : {std::array<int32_t, 2>{3, 4}, std::array<int32_t, 2>{-1, 2}}) {
    for (int i = 0; i < 12; ++i) static_cast<float*>(session->input(0))[i] = static_cast<float>(i - 6);
    std::memcpy(session->input(1), wanted.data(), 8);
    ASSERT_TRUE(session->run());
    EXPECT_EQ(session->output(0).shape, (Shape{wanted[0] < 0 ? 6 : 3, wanted[1]}));
    EXPECT_EQ(static_cast<const float*>(session->output(0).data)[11], 5.0f);
    EXPECT_EQ(static_cast<const float*>(session->output(0).data)[0], 0.0f);
  }
  const std::array<int32_t, 2> impossible{5, 5};
  std::memcpy(session->input(1), impossible.data(), 8);
  const Status status = session->run();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("cannot reshape"), std::string::npos) << status.error().message;
}

TEST(Plan, MissingKernelsAreListedTogether) {
  Model model = small_network();
  Graph& g = model.main();
  for (const char* code : {"FlexA", "FlexB"}) {
    Node node;
    node.op = Op::CUSTOM;
    node.custom_code = code;
    node.inputs = {g.outputs[0]};
    node.outputs = {add_value(g, std::string(code) + "/out", {1, 5})};
    g.outputs = node.outputs;
    g.add_node(std::move(node));
  }
  const auto plan = Plan::make(shared(model));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(plan.error().message.find("FlexA"), std::string::npos);
  EXPECT_NE(plan.error().message.find("FlexB"), std::string::npos);
}

TEST(Plan, WrongOperandCountsAreErrors) {
  Model model = small_network();
  model.main().node(0).inputs.resize(1);
  const auto plan = Plan::make(shared(model));
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("CONV_2D"), std::string::npos) << plan.error().message;
}

TEST(Plan, SparseConstantsReachOnlyOperatorsThatExpandThem) {
  // Once, ADD read a constant of four bytes as the thousand elements of its shape.
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId in = add_value(g, "in", {1000}), out = add_value(g, "out", {1000});
  const ValueId sparse = fewbits::testing::add_floats(g, "sparse", {1000}, {1.0f});
  g.value(sparse).sparsity = std::make_shared<const tflite::SparsityParametersT>();
  add_node(g, Op::ADD, {in, sparse}, {out}, tflite::AddOptionsT());
  g.inputs = {in};
  g.outputs = {out};
  const auto plan = Plan::make(shared(model));
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("'sparse'"), std::string::npos) << plan.error().message;
}

TEST(Plan, HugeShapesAreRefused) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId in = add_value(g, "in", {1 << 20, 1 << 20, 64}), out = add_value(g, "out", {1});
  add_node(g, Op::RELU, {in}, {out});
  g.inputs = {in};
  g.outputs = {out};
  const auto plan = Plan::make(shared(model));
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("'in'"), std::string::npos) << plan.error().message;
}

// Found by fuzz_run: tables of 2^28 lines were made for an output that is refused.
TEST(Plan, HugeOutputsAreRefusedBeforeTheyArePrepared) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId in = add_value(g, "in", {1, 1, 1, 1}), out = add_value(g, "out", {1, 1 << 28, 1, 1});
  const ValueId size = add_const<int32_t>(g, "size", {2}, {1 << 28, 1}, DType::kInt32);
  add_node(g, Op::RESIZE_BILINEAR, {in, size}, {out}, tflite::ResizeBilinearOptionsT());
  g.inputs = {in};
  g.outputs = {out};
  PlanOptions options;
  options.memory_limit = 1 << 22;
  const auto plan = Plan::make(shared(model), options);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("'out'"), std::string::npos) << plan.error().message;
}

}  // namespace
}  // namespace fewbits::runtime
