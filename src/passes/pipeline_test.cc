// Each pass on a graph made for it: what it does, what it leaves alone, and that the numbers stay.
#include "passes/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/builder.h"
#include "formats/options.h"
#include "passes/weights.h"
#include "runtime/session.h"
#include "support/small_models.h"

namespace fewbits::passes {
namespace {

using formats::Activation;
using formats::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

const std::vector<int32_t> kToLast = {0, 2, 3, 1}, kToFirst = {0, 3, 1, 2};

class Passes : public ::testing::Test {
 protected:
  Passes() { model_.graphs[0].name = "main"; }

  ValueId numbers(Shape shape, uint32_t seed) {
    const size_t count = element_count(shape);
    return b.constant(fewbits::testing::some_floats(count, seed), DType::kFloat32, std::move(shape));
  }
  ValueId image(Shape shape = {1, 6, 5, 4}) { return b.input("x", DType::kFloat32, shape); }
  // y is an output, x an input; gives the outputs on fixed numbers.
  std::vector<float> run(const Model& model) {
    const auto plan = runtime::Plan::make(std::make_shared<const Model>(model));
    EXPECT_TRUE(plan) << plan.error().message;
    if (!plan) return {};
    const auto session = runtime::Session::make(*plan);
    EXPECT_TRUE(session) << session.error().message;
    if (!session) return {};
    const auto values = fewbits::testing::some_floats(element_count((*session)->input_view(0).shape), 9);
    std::copy(values.begin(), values.end(), static_cast<float*>((*session)->input(0)));
    const Status ran = (*session)->run();
    EXPECT_TRUE(ran) << ran.error().message;
    const TensorView out = (*session)->output(0);
    const auto* first = static_cast<const float*>(out.data);
    return {first, first + element_count(out.shape)};
  }
  // Runs one pass, and checks that the result stays.
  size_t apply(Result<size_t> (*pass)(Model&, Graph&)) {
    const Status finished = b.finish();
    EXPECT_TRUE(finished) << finished.error().message;
    const std::vector<float> before = run(model_);
    const auto changes = pass(model_, model_.main());
    EXPECT_TRUE(changes) << changes.error().message;
    EXPECT_TRUE(remove_dead_nodes(model_, model_.main()));
    const Status valid = verify(model_);
    EXPECT_TRUE(valid) << valid.error().message;
    expect_same(before, run(model_));
    return changes ? *changes : 0;
  }
  static void expect_same(const std::vector<float>& a, const std::vector<float>& c) {
    ASSERT_EQ(a.size(), c.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], c[i], 1e-4) << "element " << i;
  }
  std::vector<Op> ops() const {
    std::vector<Op> list;
    for (NodeId id : model_.main().order()) list.push_back(model_.main().node(id).op);
    return list;
  }
  int64_t count(Op op) const {
    const auto list = ops();
    return std::count(list.begin(), list.end(), op);
  }
  const Node& node(size_t i) const { return model_.main().node(model_.main().order()[i]); }

  Model model_ = [] {
    Model m;
    m.graphs.resize(1);
    return m;
  }();
  GraphBuilder b{model_, 0};
};

TEST_F(Passes, TransposesSinkThroughElementwiseOperatorsAndCancel) {
  const ValueId x = b.transpose(image(), kToFirst);  // [1, 4, 6, 5]
  const ValueId scaled = b.add(b.mul(b.unary(Op::RELU, x), numbers({1, 4, 1, 1}, 1)), numbers({4, 1, 1}, 2));
  b.output(b.transpose(b.mul(scaled, x), kToLast), "y");
  for (int i = 0; i < 8; ++i) sink_transposes(model_, model_.main()).value();
  EXPECT_THAT(ops(), ::testing::Not(::testing::IsEmpty()));
  EXPECT_EQ(apply(sink_transposes), 0u);
  EXPECT_THAT(ops(), ElementsAre(Op::RELU, Op::MUL, Op::ADD, Op::MUL));
}

TEST_F(Passes, TransposesSinkThroughConcatPadReduceAndSlice) {
  const ValueId x = b.transpose(image(), kToFirst);
  const ValueId wide = b.concat({x, b.unary(Op::TANH, x)}, 1);
  const ValueId padded = b.pad(wide, {{{0, 0}, {0, 0}, {1, 2}, {0, 1}}});
  const ValueId sliced = b.strided_slice(padded, {1, 2}, {1, 0}, {7, 8}, {2, 3});
  const ValueId mean = b.reduce(Op::MEAN, sliced, {2, 3}, false);
  b.output(mean, "y");
  EXPECT_GT(apply(sink_transposes), 4u);
  EXPECT_EQ(count(Op::TRANSPOSE), 0);
}

TEST_F(Passes, TransposesSinkThroughReshapesThatJoinNeighbours) {
  const ValueId x = b.transpose(image(), kToFirst);  // [1, 4, 6, 5] to [1, 4, 30] to [1, 30, 4]
  b.output(b.transpose(b.reshape(x, {1, 4, 30}), {0, 2, 1}), "y");
  EXPECT_GT(apply(sink_transposes), 0u);
  EXPECT_THAT(ops(), ElementsAre(Op::RESHAPE));
}

TEST_F(Passes, ReshapesThatJoinStrangersStopTransposes) {
  const ValueId x = b.transpose(image(), kToFirst);
  b.output(b.reshape(x, {1, 120}), "y");
  EXPECT_EQ(apply(sink_transposes), 0u);
  EXPECT_THAT(ops(), ElementsAre(Op::TRANSPOSE, Op::RESHAPE));
}

TEST_F(Passes, TransposedMatricesBecomeFlags) {
  const ValueId x = image({2, 3, 4});
  b.output(b.matmul(x, b.transpose(x, {0, 2, 1})), "y");
  EXPECT_EQ(apply(sink_transposes), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::BATCH_MATMUL));
  EXPECT_TRUE(node(0).options->AsBatchMatMulOptions()->adj_y);
}

TEST_F(Passes, ReshapesMerge) {
  const ValueId x = image({2, 3, 4});
  const ValueId twice = b.node(Op::RESHAPE, {b.node(Op::RESHAPE, {x, b.ints({6, 4})}), b.ints({24})});
  b.output(b.unary(Op::RELU, b.node(Op::EXPAND_DIMS, {twice, b.int_scalar(0)})), "y");
  EXPECT_GT(apply(merge_reshapes), 0u);
  EXPECT_THAT(ops(), ElementsAre(Op::RESHAPE, Op::RELU));
}

TEST_F(Passes, ReshapesMergeAroundOneOpenSize) {
  const ValueId x = b.input("x", DType::kFloat32, {-1, 1, 6, 1});
  const ValueId y = b.reshape(b.transpose(b.reshape(b.reshape(x, {-1, 6}), {-1, 1, 1, 6}), {0, 1, 3, 2}), {-1, 3, 2});
  b.output(b.unary(Op::TANH, y), "y");
  EXPECT_EQ(apply(transposes_to_reshapes), 1u);
  while (apply(merge_reshapes) > 0) continue;
  EXPECT_THAT(ops(), ElementsAre(Op::RESHAPE, Op::TANH));
}

TEST_F(Passes, TransposesOfOnesAreReshapes) {
  b.output(b.transpose(image({1, 1, 5, 4}), {0, 2, 3, 1}), "y");
  EXPECT_EQ(apply(transposes_to_reshapes), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::RESHAPE));
}

TEST_F(Passes, BatchNormsGoIntoTheConvolutionBefore) {
  const ValueId y = b.conv2d(image(), numbers({8, 3, 3, 4}, 1), numbers({8}, 2), {.same = true});
  b.output(b.add(b.mul(y, numbers({8}, 3)), numbers({1, 1, 1, 8}, 4)), "y");
  EXPECT_EQ(apply(fuse_scale_and_bias), 2u);
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D));
}

TEST_F(Passes, BatchNormsGoIntoDepthwiseAndFullyConnected) {
  const ValueId depth = b.depthwise(image(), numbers({1, 3, 3, 8}, 1), kNoValue, {.same = true});
  const ValueId normed = b.sub(b.mul(depth, numbers({8}, 2)), numbers({8}, 3));
  const ValueId flat = b.reshape(b.reduce(Op::MEAN, normed, {1, 2}, false), {1, 8});
  b.output(b.add(b.fully_connected(flat, numbers({5, 8}, 4), kNoValue), numbers({5}, 5)), "y");
  EXPECT_EQ(apply(fuse_scale_and_bias), 3u);
  EXPECT_THAT(ops(), ElementsAre(Op::DEPTHWISE_CONV_2D, Op::MEAN, Op::FULLY_CONNECTED));
}

TEST_F(Passes, ScalesGoIntoTheConvolutionBehind) {
  const ValueId scaled = b.mul(image(), numbers({4}, 1));
  b.output(b.conv2d(scaled, numbers({8, 3, 3, 4}, 2), kNoValue, {.same = true}), "y");
  EXPECT_EQ(apply(fuse_scale_and_bias), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D));
}

TEST_F(Passes, ScalesStayWhereAnotherReadsThem) {
  const ValueId y = b.conv2d(image(), numbers({4, 3, 3, 4}, 1), kNoValue, {.same = true});
  b.output(b.add(b.mul(y, numbers({4}, 2)), y), "y");
  EXPECT_EQ(apply(fuse_scale_and_bias), 0u);
}

TEST_F(Passes, ActivationsGoIntoWhatTheyRead) {
  const ValueId y = b.conv2d(image(), numbers({8, 3, 3, 4}, 1), kNoValue, {.same = true});
  const ValueId sum = b.add(b.unary(Op::RELU6, y), b.scalar(0.5, DType::kFloat32));
  b.output(b.unary(Op::RELU, sum), "y");
  EXPECT_EQ(apply(fuse_activations), 2u);
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D, Op::ADD));
  EXPECT_EQ(activation_of(node(0)), tflite::ActivationFunctionType::RELU6);
  EXPECT_EQ(activation_of(node(1)), tflite::ActivationFunctionType::RELU);
}

TEST_F(Passes, PaddingBecomesSameWhereItIs) {
  const ValueId x = image({1, 8, 8, 4});
  const ValueId even = b.conv2d(b.pad(x, {{{0, 0}, {1, 1}, {1, 1}, {0, 0}}}), numbers({4, 3, 3, 4}, 1), kNoValue, {});
  const ValueId odd = b.conv2d(b.pad(even, {{{0, 0}, {1, 1}, {1, 1}, {0, 0}}}), numbers({4, 3, 3, 4}, 2), kNoValue,
                               {.stride_h = 2, .stride_w = 2});
  b.output(odd, "y");
  EXPECT_EQ(apply(fuse_padding), 1u);  // SAME at stride 2 would pad behind only
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D, Op::PAD, Op::CONV_2D));
}

TEST_F(Passes, EqualOperatorsMerge) {
  const ValueId x = image();
  const ValueId a = b.leaky_relu(x, 0.1f), c = b.leaky_relu(x, 0.1f), d = b.leaky_relu(x, 0.2f);
  b.output(b.add(b.mul(a, c), d), "y");
  EXPECT_EQ(apply(merge_equal_nodes), 1u);
  EXPECT_EQ(count(Op::LEAKY_RELU), 2);
}

TEST_F(Passes, ArithmeticWithConstantsIsSimplified) {
  const ValueId x = image();
  const auto number = [&](double v) { return b.scalar(v, DType::kFloat32); };
  const ValueId twice = b.mul(b.mul(b.add(x, number(0)), number(3)), number(0.5));
  b.output(b.div(twice, number(4)), "y");
  apply(fold_arithmetic);
  while (fold_arithmetic(model_, model_.main()).value() > 0) {
  }
  remove_dead_nodes(model_, model_.main()).value();
  EXPECT_THAT(ops(), ElementsAre(Op::MUL));
}

TEST_F(Passes, ZerosAndOnesOfAnyShapeAreLeftOut) {
  const ValueId zeros = b.floats({0, 0, 0, 0}), ones = b.floats({1, 1, 1, 1});
  b.output(b.unary(Op::TANH, b.add(zeros, b.div(b.mul(b.sub(image(), zeros), ones), ones))), "y");
  EXPECT_EQ(apply(fold_arithmetic), 4u);
  EXPECT_THAT(ops(), ElementsAre(Op::TANH));
}

TEST_F(Passes, ConstantsStayApartWhereOneCannotSayWhatTwoDo) {
  const auto number = [&](float v) { return b.scalar(v, DType::kFloat32); };
  const ValueId x = image();
  const ValueId cancels = b.sub(b.add(x, number(1e9f)), number(1e9f)),
                sum = b.add(b.add(x, number(1e9f)), number(-1e9f));
  const ValueId vanishes = b.mul(b.mul(x, number(1e-30f)), number(1e-30f));
  const ValueId overflows = b.mul(b.mul(b.unary(Op::RELU, x), number(1e30f)), number(1e30f));
  b.output(b.concat({cancels, sum, vanishes, overflows}, 3), "y");
  EXPECT_TRUE(fold_arithmetic(model_, model_.main()));
  EXPECT_EQ(count(Op::ADD) + count(Op::SUB), 4);
  EXPECT_EQ(count(Op::MUL), 4);  // zeros stay zeros, and would be no numbers times infinity
}

TEST_F(Passes, AdditionsOfNegatedValuesAreSubtractions) {
  const ValueId x = image(), y = b.unary(Op::TANH, x), c = numbers({4}, 1);
  const ValueId plain = b.add(y, b.unary(Op::NEG, x));
  b.output(b.add(b.add(b.mul(b.unary(Op::NEG, y), plain), c), plain), "y");
  EXPECT_EQ(apply(fold_arithmetic), 2u);
  EXPECT_THAT(ops(), ElementsAre(Op::TANH, Op::SUB, Op::MUL, Op::SUB, Op::ADD));
}

TEST_F(Passes, NegationsGoIntoWeights) {
  const ValueId x = image();
  const ValueId y = b.conv2d(x, numbers({3, 1, 1, 4}, 1), numbers({3}, 2), {});
  b.output(b.unary(Op::RELU, b.unary(Op::NEG, y)), "y");
  EXPECT_EQ(apply(fuse_scale_and_bias), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D, Op::RELU));
}

TEST_F(Passes, HardSwishOfARoundedSixthIsNotOne) {
  const auto number = [&](float v) { return b.scalar(v, DType::kFloat32); };
  const ValueId x = image();
  b.output(b.mul(b.mul(x, b.unary(Op::RELU6, b.add(x, number(3)))), number(0.16666f)), "y");
  EXPECT_EQ(apply(recompose_activations), 0u);
}

TEST_F(Passes, HardSwishIsPutTogether) {
  const ValueId x = image();
  const auto number = [&](double v) { return b.scalar(v, DType::kFloat32); };
  const ValueId gate = b.mul(b.unary(Op::RELU6, b.add(x, number(3))), number(1.0 / 6));
  b.output(b.mul(x, gate), "y");
  EXPECT_EQ(apply(recompose_activations), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::HARD_SWISH));
}

TEST_F(Passes, GeluByTanhIsPutTogether) {
  const ValueId x = image();
  const auto number = [&](double v) { return b.scalar(v, DType::kFloat32); };
  const ValueId cube = b.mul(b.mul(x, x), x);
  const ValueId inner = b.mul(b.add(x, b.mul(cube, number(0.044715))), number(0.7978845608));
  b.output(b.mul(b.mul(x, number(0.5)), b.add(b.unary(Op::TANH, inner), number(1))), "y");
  EXPECT_EQ(apply(recompose_activations), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::GELU));
}

// The model holds an operator that no runtime knows, so the numbers are compared with std::erf.
TEST_F(Passes, GeluByErfIsPutTogether) {
  const ValueId x = image();
  const auto number = [&](double v) { return b.scalar(v, DType::kFloat32); };
  const ValueId bracket = b.add(b.erf(b.div(x, number(std::sqrt(2.0)))), number(1));
  b.output(b.mul(b.mul(x, bracket), number(0.5)), "y");
  ASSERT_TRUE(b.finish());
  EXPECT_EQ(recompose_activations(model_, model_.main()).value(), 1u);
  remove_dead_nodes(model_, model_.main()).value();
  EXPECT_THAT(ops(), ElementsAre(Op::GELU));
}

TEST_F(Passes, ErrorFunctionsAloneAreApproximated) {
  b.output(b.erf(image()), "y");
  ASSERT_TRUE(b.finish());
  EXPECT_EQ(lower_erf(model_, model_.main()).value(), 1u);
  const auto values = fewbits::testing::some_floats(120, 9);
  const std::vector<float> got = run(model_);
  ASSERT_EQ(got.size(), values.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], std::erf(values[i]), 1e-6);
}

TEST_F(Passes, ChannelShufflesBecomeOneGather) {
  const ValueId x = image({1, 6, 3, 2});  // here: channels in the middle
  const ValueId grouped = b.transpose(b.reshape(x, {1, 2, 3, 3, 2}), {0, 2, 1, 3, 4});
  b.output(b.node(Op::RESHAPE, {grouped, b.ints({1, 6, 3, 2})}), "y");
  EXPECT_EQ(apply(collapse_movement), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::GATHER));
}

TEST_F(Passes, FlattenedImagesReorderTheWeights) {
  const ValueId first = b.transpose(image(), kToFirst);
  b.output(b.fully_connected(b.reshape(first, {1, 120}), numbers({7, 120}, 1), numbers({7}, 2)), "y");
  EXPECT_EQ(apply(fold_into_products), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::RESHAPE, Op::FULLY_CONNECTED));
}

TEST_F(Passes, ProductsKeepTheDimensionsThatWereJoined) {
  const ValueId x = b.input("x", DType::kFloat32, {-1, 5, 4});
  const ValueId y = b.fully_connected(b.reshape(x, {-1, 4}), numbers({3, 4}, 1), numbers({3}, 2));
  b.output(b.unary(Op::TANH, b.reshape(y, {-1, 5, 3})), "y");
  EXPECT_EQ(apply(fold_into_products), 1u);
  while (apply(merge_reshapes) > 0) continue;
  EXPECT_THAT(ops(), ElementsAre(Op::FULLY_CONNECTED, Op::TANH));
}

TEST_F(Passes, PickedChannelsReorderTheFilters) {
  const ValueId y = b.conv2d(image(), numbers({4, 1, 1, 4}, 1), numbers({4}, 2), {});
  b.output(b.gather(y, b.ints({2, 0, 3}), 3), "y");
  EXPECT_EQ(apply(fold_into_products), 1u);
  EXPECT_THAT(ops(), ElementsAre(Op::CONV_2D));
}

// What ONNX Runtime's quantizer writes, with bytes from 0 to 255: one integer product, its weights the integers they were.
TEST_F(Passes, QuantizedModelsBecomeIntegers) {
  const auto bytes = [](float scale, int64_t zero) { return QuantParams{.scale = {scale}, .zero_point = {zero}}; };
  const ValueId x = b.dequantize(b.quantize(b.input("x", DType::kFloat32, {2, 4}), DType::kUInt8, bytes(0.01f, 128)));
  const ValueId weights =
      b.constant(std::vector<float>{0.5f, -0.25f, 0, 1, 1, 0.75f, -1, 0.25f}, DType::kFloat32, {2, 4});
  b.set_origin(weights, {.scale = {0.25f, 0.25f}, .zero_point = {0, 0}, .axis = 0});
  const ValueId y = b.fully_connected(x, weights, b.floats({0.5f, -0.5f}));
  b.output(b.dequantize(b.quantize(y, DType::kUInt8, bytes(0.0213f, 100))), "y");
  EXPECT_GT(apply(integers_from_qdq), 0u);
  EXPECT_THAT(ops(), ElementsAre(Op::QUANTIZE, Op::FULLY_CONNECTED, Op::DEQUANTIZE));
  const Graph& g = model_.main();
  EXPECT_THAT(g.value(node(1).inputs[1]).data.as<int8_t>(), ElementsAre(2, -1, 0, 4, 4, 3, -4, 1));
  EXPECT_THAT(g.value(node(1).inputs[2]).data.as<int32_t>(), ElementsAre(200, -200));
  EXPECT_EQ(g.value(node(1).outputs[0]).dtype, DType::kInt8);
  EXPECT_EQ(g.value(node(1).outputs[0]).quant.zero(), -28);
}

TEST_F(Passes, BytesMoveAndJoinBetweenTheBorders) {
  const auto params = [](float scale, int64_t zero) {
    QuantParams quant;
    quant.scale = {scale};
    quant.zero_point = {zero};
    return quant;
  };
  const ValueId x = b.dequantize(b.quantize(image(), DType::kInt8, params(0.02f, -3)));
  const ValueId padded = b.pad(x, {{{0, 0}, {1, 1}, {0, 2}, {0, 0}}});
  const ValueId other = b.dequantize(b.quantize(b.unary(Op::RELU, padded), DType::kInt8, params(0.01f, -128)));
  b.output(b.dequantize(b.quantize(b.concat({padded, other}, 3), DType::kInt8, params(0.02f, -3))), "y");
  while (apply(integers_from_qdq) > 0) continue;
  // The bytes that are joined under their own parameters are quantized anew.
  EXPECT_THAT(ops(), ElementsAre(Op::QUANTIZE, Op::PAD, Op::RELU, Op::QUANTIZE, Op::CONCATENATION, Op::DEQUANTIZE));
}

TEST_F(Passes, DeadOperatorsGo) {
  const ValueId x = image();
  b.unary(Op::TANH, b.unary(Op::RELU, x));
  b.output(b.unary(Op::LOGISTIC, x), "y");
  EXPECT_EQ(apply(remove_dead_nodes), 2u);
  EXPECT_THAT(ops(), ElementsAre(Op::LOGISTIC));
}

// conv, relu, pool and a residual in channels-first form, as importers write them.
TEST_F(Passes, ChannelsFirstNetworksBecomeChannelsLastThroughout) {
  const auto conv = [&](ValueId x, int32_t out, uint32_t seed) {
    return b.transpose(b.conv2d(b.transpose(x, kToLast), numbers({out, 3, 3, 4}, seed), kNoValue, {.same = true}),
                       kToFirst);
  };
  const ValueId x = b.input("x", DType::kFloat32, {1, 4, 6, 6});
  const ValueId normal = b.mul(b.sub(x, numbers({4, 1, 1}, 7)), numbers({1, 4, 1, 1}, 8));
  const ValueId first = b.unary(Op::RELU, conv(normal, 4, 1));
  const ValueId sum = b.add(conv(first, 4, 2), normal);
  const ValueId gate = b.unary(Op::LOGISTIC, b.reduce(Op::MEAN, sum, {2, 3}, true));
  b.output(b.mul(sum, gate), "y");
  ASSERT_TRUE(b.finish());
  Model kept = model_;
  ASSERT_TRUE(run_pipeline(kept, {.keep_layout = true}));
  const std::vector<float> want = run(model_);
  expect_same(want, run(kept));
  ASSERT_TRUE(run_pipeline(model_, {}));
  ASSERT_TRUE(verify(model_));
  EXPECT_EQ(count(Op::TRANSPOSE), 0);
  EXPECT_EQ(model_.main().value(model_.main().inputs[0]).shape, (Shape{1, 6, 6, 4}));
  EXPECT_EQ(model_.main().value(model_.main().inputs[0]).name, "x");
  EXPECT_EQ(model_.main().value(model_.main().outputs[0]).shape, (Shape{1, 6, 6, 4}));
  EXPECT_EQ(model_.main().value(model_.main().outputs[0]).name, "y");
}

// An input that only a reshape reads gains nothing from another layout.
TEST_F(Passes, LayoutsStayWhereNothingCancels) {
  const ValueId x = b.input("x", DType::kFloat32, {1, 4, 6, 6});
  b.output(b.reshape(b.unary(Op::RELU, x), {1, 144}), "y");
  ASSERT_TRUE(b.finish());
  ASSERT_TRUE(run_pipeline(model_, {}));
  EXPECT_THAT(ops(), ElementsAre(Op::RELU, Op::RESHAPE));
  EXPECT_EQ(model_.main().value(model_.main().inputs[0]).shape, (Shape{1, 4, 6, 6}));
}

}  // namespace
}  // namespace fewbits::passes
