// Indices that lead outside, packed tables, sizes that depend on values, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;
using Longs = std::vector<int64_t>;

void expect_refused(const Status& status, const char* part) {
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr(part));
}

// ---- GATHER, GATHER_ND ----

TEST(Gather, IndicesOfARunOutsideGiveZeros) {
  OneOp op(Op::GATHER);
  op.input(DType::kInt32, {2, 2}, Ints{1, 2, 3, 4})
      .input(DType::kInt64, {4}, Longs{1, 2, -1, INT64_MIN})
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(3, 4, 0, 0, 0, 0, 0, 0));
}

TEST(Gather, ConstantIndicesOutsideAreRefused) {
  for (int32_t index : {2, -1}) {
    OneOp op(Op::GATHER);
    op.input(DType::kInt32, {2, 2}).constant(DType::kInt32, {2}, Ints{0, index}).output(DType::kInt32);
    expect_refused(op.prepare(), "entry 1 of 'in1'");
  }
}

TEST(Gather, Int4RowsOfWholeBytesAndOfHalfBytes) {
  OneOp even(Op::GATHER);
  even.input(DType::kInt4, {2, 2}, std::vector<uint8_t>{0x21, 0x43})
      .input(DType::kInt32, {3}, Ints{1, 0, 1})
      .output(DType::kInt4);
  ASSERT_TRUE(even.run());
  EXPECT_THAT(even.result<uint8_t>(), ElementsAre(0x43, 0x21, 0x43));
  OneOp odd(Op::GATHER);
  odd.input(DType::kInt4, {2, 3}, std::vector<uint8_t>{0x21, 0x43, 0x65})
      .input(DType::kInt32, {1}, Ints{1})
      .output(DType::kInt4);
  ASSERT_TRUE(odd.run());
  EXPECT_THAT(odd.result<uint8_t>(), ElementsAre(0x54, 0x06));
}

TEST(Gather, BatchDimensions) {  // one index a batch entry, along the last axis, of rows between
  tflite::GatherOptionsT options;
  options.axis = 2;
  options.batch_dims = 1;
  OneOp op(Op::GATHER);
  op.options(options)
      .input(DType::kInt32, {2, 2, 2}, Ints{0, 1, 2, 3, 4, 5, 6, 7})
      .input(DType::kInt32, {2, 1}, Ints{1, 0})
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 2, 1}));
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(1, 3, 4, 6));
}

TEST(Gather, RefusesBatchDimensionsThatDiffer) {
  tflite::GatherOptionsT options;
  options.axis = 1;
  options.batch_dims = 1;
  OneOp op(Op::GATHER);
  op.options(options).input(DType::kInt32, {2, 2}).input(DType::kInt32, {3, 1}).output(DType::kInt32);
  expect_refused(op.infer(), "batch dimensions");
  OneOp scalar(Op::GATHER);
  scalar.input(DType::kInt32, {}).input(DType::kInt32, {1}).output(DType::kInt32);
  expect_refused(scalar.infer(), "axis");
}

TEST(Gather, EmptyTable) {
  OneOp op(Op::GATHER);
  op.input(DType::kInt32, {0, 2}, Ints{}).input(DType::kInt32, {1}, Ints{0}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(0, 0));
}

TEST(GatherNd, TuplesOutsideGiveZeros) {
  OneOp op(Op::GATHER_ND);
  op.input(DType::kInt16, {2, 2}, std::vector<int16_t>{1, 2, 3, 4})
      .input(DType::kInt32, {3, 2}, Ints{1, 0, 0, 2, -1, 1})
      .output(DType::kInt16);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int16_t>(), ElementsAre(3, 0, 0));
}

TEST(GatherNd, EmptyTuplesTakeTheWholeTable) {
  OneOp op(Op::GATHER_ND);
  op.input(DType::kInt32, {2}, Ints{8, 9}).input(DType::kInt32, {2, 0}, Ints{}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(8, 9, 8, 9));
}

TEST(GatherNd, RefusesLongTuples) {
  OneOp op(Op::GATHER_ND);
  op.input(DType::kInt32, {2}).input(DType::kInt32, {1, 2}).output(DType::kInt32);
  expect_refused(op.infer(), "do not fit");
}

// ---- lookups ----

TEST(EmbeddingLookup, Int4RowsThatBeginInAByte) {
  // Three rows of 3: 1 -2 3 | -4 5 -6 | 7 0 -1, scales 0.5, 2 and 1.
  OneOp op(Op::EMBEDDING_LOOKUP);
  op.input(DType::kInt32, {4}, Ints{1, 2, 3, 0});
  op.constant(DType::kInt4, {3, 3}, std::vector<uint8_t>{0xe1, 0xc3, 0xa5, 0x07, 0x0f}, quant({0.5f, 2, 1}, {0, 0, 0}));
  op.output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<float>(), ElementsAre(-8, 10, -12, 7, 0, -1, 0, 0, 0, 0.5f, -1, 1.5f));
}

TEST(EmbeddingLookup, Int2AndHalf) {
  OneOp op(Op::EMBEDDING_LOOKUP);  // 1 -1 0 -2
  op.input(DType::kInt32, {2}, Ints{1, 0}).constant(DType::kInt2, {2, 2}, std::vector<uint8_t>{0x8d}, quant({0.5f}));
  op.output(DType::kFloat16);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<uint16_t>(), ElementsAre(0x0000, 0xbc00, 0x3800, 0xb800));
}

TEST(EmbeddingLookup, Refusals) {
  OneOp asymmetric(Op::EMBEDDING_LOOKUP);
  asymmetric.input(DType::kInt32, {1})
      .constant(DType::kInt8, {1, 2}, std::vector<int8_t>{1, 2}, quant({1}, {3}))
      .output(DType::kFloat32);
  expect_refused(asymmetric.prepare(), "symmetrically");
  OneOp columns(Op::EMBEDDING_LOOKUP);
  columns.input(DType::kInt32, {1})
      .constant(DType::kInt8, {2, 2}, std::vector<int8_t>{1, 2, 3, 4}, quant({1, 2}, {0, 0}, 1));
  expect_refused(columns.output(DType::kFloat32).prepare(), "scales along dimension 1");
  OneOp unquantized(Op::EMBEDDING_LOOKUP);
  unquantized.input(DType::kInt32, {1})
      .constant(DType::kInt8, {2, 2}, std::vector<int8_t>{1, 2, 3, 4})
      .output(DType::kFloat32);
  expect_refused(unquantized.prepare(), "scales");
  OneOp vector(Op::EMBEDDING_LOOKUP);
  vector.input(DType::kInt32, {1}).input(DType::kFloat32, {2}).output(DType::kFloat32);
  expect_refused(vector.infer(), "not a list and rows");
}

TEST(EmbeddingLookupSparse, BadEntriesAreLeftOut) {
  tflite::EmbeddingLookupSparseOptionsT options;
  options.combiner = tflite::CombinerType::MEAN;
  OneOp op(Op::EMBEDDING_LOOKUP_SPARSE);
  op.options(options)
      .input(DType::kInt32, {4}, Ints{0, 1, 7, 1})
      .input(DType::kInt32, {4, 2}, Ints{0, 0, 0, 1, 0, 2, 5, 0});
  op.input(DType::kInt32, {2}, Ints{2, 3}).input(DType::kFloat32, {4}, Floats{1, 3, 100, 100});
  op.input(DType::kFloat32, {2, 1}, Floats{2, 10}).output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 1}));
  EXPECT_THAT(op.result<float>(), ElementsAre(8, 0));  // (1 * 2 + 3 * 10) / 4
}

TEST(HashtableLookup, MissesAreZero) {
  OneOp op(Op::HASHTABLE_LOOKUP);
  op.input(DType::kInt32, {3}, Ints{5, 4, -9})
      .input(DType::kInt32, {2}, Ints{-9, 5})
      .input(DType::kInt16, {2, 1}, std::vector<int16_t>{1, 2});
  op.output(DType::kInt16).output(DType::kUInt8);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int16_t>(0), ElementsAre(2, 0, 1));
  EXPECT_THAT(op.result<uint8_t>(1), ElementsAre(1, 0, 1));
}

// ---- scatters and segments ----

TEST(ScatterNd, AddsDuplicatesAndLeavesOutWhatIsOutside) {
  OneOp op(Op::SCATTER_ND);
  op.input(DType::kInt32, {4, 1}, Ints{1, 1, 3, -1}).input(DType::kInt8, {4}, std::vector<int8_t>{100, 100, 1, 1});
  op.input(DType::kInt32, {1}, Ints{3}).output(DType::kInt8);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(0, -56, 0));  // 200 wraps
}

TEST(ScatterNd, Refusals) {
  OneOp outside(Op::SCATTER_ND);
  outside.constant(DType::kInt32, {1, 1}, Ints{3})
      .input(DType::kFloat32, {1})
      .constant(DType::kInt32, {1}, Ints{3})
      .output(DType::kFloat32);
  expect_refused(outside.prepare(), "outside");
  OneOp shapes(Op::SCATTER_ND);
  shapes.input(DType::kInt32, {2, 1})
      .input(DType::kFloat32, {2, 4})
      .constant(DType::kInt32, {2}, Ints{3, 3})
      .output(DType::kFloat32);
  expect_refused(shapes.infer(), "do not fit");
  OneOp types(Op::SCATTER_ND);
  types.input(DType::kInt32, {1, 1})
      .input(DType::kComplex64, {1})
      .constant(DType::kInt32, {1}, Ints{3})
      .output(DType::kComplex64);
  expect_refused(types.prepare(), "no kernel for these types");
}

TEST(SparseToDense, IndicesOfARunOutsideAreLeftOut) {
  OneOp op(Op::SPARSE_TO_DENSE);
  op.input(DType::kInt64, {3, 2}, Longs{0, 1, 2, 0, 1, -1})
      .constant(DType::kInt32, {2}, Ints{2, 2})
      .input(DType::kInt32, {3}, Ints{1, 2, 3});
  op.input(DType::kInt32, {}, Ints{-1}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(-1, 1, -1, -1));
}

TEST(SparseToDense, RefusesAnotherNumberOfValues) {
  OneOp op(Op::SPARSE_TO_DENSE);
  op.input(DType::kInt32, {3})
      .constant(DType::kInt32, {1}, Ints{9})
      .input(DType::kInt32, {2})
      .input(DType::kInt32, {})
      .output(DType::kInt32);
  expect_refused(op.infer(), "2 values");
}

TEST(SegmentSum, RowsFollowTheLastId) {
  OneOp op(Op::SEGMENT_SUM);
  op.input(DType::kInt32, {3, 2}, Ints{1, 2, 3, 4, 5, INT32_MAX})
      .input(DType::kInt32, {3}, Ints{0, 2, 2})
      .output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{3, 2}));
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(1, 2, 0, 0, 8, INT32_MIN + 3));
}

TEST(SegmentSum, RefusesIdsThatFall) {
  for (const Ints& ids : {Ints{1, 0}, Ints{-1, 0}}) {
    OneOp op(Op::SEGMENT_SUM);
    op.input(DType::kInt32, {2}).constant(DType::kInt32, {2}, ids).output(DType::kInt32);
    expect_refused(op.infer(), "must not");
  }
}

TEST(UnsortedSegment, SegmentsWithoutRowsKeepTheNeutralValue) {
  const std::pair<Op, float> neutral[] = {{Op::UNSORTED_SEGMENT_SUM, 0.0f},
                                          {Op::UNSORTED_SEGMENT_PROD, 1.0f},
                                          {Op::UNSORTED_SEGMENT_MIN, std::numeric_limits<float>::max()},
                                          {Op::UNSORTED_SEGMENT_MAX, std::numeric_limits<float>::lowest()}};
  for (const auto& [code, value] : neutral) {
    OneOp op(code);
    op.input(DType::kFloat32, {2, 2}, Floats{4, 5, 6, 7})
        .input(DType::kInt32, {2, 2}, Ints{1, -1, 9, -1})
        .constant(DType::kInt32, {}, Ints{2});
    op.output(DType::kFloat32);
    ASSERT_TRUE(op.run());
    EXPECT_THAT(op.result<float>(), ElementsAre(value, 4));
  }
}

// ---- searches ----

TEST(Where, ConstantConditionsHaveAKnownSize) {
  OneOp op(Op::WHERE);
  op.constant(DType::kFloat32, {2, 2}, Floats{0, -0.0f, 0.5f, std::nanf("")}).output(DType::kInt64);
  ASSERT_TRUE(op.infer());
  EXPECT_FALSE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 2}));
  EXPECT_THAT(op.result<int64_t>(), ElementsAre(1, 0, 1, 1));
}

TEST(Where, NothingAndScalars) {
  OneOp none(Op::WHERE);
  none.input(DType::kBool, {3}, std::vector<uint8_t>{0, 0, 0}).output(DType::kInt64);
  ASSERT_TRUE(none.run());
  EXPECT_EQ(none.shape(), (Shape{0, 1}));
  OneOp scalar(Op::WHERE);
  scalar.input(DType::kBool, {}, std::vector<uint8_t>{1}).output(DType::kInt64);
  ASSERT_TRUE(scalar.run());
  EXPECT_EQ(scalar.shape(), (Shape{1, 0}));
}

TEST(Unique, ManyValuesInTheOrderOfTheirFirst) {
  Ints values, expected;
  Longs which;
  for (int32_t i = 0; i < 1000; ++i) {
    const int32_t value = (i % 300) * 65536;  // collide in a poor hash
    values.push_back(value);
    which.push_back(i % 300);
    if (i < 300) expected.push_back(value);
  }
  OneOp op(Op::UNIQUE);
  op.input(DType::kInt32, {1000}, values).output(DType::kInt32).output(DType::kInt64);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic(0));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<int32_t>(0), expected);
  EXPECT_EQ(op.result<int64_t>(1), which);
}

TEST(Unique, ZerosOfBothSignsAndNothing) {
  OneOp op(Op::UNIQUE);
  op.input(DType::kFloat32, {3}, Floats{-0.0f, 0.0f, 1}).output(DType::kFloat32).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<float>(0), ElementsAre(0, 1));
  EXPECT_THAT(op.result<int32_t>(1), ElementsAre(0, 0, 1));
  OneOp none(Op::UNIQUE);
  none.input(DType::kFloat32, {0}, Floats{}).output(DType::kFloat32).output(DType::kInt32);
  ASSERT_TRUE(none.run());
  EXPECT_EQ(none.shape(), (Shape{0}));
}

TEST(Bucketize, BoundariesBelongToTheUpperBucket) {
  tflite::BucketizeOptionsT options;
  options.boundaries = {0, 10, 100};
  OneOp op(Op::BUCKETIZE);
  op.options(options).input(DType::kInt64, {5}, Longs{-1, 0, 9, 10, 1000}).output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(0, 1, 1, 2, 3));
  options.boundaries = {1, 0};
  OneOp falls(Op::BUCKETIZE);
  falls.options(options).input(DType::kInt64, {5}).output(DType::kInt32);
  expect_refused(falls.prepare(), "do not rise");
}

}  // namespace
}  // namespace fewbits
