// What the conformance cases cannot show: axes that change between runs, reductions of nothing, exactness of long sums,
// refusals. Expected numbers are worked out by hand or index by index.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/test_support.h"
#include "ops/one_op.h"
#include "ops/reduce/column_sums.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;
using Bytes = std::vector<int8_t>;
using Words = std::vector<int16_t>;

void expect_refused(const Status& status, const char* part) {
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr(part));
}

tflite::ReducerOptionsT keep() {
  tflite::ReducerOptionsT options;
  options.keep_dims = true;
  return options;
}

TEST(Reduce, AlternatingDimensionsIndexByIndex) {
  const Shape shape = {2, 3, 2, 2, 3, 5};
  Ints x(360);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int32_t>(i * i % 101);
  for (uint32_t mask = 0; mask < 64; ++mask) {
    Ints axes, expected;
    size_t outputs = 1;
    for (int d = 0; d < 6; ++d) {
      if (mask >> d & 1) {
        axes.push_back(d - 6);
      } else {
        outputs *= static_cast<size_t>(shape[static_cast<size_t>(d)]);
      }
    }
    expected.assign(outputs, 0);
    for (size_t i = 0; i < x.size(); ++i) {
      size_t rest = i, at = 0, stride = 1;
      for (size_t d = 6; d-- > 0; rest /= static_cast<size_t>(shape[d])) {
        if (mask >> d & 1) continue;
        at += rest % static_cast<size_t>(shape[d]) * stride;
        stride *= static_cast<size_t>(shape[d]);
      }
      expected[at] += x[i];
    }
    OneOp op(Op::SUM);
    op.input(DType::kInt32, shape, x)
        .constant(DType::kInt32, {static_cast<int32_t>(axes.size())}, axes)
        .output(DType::kInt32);
    ASSERT_TRUE(op.run(2));
    ASSERT_EQ(op.result<int32_t>(), expected) << "axes " << mask;
  }
}

// A session prepares again only when a shape changes.
TEST(Reduce, AxisIsReadWhenTheKernelRuns) {
  OneOp op(Op::SUM);
  op.input(DType::kInt32, {2, 2}, Ints{1, 2, 3, 4}).input(DType::kInt32, {1}, Ints{0}).output(DType::kInt32);
  ASSERT_TRUE(op.infer());
  EXPECT_TRUE(op.is_dynamic());
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(4, 6));
  Ints x = {1, 2, 3, 4}, axis = {-1}, y(2);
  void* in[] = {x.data(), axis.data()};
  void* out[] = {y.data()};
  op.prepared().kernel->run({in, out, nullptr, nullptr});
  EXPECT_THAT(y, ElementsAre(3, 7));
  axis[0] = 99;  // never further than infer() let it; here nothing is reduced, and nothing breaks
  Ints room(4);
  out[0] = room.data();
  op.prepared().kernel->run({in, out, nullptr, nullptr});
}

TEST(Reduce, ShapesAndRefusals) {
  OneOp kept(Op::MEAN);
  kept.options(keep())
      .input(DType::kFloat32, {2, 3, 4})
      .constant(DType::kInt32, {3}, Ints{1, -1, 1})
      .output(DType::kFloat32);
  ASSERT_TRUE(kept.infer());
  EXPECT_EQ(kept.shape(), (Shape{2, 1, 1}));
  OneOp axis(Op::MEAN);
  axis.input(DType::kFloat32, {2, 3}).constant(DType::kInt32, {1}, Ints{2}).output(DType::kFloat32);
  expect_refused(axis.infer(), "axis 2");
  OneOp type(Op::REDUCE_ANY);
  type.input(DType::kFloat32, {2}).constant(DType::kInt32, {1}, Ints{0}).output(DType::kFloat32);
  expect_refused(type.prepare(), "must be bool");
  OneOp scales(Op::REDUCE_MAX);
  scales.input(DType::kInt8, {2}, quant({0.5f}, {0}))
      .constant(DType::kInt32, {1}, Ints{0})
      .output(DType::kInt8, quant({0.25f}, {0}));
  expect_refused(scales.prepare(), "same scale");
  OneOp rank(Op::SUM);
  rank.input(DType::kFloat32, Shape(17, 1)).constant(DType::kInt32, {1}, Ints{0}).output(DType::kFloat32);
  expect_refused(rank.prepare(), "rank 17");
}

TEST(Reduce, OfNothing) {
  const auto reduce = [](Op code) {
    OneOp op(code);
    op.input(DType::kFloat32, {0, 2}, Floats{}).constant(DType::kInt32, {1}, Ints{0}).output(DType::kFloat32);
    EXPECT_TRUE(op.run());
    return op.result<float>();
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(reduce(Op::SUM), ElementsAre(0, 0));
  EXPECT_THAT(reduce(Op::REDUCE_PROD), ElementsAre(1, 1));
  EXPECT_THAT(reduce(Op::REDUCE_MAX), ElementsAre(-kInfinity, -kInfinity));
  EXPECT_THAT(reduce(Op::REDUCE_MIN), ElementsAre(kInfinity, kInfinity));
  EXPECT_TRUE(std::isnan(reduce(Op::MEAN)[1]));
  OneOp quantized(Op::MEAN);
  quantized.input(DType::kInt8, {0, 1}, Bytes{}, quant({1.0f}, {3}))
      .constant(DType::kInt32, {1}, Ints{0})
      .output(DType::kInt8, quant({1.0f}, {3}));
  ASSERT_TRUE(quantized.run());
  EXPECT_THAT(quantized.result<int8_t>(), ElementsAre(0));
}

TEST(Reduce, LongSumsStayExact) {
  // A plain float32 loop is 1% off here.
  OneOp rows(Op::SUM);
  rows.input(DType::kFloat32, {1, 1000000}, Floats(1000000, 0.1f))
      .constant(DType::kInt32, {1}, Ints{1})
      .output(DType::kFloat32);
  ASSERT_TRUE(rows.run());
  EXPECT_NEAR(rows.result<float>()[0], 100000.0015, 0.1);
  OneOp columns(Op::MEAN);
  columns.input(DType::kFloat32, {1, 500, 1000, 3}, Floats(1500000, 0.1f))
      .constant(DType::kInt32, {2}, Ints{1, 2})
      .output(DType::kFloat32);
  ASSERT_TRUE(columns.run());
  EXPECT_NEAR(columns.result<float>()[2], 0.1, 1e-7);
}

TEST(Reduce, QuantizedByHand) {
  const auto reduce = [](Op code, float out_scale, int zero) {
    OneOp op(code);
    op.input(DType::kInt8, {3}, Bytes{3, 5, 9}, quant({0.5f}, {1}))
        .constant(DType::kInt32, {1}, Ints{0})
        .output(DType::kInt8, quant({out_scale}, {zero}));
    EXPECT_TRUE(op.run());
    return op.result<int8_t>()[0];
  };
  EXPECT_EQ(reduce(Op::SUM, 0.25f, -4), 24);           // 1 + 2 + 4 = 28 / 4
  EXPECT_EQ(reduce(Op::MEAN, 0.25f, -4), 5);           // 7 / 3 = 9.33 / 4
  EXPECT_EQ(reduce(Op::REDUCE_PROD, 0.125f, -4), 60);  // 1 * 2 * 4 = 64 / 8
}

TEST(Arg, FirstOfEqualsAlongAnyAxis) {
  OneOp op(Op::ARG_MAX);
  op.input(DType::kInt8, {2, 3}, Bytes{1, 7, 7, 9, 0, 9})
      .constant(DType::kInt64, {1}, std::vector<int64_t>{-1})
      .output(DType::kInt64);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int64_t>(), ElementsAre(1, 0));
  OneOp least(Op::ARG_MIN);
  least.input(DType::kFloat32, {2, 3}, Floats{1, 7, 7, 9, 0, 9})
      .input(DType::kInt32, {1}, Ints{0})
      .output(DType::kInt32);
  ASSERT_TRUE(least.run());
  EXPECT_THAT(least.result<int32_t>(), ElementsAre(0, 1, 0));
  OneOp empty(Op::ARG_MAX);
  empty.input(DType::kFloat32, {2, 0}).constant(DType::kInt32, {1}, Ints{1}).output(DType::kInt32);
  expect_refused(empty.infer(), "is empty");
}

TEST(TopK, TiesAndNaN) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  OneOp op(Op::TOPK_V2);
  op.input(DType::kFloat32, {2, 4}, Floats{1, 3, kNaN, 3, kNaN, kNaN, -5, kNaN})
      .constant(DType::kInt32, {}, Ints{3})
      .output(DType::kFloat32)
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(1), ElementsAre(1, 3, 0, 2, 0, 1));
  EXPECT_EQ(op.result<float>()[3], -5.0f);
  OneOp many(Op::TOPK_V2);
  many.input(DType::kFloat32, {4}).constant(DType::kInt32, {}, Ints{5}).output(DType::kFloat32).output(DType::kInt32);
  expect_refused(many.infer(), "k is 5, of 4");
  OneOp none(Op::TOPK_V2);
  none.input(DType::kFloat32, {4}, Floats{1, 2, 3, 4})
      .constant(DType::kInt16, {}, Words{-1})
      .output(DType::kFloat32)
      .output(DType::kInt16);
  ASSERT_TRUE(none.run());
  EXPECT_EQ(none.shape(), (Shape{0}));
}

TEST(Cumsum, ExclusiveAndReverse) {
  tflite::CumsumOptionsT options;
  options.exclusive = options.reverse = true;
  OneOp op(Op::CUMSUM);
  op.options(options)
      .input(DType::kInt32, {2, 3}, Ints{1, 2, 3, 4, 5, 6})
      .constant(DType::kInt32, {}, Ints{-1})
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(5, 3, 0, 11, 6, 0));
  OneOp axis(Op::CUMSUM);
  axis.input(DType::kInt32, {2}).constant(DType::kInt32, {}, Ints{1}).output(DType::kInt32);
  expect_refused(axis.infer(), "axis 1");
}

TEST(ReduceWindow, Places) {
  using Longs = std::vector<int64_t>;
  const auto places = [](Longs window, Longs strides) {
    OneOp op(Op::REDUCE_WINDOW);
    op.input(DType::kInt32, {5})
        .constant(DType::kInt32, {}, Ints{0})
        .constant(DType::kInt64, {1}, window)
        .constant(DType::kInt64, {1}, strides)
        .constant(DType::kInt64, {1}, Longs{1})
        .output(DType::kInt32);
    EXPECT_TRUE(op.infer());
    return op.shape();
  };
  EXPECT_EQ(places({2}, {2}), (Shape{2}));
  EXPECT_EQ(places({6}, {1}), (Shape{0}));
  OneOp zero(Op::REDUCE_WINDOW);
  zero.input(DType::kInt32, {5})
      .constant(DType::kInt32, {}, Ints{0})
      .constant(DType::kInt64, {1}, Longs{2})
      .constant(DType::kInt64, {1}, Longs{0})
      .constant(DType::kInt64, {1}, Longs{1})
      .output(DType::kInt32);
  expect_refused(zero.infer(), "holds 0");
}

// The machine's column sums against plain loops, at widths and heights around its blocks.
template <class T, class Sum>
void expect_column_sums(T lo, T hi) {
  const auto sums_of = ops::select_column_sums<T, Sum>();
  if (sums_of == nullptr) return;  // the plain loops are all there is
  test::Random random(5);
  for (const size_t columns : {size_t{1}, size_t{16}, size_t{63}, size_t{64}, size_t{65}, size_t{128}}) {
    for (const size_t rows : {size_t{1}, size_t{2}, size_t{254}, size_t{255}, size_t{256}, size_t{600}}) {
      const size_t stride = columns + 3;
      test::Guarded<T> in((rows - 1) * stride + columns);
      for (size_t i = 0; i < (rows - 1) * stride + columns; ++i) {
        in.data()[i] = i % 3 == 0 ? lo : i % 3 == 1 ? hi : static_cast<T>(random.real(1, 100));
      }
      test::Guarded<Sum> sums(columns);
      sums_of(in.data(), rows, stride, columns, sums.data());
      for (size_t c = 0; c < columns; ++c) {
        Sum expected = 0;
        for (size_t r = 0; r < rows; ++r) expected += static_cast<Sum>(in.data()[r * stride + c]);
        ASSERT_EQ(sums.data()[c], expected) << columns << " columns, " << rows << " rows, column " << c;
      }
    }
  }
}

TEST(ColumnSums, EqualPlainLoops) {
  expect_column_sums<int8_t, uint32_t>(-128, 127);
  expect_column_sums<uint8_t, uint32_t>(0, 255);
  expect_column_sums<float, float>(-1e6f, 0.1f);
}

}  // namespace
}  // namespace fewbits
