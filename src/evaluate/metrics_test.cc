// Measures against numbers worked out by hand.
#include "evaluate/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "evaluate/accuracy.h"
#include "evaluate/latency.h"
#include "evaluate/real_values.h"

namespace fewbits::evaluate {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

template <class T>
RealTensor tensor(DType type, Shape shape, const std::vector<T>& values, const QuantParams* quant = nullptr) {
  return {{type, std::move(shape), values.data(), values.size() * sizeof(T)}, quant};
}
RealTensor floats(Shape shape, const std::vector<float>& values) {
  return tensor(DType::kFloat32, std::move(shape), values);
}

TEST(ErrorSums, HandComputed) {
  const std::vector<float> a{3, 4, 0, 0}, b{3, 3, 0, 0.5f};
  ErrorSums sums;
  ASSERT_TRUE(sums.add(floats({4}, a), floats({4}, b)));
  const TensorError error = sums.result();
  EXPECT_EQ(error.elements, 4u);
  EXPECT_NEAR(error.sqnr_db, 10 * std::log10(25.0 / 1.25), 1e-12);  // 13.0103
  EXPECT_NEAR(error.cosine, 21 / (5 * std::sqrt(18.25)), 1e-12);
  EXPECT_DOUBLE_EQ(error.max_abs, 1);
  EXPECT_DOUBLE_EQ(error.mean_abs, 0.375);
  EXPECT_DOUBLE_EQ(error.reference_max_abs, 4);
}

TEST(ErrorSums, SumsOverCallsAndChunks) {
  const std::vector<float> ones(3000, 1), twos(3000, 2);
  ErrorSums sums;
  ASSERT_TRUE(sums.add(floats({3000}, ones), floats({3000}, ones)));
  ASSERT_TRUE(sums.add(floats({3000}, ones), floats({3000}, twos)));
  EXPECT_EQ(sums.result().elements, 6000u);
  EXPECT_NEAR(sums.result().sqnr_db, 10 * std::log10(2.0), 1e-12);
  EXPECT_DOUBLE_EQ(sums.result().mean_abs, 0.5);
}

TEST(ErrorSums, EqualTensorsHaveNoNoise) {
  const std::vector<float> a{1, -2};
  ErrorSums sums;
  ASSERT_TRUE(sums.add(floats({2}, a), floats({2}, a)));
  EXPECT_EQ(sums.result().sqnr_db, std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(sums.result().cosine, 1);
}

TEST(ErrorSums, ZeroReference) {
  const std::vector<float> zero{0, 0}, one{0, 1};
  ErrorSums sums;
  ASSERT_TRUE(sums.add(floats({2}, zero), floats({2}, one)));
  EXPECT_EQ(sums.result().sqnr_db, -std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(sums.result().cosine, 0);
}

TEST(ErrorSums, NonFiniteNumbersStayOutOfTheSums) {
  const std::vector<float> a{1, kNan, kInf, kInf, 2, kNan}, b{1, kNan, kInf, -kInf, kNan, 3};
  ErrorSums sums;
  ASSERT_TRUE(sums.add(floats({6}, a), floats({6}, b)));
  EXPECT_EQ(sums.result().elements, 1u);
  EXPECT_EQ(sums.result().nonfinite, 3u);
  EXPECT_EQ(sums.result().max_abs, 0);
  EXPECT_FALSE(std::isnan(sums.result().sqnr_db));
}

TEST(ErrorSums, IntegersCountAsWhatTheyStandFor) {
  const QuantParams quant{{0.5f}, {-3}};
  const std::vector<float> a{1, -1};
  const std::vector<int8_t> q{-1, -5};  // 0.5 * (-1 + 3) = 1, 0.5 * (-5 + 3) = -1
  ErrorSums sums;
  ASSERT_TRUE(sums.add(floats({2}, a), tensor(DType::kInt8, {2}, q, &quant)));
  EXPECT_EQ(sums.result().max_abs, 0);
}

TEST(ErrorSums, RefusesDifferentSizesAndTypesThatAreNoNumbers) {
  const std::vector<float> a{1, 2}, b{1};
  ErrorSums sums;
  EXPECT_EQ(sums.add(floats({2}, a), floats({1}, b)).error().code, ErrorCode::kInvalidArgument);
  const std::vector<uint8_t> text{1};
  EXPECT_EQ(sums.add(floats({1}, b), tensor(DType::kString, {1}, text)).error().code, ErrorCode::kUnsupported);
}

TEST(ReadReal, PerAxisScales) {
  QuantParams quant{{1, 10}, {0, 0}, 0};
  const std::vector<int8_t> q{1, 2, 3, 4};  // [2, 2]: rows of scale 1 and 10
  std::vector<double> out(4);
  read_real({DType::kInt8, {2, 2}, q.data(), 4}, &quant, 0, out);
  EXPECT_EQ(out, (std::vector<double>{1, 2, 30, 40}));
  quant.axis = 1;
  read_real({DType::kInt8, {2, 2}, q.data(), 4}, &quant, 0, out);
  EXPECT_EQ(out, (std::vector<double>{1, 20, 3, 40}));
}

TEST(ReadReal, PackedAndHalfTypes) {
  const std::vector<uint8_t> packed{0x7f, 0x08};  // int4, low half first: -1, 7, -8
  std::vector<double> out(3);
  read_real({DType::kInt4, {3}, packed.data(), 2}, nullptr, 0, out);
  EXPECT_EQ(out, (std::vector<double>{-1, 7, -8}));
  const std::vector<uint16_t> half{0x3c00, 0xc000};  // 1, -2
  out.resize(2);
  read_real({DType::kFloat16, {2}, half.data(), 4}, nullptr, 0, out);
  EXPECT_EQ(out, (std::vector<double>{1, -2}));
}

TEST(Agreement, CountsRows) {
  const std::vector<float> a{1, 2, 3, 4, 3, 2}, b{0, 1, 9, 1, 9, 2};
  Agreement agreement;
  agreement.add(floats({2, 3}, a), floats({2, 3}, b));
  EXPECT_DOUBLE_EQ(*agreement.result(), 0.5);
}

TEST(Agreement, TiesGoToTheFirstAndNanNeverWins) {
  const std::vector<float> tie{5, 5, 1}, nan{kNan, 5, 1}, all_low{-kInf, -kInf, kNan};
  EXPECT_EQ(argmax(floats({3}, tie), 0, 3), 0u);
  EXPECT_EQ(argmax(floats({3}, nan), 0, 3), 1u);
  EXPECT_EQ(argmax(floats({3}, all_low), 0, 3), 0u);
}

TEST(Agreement, PlainIntegersMustBeEqual) {
  const std::vector<int32_t> a{1, 2, 3, 4}, b{1, 2, 3, 5};
  Agreement agreement;
  agreement.add(tensor(DType::kInt32, {4}, a), tensor(DType::kInt32, {4}, b));
  EXPECT_DOUBLE_EQ(*agreement.result(), 0.75);
}

TEST(Agreement, NothingForSingleNumbers) {
  const std::vector<float> a{1};
  Agreement agreement;
  agreement.add(floats({1, 1}, a), floats({1, 1}, a));
  EXPECT_FALSE(agreement.result());
}

TEST(RankOf, HigherScoresAndEarlierTiesStandBefore) {
  const std::vector<float> scores{0.1f, 0.5f, 0.5f, 0.9f, kNan};
  EXPECT_EQ(rank_of(floats({1, 5}, scores), 3), 0);
  EXPECT_EQ(rank_of(floats({1, 5}, scores), 1), 1);
  EXPECT_EQ(rank_of(floats({1, 5}, scores), 2), 2);
  EXPECT_EQ(rank_of(floats({1, 5}, scores), 0), 3);
  EXPECT_GT(rank_of(floats({1, 5}, scores), 4), 1000);
}

TEST(RankOf, OneNumberIsTwoClasses) {
  const std::vector<float> high{0.7f}, low{0.2f};
  EXPECT_EQ(rank_of(floats({1, 1}, high), 1), 0);
  EXPECT_EQ(rank_of(floats({1, 1}, high), 0), 1);
  EXPECT_EQ(rank_of(floats({1, 1}, low), 0), 0);
}

TEST(ClassCount, LastDimensionAlone) {
  EXPECT_EQ(class_count({1, 1000}), 1000);
  EXPECT_EQ(class_count({-1, 12}), 12);
  EXPECT_EQ(class_count({1, 1}), 2);
  EXPECT_EQ(class_count({1, 10, 4}), 0);
  EXPECT_EQ(class_count({1, -1}), 0);
}

TEST(Latency, OrderStatistics) {
  const Latency odd = summarize({5'000'000, 1'000'000, 3'000'000});
  EXPECT_DOUBLE_EQ(odd.median_ms, 3);
  EXPECT_DOUBLE_EQ(odd.min_ms, 1);
  EXPECT_DOUBLE_EQ(odd.p90_ms, 5);
  EXPECT_DOUBLE_EQ(odd.mean_ms, 3);
  std::vector<int64_t> ten;
  for (int64_t i = 1; i <= 10; ++i) ten.push_back(i * 1'000'000);
  EXPECT_DOUBLE_EQ(summarize(ten).median_ms, 5.5);
  EXPECT_DOUBLE_EQ(summarize(ten).p90_ms, 9);
  EXPECT_DOUBLE_EQ(summarize({7'000'000}).p90_ms, 7);
}

TEST(ErrorSums, MeanOfSamplesWeighsEachAlike) {
  ErrorSums sums;
  const float a[2] = {10, 0}, b[2] = {9, 0}, c[2] = {1, 0}, d[2] = {0, 0};  // 20 dB, then 0 dB
  const auto tensor = [](const float* data) { return RealTensor{{DType::kFloat32, {2}, data, 8}, nullptr}; };
  ASSERT_TRUE(sums.add(tensor(a), tensor(b)));
  ASSERT_TRUE(sums.add(tensor(c), tensor(d)));
  EXPECT_NEAR(sums.result().mean_sqnr_db, 10.0, 1e-9);
  EXPECT_NEAR(sums.result().sqnr_db, 10 * std::log10(101.0 / 2.0), 1e-9);
}

}  // namespace
}  // namespace fewbits::evaluate
