// Tests of the random family: known answers of the generator, LiteRT's numbers, and the state between runs.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ops/dynamic_test_args.h"
#include "ops/one_op.h"
#include "ops/random/philox.h"

namespace fewbits {
namespace {

using ops::Philox;
using test::DynamicTestArgs;
using test::OneOp;

// kat_vectors of the Random123 distribution, philox4x32 10.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(Philox(0, 0)(), (Philox::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff})(),
            (Philox::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e})(),
            (Philox::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, SkippingIsDrawing) {
  Philox drawn(5, 6), skipped(5, 6);
  for (int i = 0; i < 10; ++i) drawn();
  skipped.skip(10);
  EXPECT_EQ(drawn(), skipped());
  Philox end({1, 0xffffffffffffffff, 7});
  end();
  EXPECT_EQ(end.state(), (std::vector<uint64_t>{1, 0, 8})) << "the counter carries";
}

OneOp fill(Op code, Shape shape, int64_t seed, int64_t seed2) {
  OneOp op(code);
  tflite::RandomOptionsT options;
  options.seed = seed;
  options.seed2 = seed2;
  op.options(options);
  op.constant(DType::kInt32, {static_cast<int32_t>(shape.size())}, shape).output(DType::kFloat32);
  return op;
}

std::vector<float> draw(const OneOp& op, ResourceStore& store) {
  DynamicTestArgs args({test::tensor(DType::kInt32, {1}, std::vector<int32_t>{0})}, {DType::kFloat32}, store);
  EXPECT_TRUE(op.prepared().dynamic_kernel->run(args));
  return args.values<float>();
}

// The numbers of ai-edge-litert 2.3.0.
TEST(Random, EqualsLiteRt) {
  OneOp uniform = fill(Op::RANDOM_UNIFORM, {5}, 87654321, 12345);
  ASSERT_TRUE(uniform.prepare());
  EXPECT_EQ(uniform.shape(), (Shape{5}));
  ResourceStore store;
  const std::vector<float> wanted = {0.6743394f, 0.23592019f, 0.82206416f, 0.46504128f, 0.09273303f};
  const std::vector<float> got = draw(uniform, store);
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_FLOAT_EQ(got[i], wanted[i]);

  OneOp normal = fill(Op::RANDOM_STANDARD_NORMAL, {3}, 87654321, 12345);
  ASSERT_TRUE(normal.prepare());
  const std::vector<float> wanted_normal = {0.88424665f, 0.07843047f, 0.13639879f};
  const std::vector<float> got_normal = draw(normal, store);
  ASSERT_EQ(got_normal.size(), 3u) << "an odd count stays inside its output";
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(got_normal[i], wanted_normal[i], 1e-6f);
}

TEST(Random, RunsGoOnAndSessionsBeginAnew) {
  OneOp op = fill(Op::RANDOM_UNIFORM, {8}, 1, 2);
  ASSERT_TRUE(op.prepare());
  ResourceStore one, other;
  const std::vector<float> first = draw(op, one), second = draw(op, one);
  EXPECT_NE(first, second);
  EXPECT_EQ(draw(op, other), first);
  EXPECT_EQ(draw(op, other), second);
}

TEST(Random, WithoutSeedsEachSessionDiffers) {
  OneOp op = fill(Op::RANDOM_UNIFORM, {8}, 0, 0);
  ASSERT_TRUE(op.prepare());
  ResourceStore one, other;
  EXPECT_NE(draw(op, one), draw(op, other));
}

TEST(Random, NormalNumbersHaveMeanZeroAndDeviationOne) {
  OneOp op = fill(Op::RANDOM_STANDARD_NORMAL, {20000}, 3, 4);
  ASSERT_TRUE(op.prepare());
  ResourceStore store;
  const std::vector<float> x = draw(op, store);
  double mean = 0, square = 0;
  for (float v : x) mean += v / 20000.0;
  for (float v : x) square += (v - mean) * (v - mean) / 20000.0;
  EXPECT_NEAR(mean, 0, 0.03);
  EXPECT_NEAR(std::sqrt(square), 1, 0.03);
}

TEST(Random, RefusesSizesBelowZeroAndOverflow) {
  EXPECT_FALSE(fill(Op::RANDOM_UNIFORM, {3, -1}, 1, 2).infer());
  EXPECT_TRUE(fill(Op::RANDOM_UNIFORM, {0, 4}, 1, 2).infer());
}

TEST(Multinomial, NeverDrawsWhatHasNoWeight) {
  OneOp op(Op::MULTINOMIAL);
  tflite::RandomOptionsT options;
  options.seed = 9;
  op.options(options);
  op.input(DType::kFloat32, {1, 3}).constant(DType::kInt32, {}, std::vector<int32_t>{500}).output(DType::kInt64);
  ASSERT_TRUE(op.prepare());
  EXPECT_EQ(op.shape(), (Shape{1, 500}));
  ResourceStore store;
  // Weights 1 : 0 : 3.
  DynamicTestArgs args({test::tensor(DType::kFloat32, {1, 3}, std::vector<float>{0, -INFINITY, std::log(3.0f)}),
                        test::tensor(DType::kInt32, {}, std::vector<int32_t>{500})},
                       {DType::kInt64}, store);
  ASSERT_TRUE(op.prepared().dynamic_kernel->run(args));
  std::array<int, 3> count{};
  for (int64_t i : args.values<int64_t>()) ++count.at(static_cast<size_t>(i));
  EXPECT_EQ(count[1], 0);
  EXPECT_NEAR(count[0], 125, 40);
}

}  // namespace
}  // namespace fewbits
