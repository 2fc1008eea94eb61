// The modes on a small network: what becomes of each operator, parameters that LiteRT demands, errors that name things.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "quantize/quantize.h"
#include "quantize/select.h"
#include "support/small_models.h"

namespace fewbits::quantize {
namespace {

using fewbits::testing::add_node;
using fewbits::testing::add_value;
using fewbits::testing::small_network;

// Ranges as calibration would give them, [-2, 2] for all but what `unseen` names.
Statistics some_statistics(const Model& model, const std::string& unseen = {}) {
  Statistics statistics;
  statistics.fingerprint = model_fingerprint(model);
  statistics.samples = 1;
  for (size_t g = 0; g < model.graphs.size(); ++g) {
    for (size_t i = 0; i < model.graphs[g].value_count(); ++i) {
      const Value& value = model.graphs[g].value(static_cast<ValueId>(i));
      if (value.is_const || value.dtype != DType::kFloat32 || value.name == unseen) continue;
      TensorStats stats;
      stats.name = value.name;
      stats.add(-2.0f, 2.0f);
      statistics.tensors[{static_cast<int32_t>(g), static_cast<ValueId>(i)}] = stats;
    }
  }
  return statistics;
}

Result<Quantized> quantize_as(const Model& model, Mode mode, Options options = {}, const std::string& unseen = {}) {
  options.mode = mode;
  const Statistics statistics = some_statistics(model, unseen);
  return quantize(model, options, &statistics);
}

std::vector<std::string> types(const Graph& graph) {
  std::vector<std::string> list;
  for (NodeId id : graph.order()) list.push_back(graph.node(id).type_name());
  return list;
}

const Node& only(const Graph& graph, Op op) {
  for (NodeId id : graph.order()) {
    if (graph.node(id).op == op) return graph.node(id);
  }
  static const Node none;
  ADD_FAILURE() << "no " << op_name(op);
  return none;
}

TEST(Int8, FloatInputsAndOutputsAreConvertedAtTheBorders) {
  const auto out = quantize_as(small_network(), Mode::kInt8);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  EXPECT_EQ(types(g), (std::vector<std::string>{"QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE",
                                                "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE"}));
  EXPECT_EQ(g.value(g.inputs[0]).dtype, DType::kFloat32);
  EXPECT_EQ(g.value(g.outputs[0]).dtype, DType::kFloat32);
  EXPECT_EQ(g.value(g.outputs[0]).name, "probabilities");
  for (const Decision& decision : out->decisions) EXPECT_EQ(decision.treatment, Treatment::kInteger) << decision.reason;
}

TEST(Int8, ParametersFollowTheRules) {
  const auto out = quantize_as(small_network(), Mode::kInt8Only);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  EXPECT_EQ(types(g),
            (std::vector<std::string>{"CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"}));
  EXPECT_EQ(g.value(g.inputs[0]).dtype, DType::kInt8);
  EXPECT_EQ(g.value(g.inputs[0]).name, "input");
  const Node& conv = only(g, Op::CONV_2D);
  const Value &filter = g.value(conv.inputs[1]), &bias = g.value(conv.inputs[2]), &input = g.value(conv.inputs[0]);
  EXPECT_EQ(filter.dtype, DType::kInt8);
  EXPECT_EQ(filter.quant.axis, 0);
  ASSERT_EQ(filter.quant.scale.size(), 8u);
  EXPECT_EQ(bias.dtype, DType::kInt32);
  for (size_t c = 0; c < 8; ++c) EXPECT_FLOAT_EQ(bias.quant.scale[c], input.quant.scale[0] * filter.quant.scale[c]);
  EXPECT_EQ(conv.version, 3);
  const Node& depthwise = only(g, Op::DEPTHWISE_CONV_2D);
  EXPECT_EQ(g.value(depthwise.inputs[1]).quant.axis, 3);
  EXPECT_EQ(depthwise.version, 3);
  const Node& reshape = only(g, Op::RESHAPE);
  EXPECT_EQ(g.value(reshape.inputs[0]).quant.scale, g.value(reshape.outputs[0]).quant.scale);
  const Value& softmax = g.value(only(g, Op::SOFTMAX).outputs[0]);
  EXPECT_EQ(softmax.quant.scale[0], 1.0f / 256);
  EXPECT_EQ(softmax.quant.zero(), -128);
}

// The network's FULLY_CONNECTED with this bias (empty: none), quantized with channel means of 1 for its input: the shift that the
// rounding of its weights causes is the sum of each row's errors.
void expect_bias_takes_back_the_shift(const std::vector<float>& bias) {
  Model model = small_network();
  Graph& graph = model.graphs[0];
  Node& source = graph.node(graph.order()[3]);
  ASSERT_EQ(source.op, Op::FULLY_CONNECTED);
  if (!bias.empty()) source.inputs[2] = fewbits::testing::add_floats(graph, "fc/b", {5}, bias);
  Statistics statistics = some_statistics(model);
  const auto depth = static_cast<size_t>(graph.value(source.inputs[0]).shape.back());
  statistics.tensors[{0, source.inputs[0]}].add_means(std::vector<double>(depth, 1.0));
  const auto out = quantize(model, {}, &statistics);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  const Node& made = only(g, Op::FULLY_CONNECTED);
  ASSERT_EQ(made.inputs.size(), 3u);
  ASSERT_NE(made.inputs[2], kNoValue);
  const Value &weights = g.value(made.inputs[1]), &integers = g.value(made.inputs[2]);
  EXPECT_EQ(integers.dtype, DType::kInt32);
  const auto floats = graph.value(source.inputs[1]).data.as<float>();
  double most = 0;
  for (size_t o = 0; o < 5; ++o) {
    double shift = 0;
    for (size_t c = 0; c < depth; ++c) {
      shift += double{weights.quant.scale[o]} * weights.data.as<int8_t>()[o * depth + c] - floats[o * depth + c];
    }
    const double expected = (bias.empty() ? 0 : bias[o]) - shift, step = integers.quant.scale[o];
    EXPECT_NEAR(integers.data.as<int32_t>()[o] * step, expected, 0.51 * step);
    most = std::max(most, std::abs(shift) / step);
  }
  EXPECT_GT(most, 1);  // or this test shows nothing
}

TEST(Int8, BiasesTakeBackTheShiftOfRoundedWeights) { expect_bias_takes_back_the_shift({1, 2, 3, 4, 5}); }

TEST(Int8, AnOperatorWithoutABiasGetsOneToTakeBackTheShift) { expect_bias_takes_back_the_shift({}); }

TEST(Int8, BiasesStayWithoutCorrection) {
  Model model = small_network();
  Statistics statistics = some_statistics(model);
  const Node& source = only(model.main(), Op::FULLY_CONNECTED);
  statistics.tensors[{0, source.inputs[0]}].add_means(std::vector<double>(128, 1.0));
  Options options;
  options.correct_bias = false;
  const auto out = quantize(model, options, &statistics);
  ASSERT_TRUE(out);
  EXPECT_EQ(only(out->model.main(), Op::FULLY_CONNECTED).inputs.at(2), kNoValue);
}

TEST(Int8, RangesEndWhereReadersSeeNoFurther) {
  const Model model = small_network();
  Statistics statistics = some_statistics(model);
  const ValueId logits = only(model.main(), Op::SOFTMAX).inputs[0];
  TensorStats& stats = statistics.tensors[{0, logits}];
  stats.add(-20, 10);
  stats.least_top = 5;
  const auto scale = [&](Mode mode, bool cut) {
    Options options;
    options.mode = mode;
    options.cut_ranges = cut;
    const auto out = quantize(model, options, &statistics);
    EXPECT_TRUE(out) << out.error().message;
    const Graph& g = out->model.main();
    return g.value(only(g, Op::SOFTMAX).inputs[0]).quant.scale.at(0);
  };
  // Five classes; an eighth of a step of 1 / 256. One step more at the lower end.
  const double low = 5 - std::log(5 * 8 * 256.0);
  EXPECT_NEAR(scale(Mode::kInt8, true), (10 - low) / 254, 1e-5);
  EXPECT_NEAR(scale(Mode::kInt8Only, true), (10 - low) / 254, 1e-5);
  EXPECT_FLOAT_EQ(scale(Mode::kInt8, false), 30.0f / 255);
  EXPECT_FLOAT_EQ(scale(Mode::kInt16x8, true), 20.0f / 32767);
}

TEST(Int8, Uint8InterfaceIsTheInt8OneShifted) {
  Options options;
  options.input_type = DType::kUInt8;
  options.output_type = DType::kUInt8;
  const auto out = quantize_as(small_network(), Mode::kInt8Only, options);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  EXPECT_EQ(types(g).front(), "QUANTIZE");
  EXPECT_EQ(types(g).back(), "QUANTIZE");
  const Value& outer = g.value(g.inputs[0]);
  const Value& inner = g.value(only(g, Op::CONV_2D).inputs[0]);
  EXPECT_EQ(outer.dtype, DType::kUInt8);
  EXPECT_EQ(outer.quant.scale, inner.quant.scale);
  EXPECT_EQ(outer.quant.zero(), inner.quant.zero() + 128);
  EXPECT_EQ(out->model.signatures[0].inputs[0].value, g.inputs[0]);
  EXPECT_EQ(out->model.signatures[0].outputs[0].value, g.outputs[0]);
}

TEST(Int8, PerTensorOnRequest) {
  Options options;
  options.per_channel = false;
  const auto out = quantize_as(small_network(), Mode::kInt8, options);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->model.main().value(only(out->model.main(), Op::CONV_2D).inputs[1]).quant.scale.size(), 1u);
}

TEST(Int8, ExcludedOperatorsStayFloatWithTheReason) {
  Options options;
  options.exclude = {"dw"};
  const auto out = quantize_as(small_network(), Mode::kInt8, options);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(types(out->model.main()),
            (std::vector<std::string>{"QUANTIZE", "CONV_2D", "DEQUANTIZE", "DEPTHWISE_CONV_2D", "QUANTIZE", "RESHAPE",
                                      "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE"}));
  const auto depthwise = std::find_if(out->decisions.begin(), out->decisions.end(),
                                      [](const Decision& d) { return d.type == "DEPTHWISE_CONV_2D"; });
  EXPECT_EQ(depthwise->treatment, Treatment::kFloat);
  EXPECT_EQ(depthwise->reason, "excluded by 'dw'");
}

// LiteRT's kernels abort the process beyond these ratios of scales, which a subtraction of near-equal values meets.
void expect_refused(Op op, Mode mode, float most, float least, bool refused) {
  SCOPED_TRACE(fmt::format("{} {} to {}", op_name(op), most, least));
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId a = add_value(g, "a", {1, 4}), b = add_value(g, "b", {1, 4}), y = add_value(g, "y", {1, 4});
  g.inputs = {a, b};
  g.outputs = {y};
  add_node(g, op, {a, b}, {y});
  Statistics statistics = some_statistics(model);
  for (auto& [place, stats] : statistics.tensors) {
    stats = TensorStats();
    const float range = place.second == y ? least : most;
    stats.name = g.value(place.second).name;
    stats.add(-range, range);
  }
  Options options;
  options.mode = mode;
  const auto out = quantize(model, options, &statistics);
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_EQ(out->decisions.size(), 1u);
  EXPECT_EQ(out->decisions[0].treatment == Treatment::kFloat, refused);
  EXPECT_EQ(out->decisions[0].reason.find("too far below") != std::string::npos, refused) << out->decisions[0].reason;
}

TEST(Int8, ResultsFarBelowTheirOperandsStayFloat) {
  for (Op op : {Op::ADD, Op::SUB}) {
    expect_refused(op, Mode::kInt8, 1.0f, std::exp2(-18.0f), false);
    expect_refused(op, Mode::kInt8, 1.0f, std::exp2(-19.01f), true);
    expect_refused(op, Mode::kInt16x8, 1.0f, std::exp2(-13.0f), false);
    expect_refused(op, Mode::kInt16x8, 1.0f, std::exp2(-14.01f), true);
  }
  // The result's scale against the square of the operands': 2 / 255 here.
  expect_refused(Op::SQUARED_DIFFERENCE, Mode::kInt8, 1.0f, std::exp2(-18.0f), false);
  expect_refused(Op::SQUARED_DIFFERENCE, Mode::kInt8, 1.0f, std::exp2(-20.0f), true);
  expect_refused(Op::MUL, Mode::kInt8, 1.0f, std::exp2(-20.0f), false);
}

TEST(Int8Only, ListsEveryOffenderAtOnce) {
  Model model = small_network();
  Graph& g = model.main();
  const ValueId sine = add_value(g, "sine", {1, 5}), cosine = add_value(g, "cosine", {1, 5});
  add_node(g, Op::SIN, {g.outputs[0]}, {sine});
  add_node(g, Op::COS, {sine}, {cosine});
  g.outputs = {cosine};
  model.signatures[0].outputs[0].value = cosine;
  const auto out = quantize_as(model, Mode::kInt8Only);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, ErrorCode::kUnsupported);
  for (const char* text : {"2 operators", "SIN", "'sine'", "COS", "'cosine'"}) {
    EXPECT_NE(out.error().message.find(text), std::string::npos) << out.error().message;
  }
}

TEST(Int8, ATensorThatNoSampleReachedStaysFloat) {
  const auto out = quantize_as(small_network(), Mode::kInt8, {}, "dw");
  ASSERT_TRUE(out) << out.error().message;
  bool named = false;
  for (const Decision& decision : out->decisions) named |= decision.reason == "'dw' was never seen in calibration";
  EXPECT_TRUE(named);
}

TEST(Int8, FixedScalesDoNotClipTheirNeighboursInAConcatenation) {
  Model model = small_network();
  Graph& g = model.main();
  const ValueId logits = g.node(g.order()[3]).outputs[0], joined = add_value(g, "joined", {1, 10});
  tflite::ConcatenationOptionsT options;
  options.axis = 1;
  add_node(g, Op::CONCATENATION, {g.outputs[0], logits}, {joined}, options);
  g.outputs = {joined};
  model.signatures[0].outputs[0].value = joined;
  const auto out = quantize_as(model, Mode::kInt8);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& q = out->model.main();
  const Node& concat = only(q, Op::CONCATENATION);
  const QuantParams& result = q.value(concat.outputs[0]).quant;
  EXPECT_GT(result.scale[0], 3.9f / 255);  // [-2, 2], not softmax's [0, 1]
  for (ValueId input : concat.inputs) {
    EXPECT_EQ(q.value(input).quant.scale, result.scale);
    EXPECT_EQ(q.value(input).quant.zero(), result.zero());
  }
  EXPECT_EQ(q.value(only(q, Op::SOFTMAX).outputs[0]).quant.scale[0], 1.0f / 256);
}

TEST(Int16x8, BiasesAreInt64) {
  const auto out = quantize_as(small_network(), Mode::kInt16x8);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  const Node& conv = only(g, Op::CONV_2D);
  EXPECT_EQ(g.value(conv.inputs[0]).dtype, DType::kInt16);
  EXPECT_EQ(g.value(conv.inputs[0]).quant.zero(), 0);
  EXPECT_EQ(g.value(conv.inputs[1]).dtype, DType::kInt8);
  EXPECT_EQ(g.value(conv.inputs[2]).dtype, DType::kInt64);
  EXPECT_EQ(conv.version, 4);
}

TEST(WeightsMode, OnlyLargeConstants) {
  Options options;
  options.min_elements = 200;
  const auto out = quantize_as(small_network(), Mode::kWeights, options);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  EXPECT_EQ(g.value(only(g, Op::CONV_2D).inputs[1]).dtype, DType::kInt8);
  EXPECT_EQ(g.value(only(g, Op::CONV_2D).inputs[2]).dtype, DType::kFloat32);
  EXPECT_EQ(g.value(only(g, Op::DEPTHWISE_CONV_2D).inputs[1]).dtype, DType::kFloat32);
  const Node& dense = only(g, Op::FULLY_CONNECTED);
  EXPECT_EQ(g.value(dense.inputs[1]).dtype, DType::kInt8);
  EXPECT_TRUE(dense.options->AsFullyConnectedOptions()->asymmetric_quantize_inputs);
  EXPECT_EQ(only(g, Op::CONV_2D).version, 5);
}

const tflite::BlockwiseQuantizationT* blocks_of(const Value& value) {
  return value.quant.details == nullptr ? nullptr : value.quant.details->AsBlockwiseQuantization();
}

TEST(WeightsMode, Int4InBlocksForFullyConnectedAndInt8ForTheRest) {
  Options options;
  options.min_elements = 200;
  options.weight_type = DType::kInt4;
  options.block_size = 64;
  const auto out = quantize_as(small_network(), Mode::kWeights, options);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  const Node& dense = only(g, Op::FULLY_CONNECTED);
  const Value& weights = g.value(dense.inputs[1]);
  EXPECT_EQ(weights.dtype, DType::kInt4);
  EXPECT_EQ(weights.data.bytes().size(), 320u);
  const auto* blocks = blocks_of(weights);
  ASSERT_NE(blocks, nullptr);
  EXPECT_EQ(blocks->block_size, 64);
  EXPECT_EQ(blocks->zero_points, -1);
  const Value& scales = g.value(blocks->scales);
  EXPECT_EQ(scales.dtype, DType::kFloat16);
  EXPECT_EQ(scales.shape, (Shape{5, 2}));
  EXPECT_EQ(dense.version, 12);
  EXPECT_EQ(g.value(only(g, Op::CONV_2D).inputs[1]).dtype, DType::kInt8);
  EXPECT_EQ(out->decisions[0].reason, "only FULLY_CONNECTED has int4 weights: its own are int8");
  EXPECT_EQ(out->decisions[3].treatment, Treatment::kHybrid);
  EXPECT_EQ(out->decisions[3].reason, "");
}

TEST(WeightsMode, BlocksThatDoNotFitLeaveInt8) {
  Options options;
  options.min_elements = 0;
  options.weight_type = DType::kInt4;
  options.block_size = 96;
  const auto out = quantize_as(small_network(), Mode::kWeights, options);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  EXPECT_EQ(g.value(only(g, Op::FULLY_CONNECTED).inputs[1]).dtype, DType::kInt8);
  EXPECT_EQ(out->decisions[3].reason, "blocks of 96 do not divide its 128 inputs: its weights are int8");
}

TEST(WeightsMode, Int4WithAScaleAChannel) {
  Options options;
  options.min_elements = 200;
  options.weight_type = DType::kInt4;
  options.block_size = 0;
  for (const auto& [per_channel, scales, version] : {std::tuple{true, 5u, 12}, std::tuple{false, 1u, 10}}) {
    options.per_channel = per_channel;
    const auto out = quantize_as(small_network(), Mode::kWeights, options);
    ASSERT_TRUE(out) << out.error().message;
    const Node& dense = only(out->model.main(), Op::FULLY_CONNECTED);
    const Value& weights = out->model.main().value(dense.inputs[1]);
    EXPECT_EQ(weights.dtype, DType::kInt4);
    EXPECT_EQ(weights.quant.scale.size(), scales);
    EXPECT_EQ(weights.quant.details, nullptr);
    EXPECT_EQ(dense.version, version);
  }
}

TEST(WeightsMode, OnlyInt8AndInt4AndTheirBlocks) {
  const auto message = [](Mode mode, DType type, size_t block) {
    Options options;
    options.weight_type = type;
    options.block_size = block;
    const auto out = quantize_as(small_network(), mode, options);
    return out ? std::string() : out.error().message;
  };
  EXPECT_EQ(message(Mode::kWeights, DType::kInt2, 32), "weights can be int8 or int4, not int2");
  EXPECT_EQ(message(Mode::kInt8, DType::kInt4, 32), "mode int8 has int8 weights; int4 ones need mode weights");
  EXPECT_EQ(message(Mode::kWeights, DType::kInt4, 48),
            "blocks of int4 weights are a multiple of 32 inputs, or 0: not 48");
}

TEST(WeightsMode, TablesAreLookedUpInInt8) {
  Model model;
  model.graphs.resize(1);
  Graph& g = model.main();
  const ValueId ids = add_value(g, "ids", {4}, DType::kInt32), out = add_value(g, "out", {4, 8});
  const ValueId table = fewbits::testing::add_floats(g, "table", {200, 8}, fewbits::testing::some_floats(1600));
  add_node(g, Op::GATHER, {table, ids}, {out}, tflite::GatherOptionsT());
  g.inputs = {ids};
  g.outputs = {out};
  const auto quantized = quantize_as(model, Mode::kWeights);
  ASSERT_TRUE(quantized) << quantized.error().message;
  const Graph& q = quantized->model.main();
  EXPECT_EQ(types(q), (std::vector<std::string>{"GATHER", "DEQUANTIZE"}));
  EXPECT_EQ(q.value(only(q, Op::GATHER).inputs[0]).dtype, DType::kInt8);
  EXPECT_EQ(q.value(q.outputs[0]).name, "out");
}

TEST(Float16, EveryConstantThroughDequantize) {
  const auto out = quantize_as(small_network(), Mode::kFloat16);
  ASSERT_TRUE(out) << out.error().message;
  const Graph& g = out->model.main();
  const auto list = types(g);
  EXPECT_EQ(std::count(list.begin(), list.end(), "DEQUANTIZE"), 5);
  size_t halves = 0;
  for (NodeId id : g.order()) halves += g.value(g.node(id).inputs[0]).dtype == DType::kFloat16;
  EXPECT_EQ(halves, 5u);
}

TEST(Quantize, RefusesWhatDoesNotFit) {
  Options options;
  options.mode = Mode::kInt8;
  const Model model = small_network();
  EXPECT_FALSE(quantize(model, options, nullptr));
  Statistics other = some_statistics(model);
  other.fingerprint = "0";
  const auto wrong = quantize(model, options, &other);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("another model"), std::string::npos);
  options.mode = Mode::kWeights;
  options.input_type = DType::kInt8;
  EXPECT_FALSE(quantize(model, options));
  EXPECT_FALSE(mode_from_name("int7"));
}

TEST(Select, Globs) {
  EXPECT_TRUE(glob_match("*/w", "conv/w"));
  EXPECT_TRUE(glob_match("c?nv*", "conv/w"));
  EXPECT_FALSE(glob_match("conv", "conv/w"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_FALSE(glob_match("?", ""));
  EXPECT_TRUE(glob_match("*a*b", "xxaxxab"));
}

}  // namespace
}  // namespace fewbits::quantize
