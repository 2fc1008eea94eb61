// Tests of DENSIFY: formats by hand, and tables that lie.
#include <gtest/gtest.h>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;

std::unique_ptr<tflite::DimensionMetadataT> dense(int32_t size) {
  auto metadata = std::make_unique<tflite::DimensionMetadataT>();
  metadata->format = tflite::DimensionType::DENSE;
  metadata->dense_size = size;
  return metadata;
}
std::unique_ptr<tflite::DimensionMetadataT> compressed(std::vector<int32_t> segments, std::vector<uint8_t> indices) {
  auto metadata = std::make_unique<tflite::DimensionMetadataT>();
  metadata->format = tflite::DimensionType::SPARSE_CSR;
  tflite::Int32VectorT wide;
  wide.values = std::move(segments);
  metadata->array_segments.Set(std::move(wide));
  tflite::Uint8VectorT narrow;
  narrow.values = std::move(indices);
  metadata->array_indices.Set(std::move(narrow));
  return metadata;
}

template <class... Levels>
std::shared_ptr<tflite::SparsityParametersT> format(std::vector<int32_t> order, std::vector<int32_t> blocks,
                                                    Levels... levels) {
  auto sparsity = std::make_shared<tflite::SparsityParametersT>();
  sparsity->traversal_order = std::move(order);
  sparsity->block_map = std::move(blocks);
  (sparsity->dim_metadata.push_back(std::move(levels)), ...);
  return sparsity;
}

OneOp densify(Shape shape, const std::vector<int8_t>& values,
              std::shared_ptr<const tflite::SparsityParametersT> sparsity) {
  OneOp op(Op::DENSIFY);
  op.constant(DType::kInt8, std::move(shape), values).output(DType::kInt8);
  op.input_value(0).sparsity = std::move(sparsity);
  return op;
}

TEST(Densify, CompressedRows) {
  OneOp op = densify({3, 4}, {1, 2, 3}, format({0, 1}, {}, dense(3), compressed({0, 2, 2, 3}, {1, 3, 0})));
  const Status status = op.run();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{0, 1, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0}));
}

TEST(Densify, ColumnsFirst) {
  OneOp op = densify({2, 3}, {1, 2, 3}, format({1, 0}, {}, dense(3), compressed({0, 1, 1, 3}, {1, 0, 1})));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{0, 0, 2, 1, 0, 3}));
}

TEST(Densify, Blocks) {
  // Blocks of 1 x 2: of the row [., B] and [A, .].
  OneOp op = densify({2, 4}, {1, 2, 3, 4}, format({0, 1, 2}, {1}, dense(2), compressed({0, 1, 2}, {1, 0}), dense(2)));
  const Status status = op.run();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{0, 0, 1, 2, 3, 4, 0, 0}));
}

TEST(Densify, RefusesTablesThatLie) {
  const std::vector<int8_t> values = {1, 2, 3};
  EXPECT_FALSE(densify({3, 4}, values, nullptr).prepare());
  EXPECT_FALSE(densify({3, 4}, {1, 2}, format({0, 1}, {}, dense(3), compressed({0, 2, 2, 3}, {1, 3, 0}))).prepare())
      << "too few values";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 1}, {}, dense(3), compressed({0, 2, 2, 3}, {1, 4, 0}))).prepare())
      << "an index beyond";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 1}, {}, dense(3), compressed({0, 2, 1, 3}, {1, 3, 0}))).prepare())
      << "segments fall";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 1}, {}, dense(3), compressed({0, 2, 3}, {1, 3, 0}))).prepare())
      << "a segment less";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 1}, {}, dense(3), compressed({0, 2, 2, 9}, {1, 3, 0}))).prepare())
      << "segments beyond";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 1}, {}, dense(3), compressed({}, {}))).prepare()) << "no segments";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 1}, {}, dense(4), compressed({0, 2, 2, 3}, {1, 3, 0}))).prepare())
      << "another size";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 0}, {}, dense(3), compressed({0, 2, 2, 3}, {1, 3, 0}))).prepare())
      << "no order";
  EXPECT_FALSE(densify({3, 4}, values, format({0, 5}, {}, dense(3), compressed({0, 2, 2, 3}, {1, 3, 0}))).prepare());
  EXPECT_FALSE(densify({3, 4}, values, format({0, 1}, {}, dense(3))).prepare()) << "a level less";
  EXPECT_FALSE(
      densify({2, 4}, values, format({0, 1, 2}, {7}, dense(2), compressed({0, 1, 2}, {1, 0}), dense(2))).prepare());
  EXPECT_FALSE(
      densify({2, 4}, values, format({0, 1, 2}, {1}, dense(2), compressed({0, 1, 2}, {1, 0}), dense(3))).prepare());
  EXPECT_FALSE(
      densify({2, 4}, values, format({0, 1, 2}, {1}, dense(2), compressed({0, 1, 2}, {1, 0}), dense(0))).prepare());
}

}  // namespace
}  // namespace fewbits
