// Tests of the signal family: transforms against the definition, and refusals.
#include <gtest/gtest.h>

#include <complex>
#include <numbers>

#include "ops/one_op.h"

namespace fewbits {
namespace {

using test::OneOp;
using Complex = std::complex<float>;

// The definition, of a slice cut or padded to height x width.
std::vector<std::complex<double>> expected(const std::vector<float>& x, int in_height, int in_width, int height,
                                           int width) {
  std::vector<std::complex<double>> y;
  for (int u = 0; u < height; ++u) {
    for (int v = 0; v < width / 2 + 1; ++v) {
      std::complex<double> sum = 0;
      for (int i = 0; i < std::min(height, in_height); ++i) {
        for (int j = 0; j < std::min(width, in_width); ++j) {
          const double turns = double(u) * i / height + double(v) * j / width;
          sum += double{x[static_cast<size_t>(i * in_width + j)]} * std::polar(1.0, -2 * std::numbers::pi * turns);
        }
      }
      y.push_back(sum);
    }
  }
  return y;
}

TEST(Rfft2d, IsTheDefinitionForEveryPowerOfTwo) {
  test::Random random(1);
  for (int height : {1, 2, 8}) {
    for (int width : {1, 2, 4, 16}) {
      for (auto [in_height, in_width] : {std::pair{5, 7}, std::pair{height, width}, std::pair{1, 20}}) {
        const std::vector<float> x = random.reals(static_cast<size_t>(2 * in_height * in_width), -1, 1);
        OneOp op(Op::RFFT2D);
        op.input(DType::kFloat32, {2, in_height, in_width}, x);
        op.constant(DType::kInt32, {2}, std::vector<int32_t>{height, width}).output(DType::kComplex64);
        ASSERT_TRUE(op.run());
        EXPECT_EQ(op.shape(), (Shape{2, height, width / 2 + 1}));
        const std::vector<Complex> y = op.result<Complex>();
        for (size_t slice = 0; slice < 2; ++slice) {
          const std::vector<float> part(x.begin() + static_cast<int64_t>(slice) * in_height * in_width, x.end());
          const auto wanted = expected(part, in_height, in_width, height, width);
          for (size_t i = 0; i < wanted.size(); ++i) {
            ASSERT_LT(std::abs(std::complex<double>(y[slice * wanted.size() + i]) - wanted[i]), 1e-5)
                << height << "x" << width;
          }
        }
      }
    }
  }
}

TEST(Rfft2d, RefusesOtherLengths) {
  for (int32_t length : {0, 3, -4, 1 << 30}) {
    OneOp op(Op::RFFT2D);
    op.input(DType::kFloat32, {4, 4})
        .constant(DType::kInt32, {2}, std::vector<int32_t>{4, length})
        .output(DType::kComplex64);
    EXPECT_FALSE(op.infer()) << length;
  }
  OneOp flat(Op::RFFT2D);
  flat.input(DType::kFloat32, {4}).constant(DType::kInt32, {2}, std::vector<int32_t>{4, 4}).output(DType::kComplex64);
  EXPECT_FALSE(flat.infer());
}

TEST(Rfft2d, LengthsThatAreNotKnownMakeTheOutputDynamic) {
  OneOp op(Op::RFFT2D);
  op.input(DType::kFloat32, {4, 4}, std::vector<float>(16, 1))
      .input(DType::kInt32, {2}, std::vector<int32_t>{4, 2})
      .output(DType::kComplex64);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{4, 2}));
  EXPECT_EQ(op.result<Complex>()[0], Complex(8, 0));
}

TEST(ComplexParts, OfThreeAndFour) {
  for (auto [code, wanted] :
       {std::pair{Op::REAL, 3.0f}, std::pair{Op::IMAG, -4.0f}, std::pair{Op::COMPLEX_ABS, 5.0f}}) {
    OneOp op(code);
    op.input(DType::kComplex64, {1}, std::vector<Complex>{{3, -4}}).output(DType::kFloat32);
    ASSERT_TRUE(op.run());
    EXPECT_EQ(op.result<float>()[0], wanted);
  }
  OneOp wrong(Op::REAL);
  wrong.input(DType::kFloat32, {1}, std::vector<float>{3}).output(DType::kFloat32);
  EXPECT_FALSE(wrong.prepare());
}

}  // namespace
}  // namespace fewbits
