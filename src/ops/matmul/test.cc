// Tests of the matmul family.
#include <gtest/gtest.h>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;

tflite::BatchMatMulOptionsT adjoints(bool x, bool y) {
  tflite::BatchMatMulOptionsT options;
  options.adj_x = x;
  options.adj_y = y;
  return options;
}

// The product in double, straight from the definition. Batches: x [2, 1, ...], y [3, ...].
std::vector<double> expected_product(const std::vector<double>& x, const std::vector<double>& y, size_t m, size_t k,
                                     size_t n, bool adj_x, bool adj_y) {
  std::vector<double> out;
  for (size_t b = 0; b < 6; ++b) {
    const double *left = &x[b / 3 * m * k], *right = &y[b % 3 * k * n];
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (size_t c = 0; c < k; ++c)
          sum += left[adj_x ? c * m + i : i * k + c] * right[adj_y ? j * k + c : c * n + j];
        out.push_back(sum);
      }
    }
  }
  return out;
}

TEST(Matmul, BroadcastsBatchesAndSwapsOperands) {
  constexpr int32_t kM = 5, kK = 19, kN = 35;
  test::Random random(3);
  for (int form = 0; form < 8; ++form) {
    const bool adj_x = (form & 1) != 0, adj_y = (form & 2) != 0, constant = (form & 4) != 0;
    const std::vector<float> x = random.reals(2 * kM * kK, -1, 1), y = random.reals(3 * kK * kN, -1, 1);
    OneOp op(Op::BATCH_MATMUL);
    op.options(adjoints(adj_x, adj_y)).input(DType::kFloat32, adj_x ? Shape{2, 1, kK, kM} : Shape{2, 1, kM, kK}, x);
    const Shape right = adj_y ? Shape{3, kN, kK} : Shape{3, kK, kN};
    if (constant)
      op.constant(DType::kFloat32, right, y);
    else
      op.input(DType::kFloat32, right, y);
    op.output(DType::kFloat32);
    ASSERT_TRUE(op.run(form % 3 + 1));
    EXPECT_EQ(op.shape(), (Shape{2, 3, kM, kN}));
    const auto expected = expected_product({x.begin(), x.end()}, {y.begin(), y.end()}, kM, kK, kN, adj_x, adj_y);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(op.result<float>()[i], expected[i], 1e-5) << form;
  }
}

TEST(Matmul, BytesWithTwoZeroPoints) {
  OneOp op(Op::BATCH_MATMUL);
  // (1 - 1, 5 - 1) . (3 - -2, 4 - -2) = 24, and . (0, 1) = 4; times 0.5 * 0.5 / 0.25.
  op.options(adjoints(false, false))
      .input<int8_t>(DType::kInt8, {1, 2}, {1, 5}, quant({0.5f}, {1}))
      .input<int8_t>(DType::kInt8, {2, 2}, {3, -2, 4, -1}, quant({0.5f}, {-2}))
      .output(DType::kInt8, quant({0.25f}, {-100}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{-76, -96}));
}

TEST(Matmul, SixteenBits) {
  for (int form = 0; form < 4; ++form) {
    const bool adj_x = (form & 1) != 0, adj_y = (form & 2) != 0;
    OneOp op(Op::BATCH_MATMUL);
    // [[1, 2], [3, 4]] * [[10, 20], [30, 32]] * 1000 = [[70, 84], [150, 188]] * 1000, times 1/8.
    op.options(adjoints(adj_x, adj_y))
        .input<int16_t>(DType::kInt16, {2, 2},
                        adj_x ? std::vector<int16_t>{1, 3, 2, 4} : std::vector<int16_t>{1, 2, 3, 4}, quant({1.0f}, {0}))
        .input<int16_t>(
            DType::kInt16, {2, 2},
            adj_y ? std::vector<int16_t>{10000, 30000, 20000, 32000} : std::vector<int16_t>{10000, 20000, 30000, 32000},
            quant({1.0f}, {0}))
        .output(DType::kInt16, quant({8.0f}, {0}));
    ASSERT_TRUE(op.run());
    EXPECT_EQ(op.result<int16_t>(), (std::vector<int16_t>{8750, 10500, 18750, 23500})) << form;
  }
}

TEST(Matmul, HybridColumnsHaveTheirScales) {
  OneOp op(Op::BATCH_MATMUL);
  // The row has 127 steps of 1.
  op.options(adjoints(false, false))
      .input<float>(DType::kFloat32, {1, 2}, {127, -3})
      .constant<int8_t>(DType::kInt8, {2, 2}, {1, 2, 10, 20}, quant({1.0f, 0.25f}, {}, 1))
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_FLOAT_EQ(op.result<float>()[0], 97);
  EXPECT_FLOAT_EQ(op.result<float>()[1], 194 * 0.25f);
}

TEST(Matmul, ShapesMustFit) {
  const auto refused = [](Shape x, Shape y) {
    OneOp op(Op::BATCH_MATMUL);
    op.options(adjoints(false, false))
        .input(DType::kFloat32, std::move(x))
        .input(DType::kFloat32, std::move(y))
        .output(DType::kFloat32);
    return !op.infer();
  };
  EXPECT_FALSE(refused({2, 3, 4}, {4, 5}));
  EXPECT_TRUE(refused({2, 3, 4}, {5, 4}));
  EXPECT_TRUE(refused({2, 3, 4}, {3, 4, 5}));
  EXPECT_TRUE(refused({4}, {4, 5}));
}

TEST(Matmul, UnknownSizesWait) {
  OneOp op(Op::BATCH_MATMUL);
  op.options(adjoints(false, false))
      .input(DType::kFloat32, {-1, 4})
      .input(DType::kFloat32, {4, 5})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
}

TEST(Matmul, NothingToDo) {
  OneOp op(Op::BATCH_MATMUL);
  op.options(adjoints(true, false)).input(DType::kFloat32, {0, 4, 3});
  op.input(DType::kFloat32, {1, 4, 5}, std::vector<float>(20)).output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{0, 3, 5}));
}

TEST(Matmul, SixteenBitsTakeNoConstants) {
  OneOp op(Op::BATCH_MATMUL);
  op.options(adjoints(false, false))
      .input(DType::kFloat32, {3, 4})
      .constant(DType::kFloat32, {4, 1}, std::vector<float>{1, 2, 3, 4});
  op.output(DType::kFloat32);
  ASSERT_TRUE(op.infer());
  EXPECT_NE(op.def()->quant.decline(op.context(), DType::kInt16), "");
  EXPECT_EQ(op.def()->quant.decline(op.context(), DType::kInt8), "");
}

}  // namespace
}  // namespace fewbits
