// What the conformance cases cannot show: unknown operands, refusals, run-time operands that lead outside, the
// extensions that op.h names, packed types, ranks above LiteRT's. Expected numbers are written out or computed index by
// index.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using Ints = std::vector<int32_t>;

Ints count_up(size_t n) {
  Ints values(n);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

void expect_refused(const Status& status, const char* part) {
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr(part));
}

// ---- TRANSPOSE ----

TEST(Transpose, SevenDimensions) {
  const Shape shape = {2, 3, 1, 2, 3, 2, 2};
  const Ints perm = {6, 4, 2, 0, 5, 3, 1};
  OneOp op(Op::TRANSPOSE);
  op.input(DType::kInt32, shape, count_up(144)).constant(DType::kInt32, {7}, perm).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 3, 1, 2, 2, 2, 3}));
  Ints strides(7, 1), expected;
  for (size_t i = 6; i-- > 0;) strides[i] = strides[i + 1] * shape[i + 1];
  for (int32_t i = 0; i < 144; ++i) {
    int32_t rest = i, from = 0;
    for (size_t d = 7; d-- > 0; rest /= op.shape()[d]) {
      from += rest % op.shape()[d] * strides[static_cast<size_t>(perm[d])];
    }
    expected.push_back(from);
  }
  EXPECT_THAT(op.result<int32_t>(), ElementsAreArray(expected));
}

TEST(Transpose, PermutationKnownOnlyWhenRun) {
  OneOp op(Op::TRANSPOSE);
  op.input(DType::kInt32, {2, 3}, count_up(6))
      .input(DType::kInt64, {2}, std::vector<int64_t>{1, 0})
      .output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{3, 2}));
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(Transpose, Int4StaysPacked) {
  // The rows 1 2 3 and -4 -5 -6, lowest nibble first.
  OneOp op(Op::TRANSPOSE);
  op.input(DType::kInt4, {2, 3}, std::vector<uint8_t>{0x21, 0xc3, 0xab})
      .constant(DType::kInt32, {2}, Ints{1, 0})
      .output(DType::kInt4);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<uint8_t>(), ElementsAre(0xc1, 0xb2, 0xa3));
}

TEST(Transpose, RefusesWhatIsNoPermutation) {
  for (const Ints& perm : {Ints{0, 0}, Ints{0, 2}, Ints{-3, 0}}) {
    OneOp op(Op::TRANSPOSE);
    op.input(DType::kInt32, {2, 3}).constant(DType::kInt32, {2}, perm).output(DType::kInt32);
    EXPECT_FALSE(op.infer());
  }
  OneOp op(Op::TRANSPOSE);
  op.input(DType::kInt32, {2, 3}).constant(DType::kInt32, {1}, Ints{0}).output(DType::kInt32);
  expect_refused(op.infer(), "rank 2");
}

TEST(Transpose, RefusesStringsAndNineDimensions) {
  OneOp strings(Op::TRANSPOSE);
  strings.input(DType::kString, {2, 3}).constant(DType::kInt32, {2}, Ints{1, 0}).output(DType::kString);
  expect_refused(strings.prepare(), "no kernel for these types");
  OneOp many(Op::TRANSPOSE);
  many.input(DType::kInt8, Shape(9, 1)).constant(DType::kInt32, {9}, count_up(9)).output(DType::kInt8);
  expect_refused(many.prepare(), "9 dimensions");
}

// ---- SLICE, DYNAMIC_UPDATE_SLICE ----

TEST(Slice, BeginOfARunIsClamped) {
  OneOp op(Op::SLICE);
  op.input(DType::kInt32, {4}, count_up(4))
      .input(DType::kInt32, {1}, Ints{1000000})
      .constant(DType::kInt32, {1}, Ints{2})
      .output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_FALSE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(2, 3));
}

TEST(Slice, RestNeedsTheBegin) {
  OneOp op(Op::SLICE);
  op.input(DType::kInt32, {4}, count_up(4))
      .input(DType::kInt32, {1}, Ints{3})
      .constant(DType::kInt32, {1}, Ints{-1})
      .output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(3));
}

TEST(Slice, RefusesWhatDoesNotFit) {
  const std::pair<int64_t, int64_t> bad[] = {{-1, 2}, {3, 2},         {5, -1},        {0, 5},
                                             {0, -2}, {INT64_MIN, 1}, {1, INT64_MAX}, {INT64_MAX, -1}};
  for (const auto& [begin, size] : bad) {
    OneOp op(Op::SLICE);
    op.input(DType::kInt32, {4}).constant(DType::kInt64, {1}, std::vector<int64_t>{begin});
    op.constant(DType::kInt64, {1}, std::vector<int64_t>{size}).output(DType::kInt32);
    expect_refused(op.infer(), "does not fit");
  }
}

TEST(DynamicUpdateSlice, StartIsMovedIntoTheTensor) {
  OneOp op(Op::DYNAMIC_UPDATE_SLICE);
  op.input(DType::kInt32, {3, 3}, count_up(9)).input(DType::kInt32, {2, 2}, Ints{-1, -2, -3, -4});
  op.input(DType::kInt32, {2}, Ints{100, -100}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(0, 1, 2, -1, -2, 5, -3, -4, 8));
}

TEST(DynamicUpdateSlice, RefusesALargerUpdate) {
  OneOp op(Op::DYNAMIC_UPDATE_SLICE);
  op.input(DType::kInt32, {3}).input(DType::kInt32, {4}).input(DType::kInt32, {1}).output(DType::kInt32);
  expect_refused(op.infer(), "does not fit");
}

// ---- STRIDED_SLICE ----

OneOp strided(const Shape& shape, const Ints& begin, const Ints& end, const Ints& strides,
              tflite::StridedSliceOptionsT options = {}) {
  const auto count = static_cast<int32_t>(begin.size());
  OneOp op(Op::STRIDED_SLICE);
  op.options(options).input(DType::kInt32, shape, count_up(element_count(shape)));
  op.constant(DType::kInt32, {count}, begin)
      .constant(DType::kInt32, {count}, end)
      .constant(DType::kInt32, {count}, strides);
  op.output(DType::kInt32);
  return op;
}

TEST(StridedSlice, EllipsisOverNoDimension) {  // x[..., 1:, 0] of a matrix
  tflite::StridedSliceOptionsT options;
  options.ellipsis_mask = 1;
  options.shrink_axis_mask = 4;
  options.end_mask = 2;
  OneOp op = strided({3, 2}, {0, 1, 0}, {0, 0, 1}, {1, 1, 1}, options);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2}));
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(2, 4));
}

TEST(StridedSlice, NewAxesAroundANegativeStride) {  // x[None, ::-2, None]
  tflite::StridedSliceOptionsT options;
  options.new_axis_mask = 5;
  options.begin_mask = options.end_mask = 2;
  OneOp op = strided({5, 2}, {0, 0, 0}, {0, 0, 0}, {1, -2, 1}, options);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{1, 3, 1, 2}));
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(8, 9, 4, 5, 0, 1));
}

TEST(StridedSlice, OffsetCountsFromTheBegin) {
  tflite::StridedSliceOptionsT options;
  options.offset = true;
  OneOp op = strided({6}, {2}, {3}, {1}, options);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(2, 3, 4));
}

TEST(StridedSlice, ExtremeNumbers) {
  OneOp all = strided({3}, {INT32_MIN}, {INT32_MAX}, {1});
  ASSERT_TRUE(all.run());
  EXPECT_THAT(all.result<int32_t>(), ElementsAre(0, 1, 2));
  OneOp one = strided({3}, {INT32_MAX}, {INT32_MIN}, {INT32_MIN});
  ASSERT_TRUE(one.run());
  EXPECT_THAT(one.result<int32_t>(), ElementsAre(2));
  OneOp none = strided({3}, {2}, {1}, {1});
  ASSERT_TRUE(none.run());
  EXPECT_EQ(none.shape(), (Shape{0}));
}

TEST(StridedSlice, Refusals) {
  expect_refused(strided({3}, {0}, {3}, {0}).infer(), "stride is 0");
  expect_refused(strided({3}, {0, 0}, {3, 3}, {1, 1}).infer(), "more entries");
  tflite::StridedSliceOptionsT shrink;
  shrink.shrink_axis_mask = 1;
  expect_refused(strided({3}, {3}, {4}, {1}, shrink).infer(), "outside");
  expect_refused(strided({0}, {0}, {1}, {1}, shrink).infer(), "outside");
  tflite::StridedSliceOptionsT ellipses;
  ellipses.ellipsis_mask = 3;
  expect_refused(strided({3, 3}, {0, 0}, {0, 0}, {1, 1}, ellipses).infer(), "ellipsis");
}

TEST(StridedSlice, ListsOfARun) {
  OneOp op(Op::STRIDED_SLICE);
  op.input(DType::kInt32, {5}, count_up(5)).input(DType::kInt32, {1}, Ints{4}).input(DType::kInt32, {1}, Ints{0});
  op.input(DType::kInt32, {1}, Ints{-2}).output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(4, 2));
}

// ---- CONCATENATION, PACK and the splits ----

TEST(Concatenation, FusedActivationClamps) {
  tflite::ConcatenationOptionsT options;
  options.axis = -1;
  options.fused_activation_function = tflite::ActivationFunctionType::RELU6;
  OneOp op(Op::CONCATENATION);
  op.options(options)
      .input(DType::kFloat32, {2, 1}, std::vector<float>{-1, 7})
      .input(DType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 9});
  op.output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<float>(), ElementsAre(0, 1, 2, 6, 3, 6));
}

TEST(Concatenation, Int8InputsAreRescaled) {
  // Real values 1, -1 and 58.5, which the output's scale cannot hold.
  tflite::ConcatenationOptionsT options;
  OneOp op(Op::CONCATENATION);
  op.options(options).input(DType::kInt8, {3}, std::vector<int8_t>{12, 8, 127}, quant({0.5f}, {10}));
  op.input(DType::kInt8, {2}, std::vector<int8_t>{5, -3}, quant({0.25f}, {0}))
      .output(DType::kInt8, quant({0.25f}, {0}));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(4, -4, 127, 5, -3));
}

TEST(Concatenation, Refusals) {
  OneOp shapes(Op::CONCATENATION);
  shapes.input(DType::kInt32, {2, 3}).input(DType::kInt32, {2, 4}).output(DType::kInt32);
  expect_refused(shapes.infer(), "cannot join");
  OneOp scalars(Op::CONCATENATION);
  scalars.input(DType::kInt32, {}).output(DType::kInt32);
  expect_refused(scalars.infer(), "axis");
  OneOp types(Op::CONCATENATION);
  types.input(DType::kInt32, {2}).input(DType::kFloat32, {2}).output(DType::kInt32);
  expect_refused(types.prepare(), "no kernel for these types");
}

TEST(Pack, AlongALastNewAxis) {
  tflite::PackOptionsT options;
  options.axis = -1;
  OneOp op(Op::PACK);
  op.options(options)
      .input(DType::kInt16, {2}, std::vector<int16_t>{1, 2})
      .input(DType::kInt16, {2}, std::vector<int16_t>{3, 4});
  op.output(DType::kInt16);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 2}));
  EXPECT_THAT(op.result<int16_t>(), ElementsAre(1, 3, 2, 4));
}

TEST(Split, AxisOfARun) {
  OneOp op(Op::SPLIT);
  op.input(DType::kInt32, {}, Ints{-1})
      .input(DType::kInt32, {2, 4}, count_up(8))
      .output(DType::kInt32)
      .output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic(0) && op.is_dynamic(1));
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(0), ElementsAre(0, 1, 4, 5));
  EXPECT_THAT(op.result<int32_t>(1), ElementsAre(2, 3, 6, 7));
}

TEST(Split, RefusesUnequalParts) {
  OneOp op(Op::SPLIT);
  op.constant(DType::kInt32, {}, Ints{0}).input(DType::kInt32, {3}).output(DType::kInt32).output(DType::kInt32);
  expect_refused(op.infer(), "equal parts");
}

TEST(SplitV, OneSizeIsTheRest) {
  OneOp op(Op::SPLIT_V);
  op.input(DType::kInt32, {5}, count_up(5))
      .constant(DType::kInt32, {3}, Ints{1, -1, 0})
      .constant(DType::kInt32, {1}, Ints{0});
  op.output(DType::kInt32).output(DType::kInt32).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(0), ElementsAre(0));
  EXPECT_THAT(op.result<int32_t>(1), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(op.shape(2), (Shape{0}));
}

TEST(SplitV, RefusesSizesThatDoNotAddUp) {
  for (const Ints& sizes : {Ints{1, 2}, Ints{3, 3}, Ints{-1, -1}, Ints{-2, 7}, Ints{6, -1}}) {
    OneOp op(Op::SPLIT_V);
    op.input(DType::kInt32, {5}).constant(DType::kInt32, {2}, sizes).constant(DType::kInt32, {}, Ints{0});
    op.output(DType::kInt32).output(DType::kInt32);
    expect_refused(op.infer(), "do not make up");
  }
}

TEST(Unpack, RefusesAWrongNumberOfOutputs) {
  OneOp op(Op::UNPACK);
  op.input(DType::kInt32, {3, 2}).output(DType::kInt32).output(DType::kInt32);
  expect_refused(op.infer(), "does not make 2 outputs");
}

// ---- repeats ----

TEST(Tile, RefusesNegativeAndHugeMultiples) {
  for (int32_t multiple : {-1, INT32_MAX}) {
    OneOp op(Op::TILE);
    op.input(DType::kInt32, {2}).constant(DType::kInt32, {1}, Ints{multiple}).output(DType::kInt32);
    EXPECT_FALSE(op.infer());
  }
}

TEST(Tile, NoTimes) {
  OneOp op(Op::TILE);
  op.input(DType::kInt32, {2, 2}, count_up(4)).input(DType::kInt32, {2}, Ints{0, 3}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{0, 6}));
}

TEST(Fill, ShapeOfARun) {
  OneOp op(Op::FILL);
  op.input(DType::kInt64, {2}, std::vector<int64_t>{2, 3})
      .input(DType::kInt8, {}, std::vector<int8_t>{-7})
      .output(DType::kInt8);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(-7, -7, -7, -7, -7, -7));
}

TEST(Fill, RefusesSizesThatOverflow) {
  OneOp op(Op::FILL);
  op.constant(DType::kInt32, {3}, Ints{INT32_MAX, INT32_MAX, INT32_MAX}).input(DType::kInt8, {}).output(DType::kInt8);
  expect_refused(op.infer(), "too large");
}

TEST(BroadcastTo, RefusesWhatDoesNotBroadcast) {
  for (const Ints& target : {Ints{2}, Ints{3, 3}, Ints{2, 1}}) {
    OneOp op(Op::BROADCAST_TO);
    op.input(DType::kInt32, {1, 2})
        .constant(DType::kInt32, {static_cast<int32_t>(target.size())}, target)
        .output(DType::kInt32);
    EXPECT_FALSE(op.infer());
  }
}

TEST(BroadcastArgs, LongerOfTwoLists) {
  OneOp op(Op::BROADCAST_ARGS);
  op.input(DType::kInt64, {1}, std::vector<int64_t>{4})
      .input(DType::kInt64, {3}, std::vector<int64_t>{5, 1, 1})
      .output(DType::kInt64);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int64_t>(), ElementsAre(5, 1, 4));
  OneOp bad(Op::BROADCAST_ARGS);
  bad.constant(DType::kInt32, {1}, Ints{2}).constant(DType::kInt32, {1}, Ints{3}).output(DType::kInt32);
  expect_refused(bad.infer(), "do not broadcast");
}

// ---- reversals ----

TEST(Reverse, TwoAxesOfThree) {
  OneOp op(Op::REVERSE_V2);
  op.input(DType::kInt32, {2, 2, 2}, count_up(8)).input(DType::kInt32, {2}, Ints{0, -1}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(5, 4, 7, 6, 1, 0, 3, 2));
}

TEST(Reverse, AxisOfARunOutsideIsIgnored) {
  OneOp op(Op::REVERSE_V2);
  op.input(DType::kInt32, {3}, count_up(3)).input(DType::kInt32, {1}, Ints{77}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(0, 1, 2));
}

TEST(ReverseSequence, LengthsOfARunAreClamped) {
  tflite::ReverseSequenceOptionsT options;
  options.seq_dim = 1;
  OneOp op(Op::REVERSE_SEQUENCE);
  op.options(options)
      .input(DType::kInt32, {3, 3}, count_up(9))
      .input(DType::kInt64, {3}, std::vector<int64_t>{99, -5, 2})
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(2, 1, 0, 3, 4, 5, 7, 6, 8));
}

// ---- blocks ----

TEST(SpaceToBatch, PadsWithTheZeroPointInOneDimension) {
  OneOp op(Op::SPACE_TO_BATCH_ND);
  op.input(DType::kInt8, {1, 3}, std::vector<int8_t>{1, 2, 3}, quant({1}, {-9})).constant(DType::kInt32, {1}, Ints{2});
  op.constant(DType::kInt32, {1, 2}, Ints{1, 0}).output(DType::kInt8, quant({1}, {-9}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 2}));
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(-9, 2, 1, 3));
}

TEST(BatchToSpace, CropsOfARun) {
  OneOp op(Op::BATCH_TO_SPACE_ND);
  op.input(DType::kInt32, {2, 2}, count_up(4))
      .input(DType::kInt32, {1}, Ints{2})
      .input(DType::kInt32, {1, 2}, Ints{1, 1})
      .output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(2, 1));
}

TEST(Blocks, Refusals) {
  for (int32_t block : {0, -2, 3}) {
    tflite::SpaceToDepthOptionsT options;
    options.block_size = block;
    OneOp op(Op::SPACE_TO_DEPTH);
    op.options(options).input(DType::kInt32, {1, 4, 4, 1}).output(DType::kInt32);
    EXPECT_FALSE(op.infer()) << block;
    OneOp batch(Op::SPACE_TO_BATCH_ND);
    batch.input(DType::kInt32, {1, 4, 4, 1})
        .constant(DType::kInt32, {2}, Ints{block, 1})
        .constant(DType::kInt32, {2, 2}, Ints{0, 0, 0, 0});
    EXPECT_FALSE(batch.output(DType::kInt32).infer()) << block;
  }
  OneOp crops(Op::BATCH_TO_SPACE_ND);
  crops.input(DType::kInt32, {2, 2})
      .constant(DType::kInt32, {1}, Ints{2})
      .constant(DType::kInt32, {1, 2}, Ints{3, 2})
      .output(DType::kInt32);
  expect_refused(crops.infer(), "do not fit");
  OneOp no_options(Op::DEPTH_TO_SPACE);
  no_options.input(DType::kInt32, {1, 4, 4, 4}).output(DType::kInt32);
  expect_refused(no_options.infer(), "block size is 0");
}

// ---- patterns ----

TEST(Range, SizesFromNumbers) {
  OneOp up(Op::RANGE);
  up.constant(DType::kInt64, {}, std::vector<int64_t>{INT64_MIN})
      .constant(DType::kInt64, {}, std::vector<int64_t>{INT64_MAX});
  up.constant(DType::kInt64, {}, std::vector<int64_t>{INT64_MAX}).output(DType::kInt64);
  ASSERT_TRUE(up.run());
  EXPECT_THAT(up.result<int64_t>(), ElementsAre(INT64_MIN, -1, INT64_MAX - 1));
  OneOp down(Op::RANGE);
  down.input(DType::kFloat32, {}, std::vector<float>{1}).input(DType::kFloat32, {}, std::vector<float>{0});
  down.input(DType::kFloat32, {}, std::vector<float>{-0.4f}).output(DType::kFloat32);
  ASSERT_TRUE(down.infer());
  EXPECT_TRUE(down.is_dynamic());
  ASSERT_TRUE(down.run());
  EXPECT_THAT(down.result<float>(), ElementsAre(1.0f, 1.0f - 0.4f, 1.0f - 0.4f - 0.4f));
}

TEST(Range, Refusals) {
  const Ints bad[] = {{0, 5, 0}, {0, 5, -1}, {5, 0, 1}, {0, 0, 0}};
  for (const Ints& range : bad) {
    OneOp op(Op::RANGE);
    for (int32_t value : range) op.constant(DType::kInt32, {}, Ints{value});
    expect_refused(op.output(DType::kInt32).infer(), "delta");
  }
  OneOp nan(Op::RANGE);
  for (float value : {0.0f, std::numeric_limits<float>::quiet_NaN(), 1.0f})
    nan.constant(DType::kFloat32, {}, std::vector<float>{value});
  expect_refused(nan.output(DType::kFloat32).infer(), "delta");
}

TEST(OneHot, IndicesOutsideGiveNothing) {
  OneOp op(Op::ONE_HOT);
  op.input(DType::kInt32, {3}, Ints{1, -1, 5}).constant(DType::kInt32, {}, Ints{2});
  op.input(DType::kBool, {}, std::vector<uint8_t>{1})
      .input(DType::kBool, {}, std::vector<uint8_t>{0})
      .output(DType::kBool);
  tflite::OneHotOptionsT options;
  options.axis = 0;
  op.options(options);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 3}));
  EXPECT_THAT(op.result<uint8_t>(), ElementsAre(0, 0, 0, 1, 0, 0));
}

TEST(MatrixSetDiag, RefusesAnotherSize) {
  OneOp op(Op::MATRIX_SET_DIAG);
  op.input(DType::kInt32, {2, 2, 3}).input(DType::kInt32, {2, 3}).output(DType::kInt32);
  expect_refused(op.infer(), "not the diagonal");
  OneOp scalar(Op::MATRIX_SET_DIAG);
  scalar.input(DType::kInt32, {}).input(DType::kInt32, {}).output(DType::kInt32);
  expect_refused(scalar.infer(), "not the diagonal");
}

TEST(Dilate, PaddingBetweenElements) {
  OneOp op(Op::DILATE);
  op.input(DType::kInt32, {2, 2}, Ints{1, 2, 3, 4})
      .constant(DType::kInt32, {2}, Ints{2, 3})
      .input(DType::kInt32, {}, Ints{9});
  op.output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{3, 4}));
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(1, 9, 9, 2, 9, 9, 9, 9, 3, 9, 9, 4));
}

TEST(DataMovement, UnknownShapesGiveDynamicOutputs) {
  OneOp op(Op::CONCATENATION);
  op.input(DType::kInt32, {-1, 2}).input(DType::kInt32, {3, 2}).output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
}

TEST(DataMovement, TensorsWithoutElements) {
  OneOp op(Op::TRANSPOSE);
  op.input(DType::kInt32, {0, 1 << 30, 1 << 30}, Ints{})
      .constant(DType::kInt32, {3}, Ints{2, 0, 1})
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  OneOp tile(Op::TILE);
  tile.input(DType::kInt32, {3, 0}, Ints{}).constant(DType::kInt32, {2}, Ints{2, 2}).output(DType::kInt32);
  ASSERT_TRUE(tile.run());
  EXPECT_EQ(tile.shape(), (Shape{6, 0}));
}

}  // namespace
}  // namespace fewbits
