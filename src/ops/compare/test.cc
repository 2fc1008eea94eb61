// What the conformance cases cannot show: NaN, scaled comparison by hand, refusals, strings.
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
using Bytes = std::vector<int8_t>;

void expect_refused(const Status& status, const char* part) {
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr(part));
}

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
using Bools = std::vector<uint8_t>;

Bools compare(Op code, const Floats& a, const Floats& b) {
  OneOp op(code);
  const auto size = [](const Floats& v) { return Shape{static_cast<int32_t>(v.size())}; };
  op.input(DType::kFloat32, size(a), a).input(DType::kFloat32, size(b), b).output(DType::kBool);
  EXPECT_TRUE(op.run());
  return op.result<uint8_t>();
}

TEST(Compare, NaNEqualsNothing) {
  const Floats a = {1, kNaN, 2}, b = {1, kNaN, 3};
  EXPECT_THAT(compare(Op::EQUAL, a, b), ElementsAre(1, 0, 0));
  EXPECT_THAT(compare(Op::NOT_EQUAL, a, b), ElementsAre(0, 1, 1));
  EXPECT_THAT(compare(Op::LESS, a, b), ElementsAre(0, 0, 1));
  EXPECT_THAT(compare(Op::LESS_EQUAL, a, b), ElementsAre(1, 0, 1));
  EXPECT_THAT(compare(Op::GREATER, a, b), ElementsAre(0, 0, 0));
  EXPECT_THAT(compare(Op::GREATER_EQUAL, a, b), ElementsAre(1, 0, 0));
}

TEST(Compare, QuantizedOperandsByTheirRealValues) {
  // 1.0, 1.5 and -1.0 against 1.0, with scales of 1/2 and 1/4.
  OneOp op(Op::EQUAL);
  op.input(DType::kInt8, {3}, Bytes{3, 4, -1}, quant({0.5f}, {1}))
      .input(DType::kInt8, {1}, Bytes{2}, quant({0.25f}, {-2}))
      .output(DType::kBool);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<uint8_t>(), ElementsAre(1, 0, 0));
  OneOp plain(Op::LESS);
  plain.input(DType::kInt8, {2}, Bytes{3, -100}).input(DType::kInt8, {1}, Bytes{2}).output(DType::kBool);
  ASSERT_TRUE(plain.run());
  EXPECT_THAT(plain.result<uint8_t>(), ElementsAre(0, 1));
}

TEST(Compare, Refusals) {
  OneOp order(Op::LESS);
  order.input(DType::kBool, {2}).input(DType::kBool, {2}).output(DType::kBool);
  expect_refused(order.prepare(), "bool, bool");
  OneOp types(Op::EQUAL);
  types.input(DType::kInt32, {2}).input(DType::kInt64, {2}).output(DType::kBool);
  expect_refused(types.prepare(), "int32, int64");
  OneOp result(Op::EQUAL);
  result.input(DType::kInt32, {2}).input(DType::kInt32, {2}).output(DType::kInt32);
  expect_refused(result.prepare(), "must be bool");
  OneOp absent(Op::SELECT_V2);
  absent.absent().input(DType::kInt32, {2}).input(DType::kInt32, {2}).output(DType::kInt32);
  expect_refused(absent.infer(), "input 0 is left out");
}

// Any byte but 0 is true: the operands may come from a file.
TEST(Logic, BooleansThatAreNotOne) {
  OneOp both(Op::LOGICAL_AND);
  both.input(DType::kBool, {3}, Bools{2, 4, 0}).input(DType::kBool, {3}, Bools{1, 0, 0}).output(DType::kBool);
  ASSERT_TRUE(both.run());
  EXPECT_THAT(both.result<uint8_t>(), ElementsAre(1, 0, 0));
  OneOp negated(Op::LOGICAL_NOT);
  negated.input(DType::kBool, {3}, Bools{2, 0, 1}).output(DType::kBool);
  ASSERT_TRUE(negated.run());
  EXPECT_THAT(negated.result<uint8_t>(), ElementsAre(0, 1, 0));
}

TEST(Select, OneConditionASlice) {
  OneOp op(Op::SELECT);
  op.input(DType::kBool, {2}, Bools{0, 1})
      .input(DType::kInt32, {2, 2}, Ints{1, 2, 3, 4})
      .input(DType::kInt32, {2, 2}, Ints{5, 6, 7, 8})
      .output(DType::kInt32);
  ASSERT_TRUE(op.run());
  EXPECT_THAT(op.result<int32_t>(), ElementsAre(5, 6, 3, 4));
  OneOp wrong(Op::SELECT);
  wrong.input(DType::kBool, {3}).input(DType::kInt32, {2, 2}).input(DType::kInt32, {2, 2}).output(DType::kInt32);
  expect_refused(wrong.infer(), "a condition of [3]");
}

TEST(Select, AllThreeOperandsBroadcast) {
  OneOp op(Op::SELECT_V2);
  op.input(DType::kBool, {2, 1, 1}, Bools{1, 0})
      .input(DType::kInt8, {2, 1}, Bytes{1, 2})
      .input(DType::kInt8, {3}, Bytes{7, 8, 9})
      .output(DType::kInt8);
  ASSERT_TRUE(op.run());
  EXPECT_EQ(op.shape(), (Shape{2, 2, 3}));
  EXPECT_THAT(op.result<int8_t>(), ElementsAre(1, 1, 1, 2, 2, 2, 7, 8, 9, 7, 8, 9));
  OneOp wrong(Op::SELECT_V2);
  wrong.input(DType::kBool, {2}).input(DType::kInt32, {3}).input(DType::kInt32, {1}).output(DType::kInt32);
  expect_refused(wrong.infer(), "do not broadcast");
}

}  // namespace
}  // namespace fewbits
