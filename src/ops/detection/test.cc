// Tests of the detection family: suppression by hand, ties, and options of hostile bytes.
#include <flatbuffers/flexbuffers.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/detection/flexbuffer.h"
#include "ops/dynamic_test_args.h"
#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;

// Two unit squares far apart, each with a copy moved by a tenth (overlap 0.9 / 1.1 = 0.818).
const std::vector<float> kBoxes = {0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 5, 5, 6, 6, 5, 5.1f, 6, 6.1f};

OneOp nms(const std::vector<float>& scores, int32_t limit, float iou, float score, bool constant_limit = true) {
  OneOp op(Op::NON_MAX_SUPPRESSION_V4);
  op.input(DType::kFloat32, {static_cast<int32_t>(scores.size()), 4}, kBoxes);
  op.input(DType::kFloat32, {static_cast<int32_t>(scores.size())}, scores);
  if (constant_limit) {
    op.constant(DType::kInt32, {}, std::vector<int32_t>{limit});
  } else {
    op.input(DType::kInt32, {}, std::vector<int32_t>{limit});
  }
  op.input(DType::kFloat32, {}, std::vector<float>{iou}).input(DType::kFloat32, {}, std::vector<float>{score});
  op.output(DType::kInt32).output(DType::kInt32);
  return op;
}

TEST(Nms, KeepsTheBestOfOverlappingBoxes) {
  OneOp op = nms({0.5f, 0.9f, 0.8f, 0.1f}, 4, 0.5f, 0.2f);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<int32_t>(), (std::vector<int32_t>{1, 2, 0, 0})) << "zeros beyond the selected";
  EXPECT_EQ(op.result<int32_t>(1), (std::vector<int32_t>{2}));
}

TEST(Nms, EqualScoresKeepTheirOrderAndNaNIsNeverSelected) {
  OneOp op = nms({0.7f, 0.7f, NAN, 0.7f}, 4, 0.9f, 0.0f);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<int32_t>(), (std::vector<int32_t>{0, 1, 3, 0}));
  EXPECT_EQ(op.result<int32_t>(1), (std::vector<int32_t>{3}));
}

TEST(Nms, SoftSuppressionLowersScores) {
  OneOp op(Op::NON_MAX_SUPPRESSION_V5);
  op.input(DType::kFloat32, {2, 4}, std::vector<float>(kBoxes.begin(), kBoxes.begin() + 8));
  op.input(DType::kFloat32, {2}, std::vector<float>{0.9f, 0.8f}).constant(DType::kInt32, {}, std::vector<int32_t>{2});
  for (float scalar : {1.0f, 0.0f, 0.5f}) op.input(DType::kFloat32, {}, std::vector<float>{scalar});
  op.output(DType::kInt32).output(DType::kFloat32).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  const double iou = 0.9 / 1.1;
  EXPECT_EQ(op.result<int32_t>(), (std::vector<int32_t>{0, 1}));
  EXPECT_NEAR(op.result<float>(1)[1], 0.8 * std::exp(-0.5 / 0.5 * iou * iou), 1e-6);
}

TEST(Nms, ALimitThatIsNotConstantGivesWhatWasSelected) {
  OneOp op = nms({0.5f, 0.9f, 0.8f, 0.1f}, 3, 0.5f, 0.2f, false);
  ASSERT_TRUE(op.prepare());
  EXPECT_TRUE(op.is_dynamic());
  const auto run = [&](int32_t limit) {
    ResourceStore store;
    test::DynamicTestArgs args({test::tensor(DType::kFloat32, {4, 4}, kBoxes),
                                test::tensor(DType::kFloat32, {4}, std::vector<float>{0.5f, 0.9f, 0.8f, 0.1f}),
                                test::tensor(DType::kInt32, {}, std::vector<int32_t>{limit}),
                                test::tensor(DType::kFloat32, {}, std::vector<float>{0.5f}),
                                test::tensor(DType::kFloat32, {}, std::vector<float>{0.2f})},
                               {DType::kInt32, DType::kInt32}, store);
    const Status status = op.prepared().dynamic_kernel->run(args);
    return status ? args.values<int32_t>() : std::vector<int32_t>{-1};
  };
  EXPECT_EQ(run(3), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(run(INT32_MAX), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(run(0), std::vector<int32_t>{});
  EXPECT_EQ(run(-5), (std::vector<int32_t>{-1})) << "refused";
}

TEST(Nms, RefusesALimitBelowZero) { EXPECT_FALSE(nms({0.5f, 0.9f, 0.8f, 0.1f}, -1, 0.5f, 0.2f).infer()); }

std::vector<uint8_t> options(int max_detections, int classes, bool regular, int per_box = 1, float iou = 0.5f) {
  flexbuffers::Builder builder;
  builder.Map([&] {
    builder.Int("max_detections", max_detections);
    builder.Int("max_classes_per_detection", per_box);
    builder.Bool("use_regular_nms", regular);
    builder.Int("num_classes", classes);
    builder.Float("nms_score_threshold", 0.25f);
    builder.Float("nms_iou_threshold", iou);
    for (const char* scale : {"y_scale", "x_scale", "h_scale", "w_scale"}) builder.Float(scale, 1.0f);
  });
  builder.Finish();
  return builder.GetBuffer();
}

// Encodings of 0 are the anchors themselves: unit squares around (0, 0), (0, 0.1) and (5, 5). Column 0 is the
// background.
OneOp postprocess(std::vector<uint8_t> bytes, DType type = DType::kFloat32) {
  OneOp op(Op::CUSTOM);
  op.custom("TFLite_Detection_PostProcess", std::move(bytes));
  const std::vector<float> scores = {0.9f, 0.5f, 0.125f, 0, 0.75f, 0.375f, 0, 0.25f, 0.625f};
  if (type == DType::kFloat32) {
    op.input(DType::kFloat32, {1, 3, 4}, std::vector<float>(12, 0)).input(DType::kFloat32, {1, 3, 3}, scores);
  } else {
    const int zero = type == DType::kUInt8 ? 0 : -128;
    std::vector<uint8_t> bytes_of_scores;
    for (float score : scores) {
      bytes_of_scores.push_back(static_cast<uint8_t>(static_cast<int>(score * 200 + 0.5f) + zero));
    }
    op.input(type, {1, 3, 4}, std::vector<uint8_t>(12, 100), quant({0.1f}, {100}));
    op.input(type, {1, 3, 3}, bytes_of_scores, quant({1.0f / 200}, {zero}));
  }
  op.constant(DType::kFloat32, {3, 4}, std::vector<float>{0, 0, 1, 1, 0, 0.1f, 1, 1, 5, 5, 1, 1});
  for (int i = 0; i < 4; ++i) op.output(DType::kFloat32);
  return op;
}

TEST(Postprocess, FastSuppressesByTheBestClass) {
  for (DType type : {DType::kFloat32, DType::kUInt8, DType::kInt8}) {
    OneOp op = postprocess(options(4, 2, false), type);
    const Status status = op.run();
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(op.result<float>(3), (std::vector<float>{2}));
    EXPECT_EQ(op.result<float>(1), (std::vector<float>{0, 1, 0, 0})) << "class 0 of box 1, class 1 of box 2";
    EXPECT_NEAR(op.result<float>(2)[0], 0.75f, 1e-6f);
    EXPECT_NEAR(op.result<float>(2)[1], 0.625f, 1e-6f);
    EXPECT_EQ(op.result<float>(2)[2], 0);
    const std::vector<float> boxes = op.result<float>(0);
    EXPECT_NEAR(boxes[1], -0.4f, 1e-6f);
    EXPECT_NEAR(boxes[4], 4.5f, 1e-6f);
  }
}

TEST(Postprocess, RegularSuppressesClassByClass) {
  OneOp op = postprocess(options(4, 2, true));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<float>(3), (std::vector<float>{4}));
  EXPECT_EQ(op.result<float>(1), (std::vector<float>{0, 1, 1, 0}));
  EXPECT_EQ(op.result<float>(2), (std::vector<float>{0.75f, 0.625f, 0.375f, 0.25f}));
}

TEST(Postprocess, GivesSeveralClassesOfABox) {
  OneOp op = postprocess(options(2, 2, false, 2));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(0), (Shape{1, 4, 4}));
  EXPECT_EQ(op.result<float>(1), (std::vector<float>{0, 1, 1, 0}));
  EXPECT_EQ(op.result<float>(2), (std::vector<float>{0.75f, 0.375f, 0.625f, 0.25f}));
}

TEST(Postprocess, RefusesOptionsThatMakeNoSense) {
  EXPECT_FALSE(postprocess(options(-1, 2, false)).infer());
  EXPECT_FALSE(postprocess(options(1 << 30, 2, false, 8)).infer());
  EXPECT_FALSE(postprocess(options(4, 2, false, 1, 0.0f)).infer());
  EXPECT_FALSE(postprocess(options(4, 1, false)).prepare()) << "two classes more than columns";
  EXPECT_FALSE(postprocess(options(4, 5, false)).prepare());
  EXPECT_FALSE(postprocess({}).infer());
}

TEST(FlexMap, ReadsWhatTheBuilderWrote) {
  flexbuffers::Builder builder;
  builder.Map([&] {
    builder.Int("small", -3);
    builder.Int("large", INT64_C(-5000000000));
    builder.UInt("unsigned", 200);
    builder.Float("float", 0.25f);
    builder.Double("double", 1e-300);
    builder.Bool("yes", true);
    builder.IndirectInt("far", 70000);
    builder.IndirectFloat("far_float", 1.5f);
    builder.String("text", "12");
  });
  builder.Finish();
  const std::vector<uint8_t> bytes = builder.GetBuffer();
  const auto map = ops::FlexMap::open(bytes);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->number("small"), -3);
  EXPECT_EQ(map->number("large"), -5000000000.0);
  EXPECT_EQ(map->number("unsigned"), 200);
  EXPECT_EQ(map->number("float"), 0.25);
  EXPECT_EQ(map->number("double"), 1e-300);
  EXPECT_EQ(map->number("yes"), 1);
  EXPECT_EQ(map->number("far"), 70000);
  EXPECT_EQ(map->number("far_float"), 1.5);
  EXPECT_FALSE(map->number("text"));
  EXPECT_FALSE(map->number("larg"));
}

TEST(FlexMap, StaysInsideHostileBytes) {
  const std::vector<uint8_t> good = options(4, 2, false);
  test::Random random(7);
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> bytes = good;
    for (int64_t i = random.integer(1, 4); i > 0; --i) {
      bytes[static_cast<size_t>(random.integer(0, static_cast<int64_t>(bytes.size()) - 1))] =
          static_cast<uint8_t>(random.integer(0, 255));
    }
    if (round % 2 == 0) bytes.resize(static_cast<size_t>(random.integer(0, static_cast<int64_t>(bytes.size()))));
    const test::Guarded<uint8_t> guarded(bytes);
    const auto map = ops::FlexMap::open({guarded.data(), bytes.size()});
    if (map) (void)map->number("num_classes");
  }
}

}  // namespace
}  // namespace fewbits
