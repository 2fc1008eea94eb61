// The public runtime: names, shapes, misuse, threads.
#include "fewbits/runtime.h"

#include <map>
#include <numeric>
#include <thread>

#include "api_support.h"
#include "support/small_models.h"

namespace fewbits {
namespace {

using test::floats;
using test::shared;

std::vector<float> values(const OutputView& view) {
  const auto span = view.as<float>();
  return {span.begin(), span.end()};
}

std::unique_ptr<Runtime> make(const ModelPtr& model, const RuntimeOptions& options = {}) {
  auto runtime = Runtime::make(model, options);
  EXPECT_TRUE(runtime) << (runtime ? "" : runtime.error().message);
  return *std::move(runtime);
}

TEST(ApiRuntime, RunsByNameOfSignatureOrTensor) {
  const auto runtime = make(shared(test::dynamic_adder()));
  ASSERT_EQ(runtime->inputs().size(), 2u);
  EXPECT_EQ(runtime->inputs()[1].label(), "right");
  ASSERT_TRUE(runtime->set_input("left", floats("", {1, 2}, {1, 2})));
  ASSERT_TRUE(runtime->set_input("b", floats("", {1, 2}, {10, 20})));
  ASSERT_TRUE(runtime->run());
  EXPECT_EQ(values(*runtime->output("sum")), (std::vector<float>{11, 22}));
  EXPECT_EQ(values(*runtime->output("a_plus_b")), (std::vector<float>{11, 22}));
  EXPECT_EQ(runtime->output_array("sum")->name, "sum");
}

TEST(ApiRuntime, GoesByPlaceAsByName) {
  const auto runtime = make(shared(test::dynamic_adder()));
  ASSERT_TRUE(runtime->resize_input(0, {1, 2}));
  ASSERT_TRUE(runtime->set_input(0, floats("", {1, 2}, {1, 2})));
  ASSERT_TRUE(runtime->resize_input(1, {1, 2}));
  EXPECT_EQ(runtime->input_bytes(1)->size(), 2 * sizeof(float));
  ASSERT_TRUE(runtime->set_input(1, floats("", {1, 2}, {10, 20})));
  ASSERT_TRUE(runtime->run());
  EXPECT_EQ(values(*runtime->output(0)), (std::vector<float>{11, 22}));
  EXPECT_EQ(*runtime->input_shape(1), (Shape{1, 2}));
  EXPECT_ERROR(runtime->input_shape(2), ErrorCode::kInvalidArgument, "no input 2 among 2");
  EXPECT_ERROR(runtime->output(1), ErrorCode::kInvalidArgument, "no output 1 among 1");
}

TEST(ApiRuntime, ASubgraphHasNoSignatureNames) {
  RuntimeOptions options;
  options.subgraph = 0;
  const auto runtime = make(shared(test::dynamic_adder()), options);
  EXPECT_EQ(runtime->subgraph(), 0);
  EXPECT_TRUE(runtime->inputs()[1].signature_name.empty());
  options.subgraph = 3;
  EXPECT_ERROR(Runtime::make(shared(test::dynamic_adder()), options), ErrorCode::kInvalidArgument, "no subgraph 3");
}

TEST(ApiRuntime, ATapSeesEveryTensorOnce) {
  const ModelPtr model = shared(test::classifier());
  const auto runtime = make(model);
  std::map<int32_t, int> seen;
  std::vector<float> last;
  runtime->set_tap([&](int32_t subgraph, int32_t tensor, const OutputView& view) {
    EXPECT_EQ(subgraph, 0);
    ++seen[tensor];
    last = values(view);
  });
  ASSERT_TRUE(runtime->set_input(0, floats("", {1, 8, 8, 3}, test::noise(192, 5))));
  ASSERT_TRUE(runtime->run());
  const SubgraphDescription graph = describe_model(*model).subgraphs[0];
  EXPECT_EQ(seen.size(), graph.inputs.size() + graph.operators.size());
  EXPECT_EQ(last, values(*runtime->output(0)));
  seen.clear();
  runtime->set_tap({});
  ASSERT_TRUE(runtime->run());
  EXPECT_TRUE(seen.empty());
}

TEST(ApiRuntime, TensorsWithMemoryOfTheirOwn) {
  const ModelPtr model = shared(test::classifier());
  const auto runtime = make(model);
  const SubgraphDescription graph = describe_model(*model).subgraphs[0];
  ASSERT_TRUE(runtime->set_input(0, floats("", {1, 8, 8, 3}, test::noise(192, 5))));
  ASSERT_TRUE(runtime->run());
  EXPECT_EQ(values(*runtime->tensor(graph.inputs[0])), test::noise(192, 5));
  EXPECT_EQ(values(*runtime->tensor(graph.outputs[0])), values(*runtime->output(0)));
  const int32_t weights = graph.operators[0].inputs[1];
  const Array expected = *constant_array(*model, 0, weights);
  EXPECT_EQ(values(*runtime->tensor(weights)),
            std::vector<float>(expected.as<float>().begin(), expected.as<float>().end()));
  EXPECT_ERROR(runtime->tensor(graph.operators[0].outputs[0]), ErrorCode::kInvalidArgument, "no memory of its own");
  EXPECT_ERROR(runtime->tensor(9999), ErrorCode::kInvalidArgument, "no tensor 9999");
  const std::vector<Shape> shapes = runtime->tensor_shapes();
  EXPECT_EQ(shapes.size(), graph.tensors.size());
  EXPECT_EQ(shapes[static_cast<size_t>(graph.inputs[0])], (Shape{1, 8, 8, 3}));
}

TEST(ApiRuntime, DynamicSizesFollowTheArray) {
  const auto runtime = make(shared(test::dynamic_adder()));
  for (const int n : {3, 1, 5}) {
    std::vector<float> numbers(static_cast<size_t>(n));
    std::iota(numbers.begin(), numbers.end(), 1.0f);
    ASSERT_TRUE(runtime->set_input("left", floats("", {1, n}, numbers)));
    ASSERT_TRUE(runtime->set_input("right", floats("", {1, n}, numbers)));
    const Status ran = runtime->run();
    ASSERT_TRUE(ran) << ran.error().message;
    const auto output = runtime->output("sum");
    EXPECT_EQ(output->shape, (Shape{1, n}));
    EXPECT_EQ(values(*output).back(), static_cast<float>(2 * n));
  }
}

TEST(ApiRuntime, ResizingOneInputKeepsTheOther) {
  const auto runtime = make(shared(test::dynamic_adder()));
  ASSERT_TRUE(runtime->set_input("left", floats("", {1, 2}, {1, 2})));
  ASSERT_TRUE(runtime->set_input("right", floats("", {1, 2}, {0, 0})));
  ASSERT_TRUE(runtime->run());
  ASSERT_TRUE(runtime->set_input("right", floats("", {1, 1}, {5})));  // broadcast
  ASSERT_TRUE(runtime->run());
  EXPECT_EQ(values(*runtime->output("sum")), (std::vector<float>{6, 7}));
}

TEST(ApiRuntime, PackedWeightsAreKeptInAFile) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "m.packs";
  const auto answer = [](const RuntimeOptions& options) {
    const auto runtime = make(shared(fewbits::testing::small_network()), options);
    const std::vector<float> x = fewbits::testing::some_floats(48, 3);
    EXPECT_TRUE(runtime->set_input(0, std::as_bytes(std::span(x))));
    EXPECT_TRUE(runtime->run());
    return values(*runtime->output(0));
  };
  const std::vector<float> expected = answer({});
  EXPECT_EQ(answer({.pack_cache = path}), expected);
  const auto size = std::filesystem::file_size(path);
  EXPECT_GT(size, 640u * sizeof(float));  // of the largest weights
  const auto written = std::filesystem::last_write_time(path);
  EXPECT_EQ(answer({.pack_cache = path}), expected);
  EXPECT_EQ(std::filesystem::last_write_time(path), written);
  std::filesystem::resize_file(path, size / 2);
  EXPECT_EQ(answer({.pack_cache = path}), expected);
  EXPECT_EQ(std::filesystem::file_size(path), size);
  EXPECT_ERROR(Runtime::make(shared(fewbits::testing::small_network()), {.pack_cache = folder / "no/folder"}),
               ErrorCode::kNotFound, "no/folder");
}

TEST(ApiRuntime, ResizePlansAnew) {
  const auto runtime = make(shared(test::classifier()));
  ASSERT_TRUE(runtime->resize_input("image", {2, 8, 8, 3}));
  EXPECT_EQ(*runtime->input_shape("image"), (Shape{2, 8, 8, 3}));
  ASSERT_TRUE(runtime->set_input("image", floats("", {2, 8, 8, 3}, test::noise(384, 5))));
  // RESHAPE has a constant shape of one picture: the model itself cannot take two.
  const Status ran = runtime->run();
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().message, ::testing::HasSubstr("RESHAPE"));
  ASSERT_TRUE(runtime->resize_input("image", {1, 8, 8, 3}));
  ASSERT_TRUE(runtime->set_input("image", floats("", {1, 8, 8, 3}, test::noise(192, 5))));
  EXPECT_TRUE(runtime->run());
}

TEST(ApiRuntime, MisuseSaysWhatToDo) {
  EXPECT_ERROR(Runtime::make(nullptr), ErrorCode::kInvalidArgument, "null");
  const ModelPtr model = shared(test::classifier());
  EXPECT_ERROR(Runtime::make(model, {0}), ErrorCode::kInvalidArgument, "1 to 64");
  EXPECT_ERROR(Runtime::make(model, {1, "decode"}), ErrorCode::kNotFound, "it has serve");
  const auto runtime = make(model);
  EXPECT_ERROR(runtime->output("scores"), ErrorCode::kInvalidArgument, "before a run");
  EXPECT_ERROR(runtime->run(), ErrorCode::kInvalidArgument, "'image'; call set_input");
  EXPECT_ERROR(runtime->set_input("picture", floats("", {1}, {0})), ErrorCode::kNotFound, "its inputs are 'image'");
  EXPECT_ERROR(runtime->set_input("image", floats("", {8, 8, 3}, test::noise(192, 1))), ErrorCode::kInvalidArgument,
               "[1, 8, 8, 3]");
  const std::vector<double> doubles(192);
  EXPECT_ERROR(runtime->set_input("image", make_array<double>("", DType::kFloat64, {1, 8, 8, 3}, doubles)),
               ErrorCode::kInvalidArgument, "takes float32, and the array is float64");
  const std::vector<std::byte> few(7);
  EXPECT_ERROR(runtime->set_input("image", few), ErrorCode::kInvalidArgument, "takes 768 bytes, not 7");
  EXPECT_ERROR(runtime->resize_input("image", {-1, 8, 8, 3}), ErrorCode::kInvalidArgument, "cannot have the shape");
  ASSERT_TRUE(runtime->set_input("image", floats("", {1, 8, 8, 3}, test::noise(192, 1))));
  ASSERT_TRUE(runtime->run());
  EXPECT_ERROR(runtime->output("logits?"), ErrorCode::kNotFound, "its outputs are 'scores'");
}

TEST(ApiRuntime, ArraysWhoseBytesLieAreRefused) {
  const auto runtime = make(shared(test::classifier()));
  Array array = floats("", {1, 8, 8, 3}, test::noise(192, 1));
  array.bytes.resize(100);
  EXPECT_ERROR(runtime->set_input("image", array), ErrorCode::kInvalidArgument, "not 100");
}

TEST(ApiRuntime, UnknownOperatorsAreListed) {
  EXPECT_ERROR(Runtime::make(shared(test::with_unknown_operator())), ErrorCode::kUnsupported, "Mystery");
}

TEST(ApiRuntime, InputsCanBeFilledInPlace) {
  const auto runtime = make(shared(test::offset_scores(3, {1, 2, 3})));
  const auto bytes = runtime->input_bytes("x");
  ASSERT_TRUE(bytes);
  ASSERT_EQ(bytes->size(), 12u);
  auto* numbers = reinterpret_cast<float*>(bytes->data());
  for (float round : {0.0f, 10.0f}) {
    for (int i = 0; i < 3; ++i) numbers[i] = round;
    ASSERT_TRUE(runtime->run());
    EXPECT_EQ(values(*runtime->output("y")), (std::vector<float>{round + 1, round + 2, round + 3}));
  }
}

TEST(ApiRuntime, ProfilesEachOperatorOfTheLastRun) {
  const auto runtime = make(shared(test::classifier()));
  runtime->set_profiling(true);
  EXPECT_TRUE(runtime->profile().empty());
  ASSERT_TRUE(runtime->set_input("image", floats("", {1, 8, 8, 3}, test::noise(192, 1))));
  ASSERT_TRUE(runtime->run());
  const auto profile = runtime->profile();
  ASSERT_EQ(profile.size(), 4u);
  EXPECT_EQ(profile[0].type, "CONV_2D");
  EXPECT_EQ(profile[0].name, "conv");
  EXPECT_FALSE(profile[0].kernel.empty());
  EXPECT_GT(profile[0].nanoseconds, 0);
  EXPECT_EQ(runtime->kernels().size(), 4u);
  EXPECT_GT(runtime->memory_bytes(), 192 * sizeof(float));
  runtime->set_profiling(false);
  ASSERT_TRUE(runtime->run());
  EXPECT_TRUE(runtime->profile().empty());
}

TEST(ApiRuntime, SeveralOnSeveralThreadsAgree) {
  const ModelPtr model = shared(test::classifier());
  const Array input = floats("", {1, 8, 8, 3}, test::noise(192, 9));
  const auto reference = make(model);
  ASSERT_TRUE(reference->set_input("image", input));
  ASSERT_TRUE(reference->run());
  const std::vector<float> expected = values(*reference->output("scores"));
  std::vector<std::vector<float>> got(4);
  std::vector<std::thread> threads;
  for (auto& answer : got) {
    threads.emplace_back([&] {
      const auto runtime = Runtime::make(model);
      for (int round = 0; runtime && round < 20; ++round) {
        if ((*runtime)->set_input("image", input) && (*runtime)->run()) answer = values(*(*runtime)->output("scores"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& answer : got) EXPECT_EQ(answer, expected);
}

TEST(ApiRuntime, TheModelMayGoFirst) {
  ModelPtr model = shared(test::offset_scores(2, {1, 1}));
  const auto runtime = make(model);
  model.reset();
  ASSERT_TRUE(runtime->set_input("x", floats("", {1, 2}, {1, 2})));
  ASSERT_TRUE(runtime->run());
  EXPECT_EQ(values(*runtime->output("y")), (std::vector<float>{2, 3}));
}

}  // namespace
}  // namespace fewbits
