// Tests of the pool family.
#include <gtest/gtest.h>

#include "ops/one_op.h"
#include "ops/pool/pool_args.h"

namespace fewbits {
namespace {

using test::OneOp;
using test::quant;

tflite::Pool2DOptionsT pool_options(bool same, int32_t filter_h, int32_t filter_w, int32_t stride_h, int32_t stride_w) {
  tflite::Pool2DOptionsT options;
  options.padding = same ? tflite::Padding::SAME : tflite::Padding::VALID;
  options.filter_height = filter_h;
  options.filter_width = filter_w;
  options.stride_h = stride_h;
  options.stride_w = stride_w;
  return options;
}

TEST(Pool, AveragesWithoutThePadding) {
  OneOp op(Op::AVERAGE_POOL_2D);
  op.options(pool_options(true, 2, 2, 2, 2))
      .input<float>(DType::kFloat32, {1, 3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{1, 2, 2, 1}));
  EXPECT_EQ(op.result<float>(), (std::vector<float>{3, 4.5, 7.5, 9}));
}

TEST(Pool, RoundsHalfAwayFromZero) {
  OneOp op(Op::AVERAGE_POOL_2D);
  op.options(pool_options(false, 1, 2, 1, 2))
      .input<int8_t>(DType::kInt8, {1, 1, 6, 1}, {1, 2, -1, -2, 127, 126}, quant({0.5f}, {3}))
      .output(DType::kInt8, quant({0.5f}, {3}));
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<int8_t>(), (std::vector<int8_t>{2, -2, 127}));
}

TEST(Pool, L2IsTheRootOfTheMeanSquare) {
  OneOp op(Op::L2_POOL_2D);
  op.options(pool_options(false, 1, 2, 1, 2))
      .input<float>(DType::kFloat32, {1, 1, 2, 1}, {1, 7})
      .output(DType::kFloat32);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.result<float>(), std::vector<float>{5});
}

TEST(Pool, KeepsUnknownSizes) {
  OneOp op(Op::MAX_POOL_2D);
  op.options(pool_options(true, 3, 3, 2, 2)).input(DType::kFloat32, {-1, -1, 7, 5}).output(DType::kFloat32);
  ASSERT_TRUE(op.infer());
  EXPECT_EQ(op.shape(), (Shape{-1, -1, 4, 5}));
}

TEST(Pool, RefusesWhatMakesNoSense) {
  const auto refused = [](tflite::Pool2DOptionsT options, Shape shape) {
    OneOp op(Op::MAX_POOL_2D);
    op.options(std::move(options)).input(DType::kFloat32, std::move(shape)).output(DType::kFloat32);
    return !op.infer();
  };
  EXPECT_TRUE(refused(pool_options(true, 2, 2, 0, 1), {1, 4, 4, 1}));
  EXPECT_TRUE(refused(pool_options(true, 0, 2, 1, 1), {1, 4, 4, 1}));
  EXPECT_TRUE(refused(pool_options(true, INT32_MAX, 2, 1, 1), {1, 4, 4, 1}));
  EXPECT_TRUE(refused(pool_options(true, 2, 2, 1, 1), {4, 4, 1}));
  EXPECT_FALSE(refused(pool_options(false, 5, 5, 1, 1), {1, 4, 4, 1}));  // no window fits: an empty output
}

TEST(Pool, RefusesParametersThatDiffer) {
  OneOp op(Op::MAX_POOL_2D);
  op.options(pool_options(true, 2, 2, 2, 2))
      .input(DType::kInt8, {1, 4, 4, 1}, quant({0.5f}, {0}))
      .output(DType::kInt8, quant({0.25f}, {0}));
  const Status status = op.prepare();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("same scale"), std::string::npos);
}

template <class T>
DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, int8_t>) return DType::kInt8;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::kUInt8;
  return DType::kInt16;
}

// The vectorized kernels against the specification, over channel counts around every block size.
template <class T>
void compare_with_reference() {
  test::Random random(7);
  for (Op op : {Op::AVERAGE_POOL_2D, Op::MAX_POOL_2D, Op::L2_POOL_2D}) {
    if (op == Op::L2_POOL_2D && !std::is_same_v<T, float>) continue;
    for (int32_t channels : {1, 3, 8, 11, 31, 32, 33, 70}) {
      const Shape shape{2, 6, 7, channels};
      std::vector<T> values(element_count(shape));
      for (T& value : values) {
        value = std::is_same_v<T, float>
                    ? static_cast<T>(random.real(-4, 4))
                    : static_cast<T>(random.integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
      }
      const QuantParams params = std::is_same_v<T, float> ? QuantParams{} : quant({0.1f}, {0});
      OneOp one(op);
      one.options(pool_options(true, 3, 2, 2, 1))
          .input(dtype_of<T>(), shape, values, params)
          .output(dtype_of<T>(), params);
      ASSERT_TRUE(one.run(3));
      const ops::PoolArgs args{
          .kind = op == Op::MAX_POOL_2D  ? ops::PoolKind::kMax
                  : op == Op::L2_POOL_2D ? ops::PoolKind::kL2
                                         : ops::PoolKind::kAverage,
          .batch = 2,
          .in_h = 6,
          .in_w = 7,
          .channels = channels,
          .out_h = 3,
          .out_w = 7,
          .filter_h = 3,
          .filter_w = 2,
          .stride_h = 2,
          .stride_w = 1,
          .pad_top = 0,
          .pad_left = 0,
          .lo_f = -1e30f,
          .hi_f = 1e30f,
          .lo = std::is_same_v<T, float> ? 0 : static_cast<int32_t>(std::numeric_limits<T>::min()),
          .hi = std::is_same_v<T, float> ? 0 : static_cast<int32_t>(std::numeric_limits<T>::max())};
      std::vector<T> expected(element_count(one.shape()));
      ops::pool_ref(args, values.data(), expected.data());
      EXPECT_EQ(one.result<T>(), expected) << op_name(op) << " " << channels << " channels";
    }
  }
}

TEST(Pool, FloatEqualsTheReference) { compare_with_reference<float>(); }
TEST(Pool, Int8EqualsTheReference) { compare_with_reference<int8_t>(); }
TEST(Pool, Uint8EqualsTheReference) { compare_with_reference<uint8_t>(); }
TEST(Pool, Int16EqualsTheReference) { compare_with_reference<int16_t>(); }

}  // namespace
}  // namespace fewbits
