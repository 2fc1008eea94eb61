// Broadcast walks against plain index arithmetic; the float functions against the C library in double; tables against
// their definition.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/broadcast.h"
#include "kernels/float_math.h"
#include "kernels/float_rows.h"
#include "kernels/lut.h"
#include "kernels/test_support.h"

namespace fewbits {
namespace {

using Dims = std::vector<int32_t>;

// Element `at` of the output read from an operand of `shape`, by index arithmetic.
size_t operand_index(const Dims& shape, const Dims& out, size_t at) {
  size_t index = 0, stride = 1;
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t coordinate = at % static_cast<size_t>(out[out.size() - 1 - i]);
    at /= static_cast<size_t>(out[out.size() - 1 - i]);
    if (i >= shape.size()) continue;
    const auto dim = static_cast<size_t>(shape[shape.size() - 1 - i]);
    if (dim != 1) index += coordinate * stride;
    stride *= dim;
  }
  return index;
}

void expect_walk(const Dims& a, const Dims& b, const Dims& out, int threads, size_t rank) {
  const auto plan = plan_broadcast<2>({a, b}, out);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->rank, rank);
  const auto count = [](const Dims& shape) {
    return std::accumulate(shape.begin(), shape.end(), size_t{1},
                           [](size_t n, int32_t d) { return n * static_cast<size_t>(d); });
  };
  std::vector<int32_t> x(count(a)), y(count(b)), z(count(out), -1);
  std::iota(x.begin(), x.end(), 0);
  std::iota(y.begin(), y.end(), 0);
  const ThreadPool pool(threads);
  map_broadcast(*plan, x.data(), y.data(), z.data(), &pool, 1, [](int32_t p, int32_t q) { return p * 1000 + q; });
  for (size_t i = 0; i < z.size(); ++i) {
    ASSERT_EQ(z[i], static_cast<int32_t>(operand_index(a, out, i) * 1000 + operand_index(b, out, i))) << i;
  }
}

TEST(Broadcast, MergesWhatItCan) {
  for (int threads : {1, 3}) {
    expect_walk({2, 3, 4}, {2, 3, 4}, {2, 3, 4}, threads, 1);
    expect_walk({2, 3, 4}, {4}, {2, 3, 4}, threads, 2);
    expect_walk({}, {5}, {5}, threads, 1);
    expect_walk({}, {}, {}, threads, 1);
    expect_walk({1, 1}, {1}, {1, 1}, threads, 1);
    expect_walk({2, 1, 1, 3}, {1, 4, 5, 1}, {2, 4, 5, 3}, threads, 3);
    expect_walk({2, 1, 3, 1, 2, 1, 3, 1}, {1, 2, 1, 3, 1, 2, 1, 2}, {2, 2, 3, 3, 2, 2, 3, 2}, threads, 8);
    expect_walk({3, 1, 2, 1, 2, 2, 1, 1, 2}, {3, 5, 1, 1, 2, 2, 1, 1, 2}, {3, 5, 2, 1, 2, 2, 1, 1, 2}, threads, 4);
  }
}

TEST(Broadcast, OfNothingAndOfTooMuch) {
  const auto empty = plan_broadcast<2>({Dims{0, 3}, Dims{3}}, Dims{0, 3});
  ASSERT_TRUE(empty);
  for_each_row(*empty, nullptr, 1, [](const auto&, size_t, size_t) { FAIL() << "a row of an empty tensor"; });
  EXPECT_FALSE(plan_broadcast<2>({Dims{2, 1, 2, 1, 2, 1, 2, 1, 2}, Dims{1, 2, 1, 2, 1, 2, 1, 2, 1}}, Dims(9, 2)));
}

TEST(FloatMath, CloseToTheCLibrary) {
  for (float x = -87.0f; x < 88.7f; x += 0.0137f) {
    const double e = std::exp(static_cast<double>(x)), t = std::tanh(static_cast<double>(x)),
                 l = 1 / (1 + std::exp(-static_cast<double>(x)));
    ASSERT_NEAR(static_cast<double>(exp_f32(x)) / e, 1, 2e-7) << x;
    ASSERT_NEAR(static_cast<double>(tanh_f32(x)) / t, 1, 2e-7) << x;
    ASSERT_NEAR(static_cast<double>(logistic_f32(x)) / l, 1, 3e-7) << x;
  }
}

TEST(FloatMath, EndsOfTheRange) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(exp_f32(0.0f), 1.0f);
  EXPECT_EQ(exp_f32(kInfinity), kInfinity);
  EXPECT_EQ(exp_f32(89.0f), kInfinity);
  EXPECT_EQ(exp_f32(-kInfinity), 0.0f);
  EXPECT_NEAR(exp_f32(-100.0f) / std::exp(-100.0f), 1, 0.05);  // subnormal
  EXPECT_TRUE(std::isnan(exp_f32(kNaN)) && std::isnan(tanh_f32(kNaN)) && std::isnan(logistic_f32(kNaN)));
  EXPECT_EQ(tanh_f32(kInfinity), 1.0f);
  EXPECT_EQ(tanh_f32(-kInfinity), -1.0f);
  EXPECT_EQ(tanh_f32(1e-20f), 1e-20f);
  EXPECT_EQ(logistic_f32(kInfinity), 1.0f);
  EXPECT_EQ(logistic_f32(-kInfinity), 0.0f);
}

TEST(FloatRows, EveryTierComputesTheSameBits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  test::Random random(7);
  const FloatRows& baseline = *float_rows().back();
  for (const FloatRows* tier : float_rows()) {
    if (tier->isa > isa()) continue;
    for (size_t count : {1u, 15u, 16u, 17u, 100u, 2085u}) {
      test::Guarded<float> x(count), expected(count), got(count);
      for (float& v : x.span()) v = random.real(-20, 20);
      if (count > 20) x.data()[3] = kInfinity, x.data()[4] = -kInfinity, x.data()[5] = -0.5f, x.data()[6] = 2.5f;
      for (auto row :
           {&FloatRows::exp, &FloatRows::logistic, &FloatRows::swish, &FloatRows::tanh, &FloatRows::elu,
            &FloatRows::gelu, &FloatRows::gelu_approximate, &FloatRows::floor, &FloatRows::ceil, &FloatRows::round}) {
        (baseline.*row)(x.data(), expected.data(), count);
        (tier->*row)(x.data(), got.data(), count);
        ASSERT_EQ(std::memcmp(expected.data(), got.data(), count * sizeof(float)), 0) << tier->name << " of " << count;
      }
      if (count > 20) x.data()[3] = x.data()[4] = 0;
      const float most = baseline.maximum(x.data(), count);
      ASSERT_EQ(tier->maximum(x.data(), count), most);
      ASSERT_EQ(tier->exp_sum(x.data(), count, most), baseline.exp_sum(x.data(), count, most));
      const double sum = baseline.exp_row(x.data(), expected.data(), count, most, 0.5f);
      ASSERT_EQ(tier->exp_row(x.data(), got.data(), count, most, 0.5f), sum);
      ASSERT_EQ(std::memcmp(expected.data(), got.data(), count * sizeof(float)), 0);
    }
  }
}

TEST(FloatRows, WholeNumbersAndEndsByHand) {
  const FloatRows& rows = select_float_rows(isa());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {2.5f, -2.5f, 3.5f, -0.3f, 0.7f, 1e9f, -kInfinity, 8388609.0f};
  std::vector<float> y(x.size());
  rows.round(x.data(), y.data(), x.size());
  EXPECT_EQ(y, (std::vector<float>{2, -2, 4, 0, 1, 1e9f, -kInfinity, 8388609.0f}));
  rows.floor(x.data(), y.data(), x.size());
  EXPECT_EQ(y, (std::vector<float>{2, -3, 3, -1, 0, 1e9f, -kInfinity, 8388609.0f}));
  rows.ceil(x.data(), y.data(), x.size());
  EXPECT_EQ(y, (std::vector<float>{3, -2, 4, 0, 1, 1e9f, -kInfinity, 8388609.0f}));
  rows.gelu(x.data(), y.data(), x.size());
  EXPECT_EQ(y[6], 0.0f);
  EXPECT_NEAR(y[1], -2.5 * 0.5 * std::erfc(2.5 / std::sqrt(2.0)), 1e-8);
}

TEST(Lut, BytesSaturateAndRoundHalfAway) {
  ByteTable table{};
  fill_table_of_reals<int8_t>(table, 0.5f, 10, 1.0f, -3, [](float x) { return x; });
  EXPECT_EQ(static_cast<int8_t>(table[10]), -3);
  EXPECT_EQ(static_cast<int8_t>(table[11]), -2);     // 0.5 -> 1
  EXPECT_EQ(static_cast<int8_t>(table[9]), -4);      // -0.5 -> -1
  EXPECT_EQ(static_cast<int8_t>(table[0x80]), -72);  // -128: -69
  fill_table_of_reals<uint8_t>(table, 1.0f, 0, 1.0f, 0, [](float x) { return std::exp(x); });
  EXPECT_EQ(table[0], 1);
  EXPECT_EQ(table[6], 255);
  EXPECT_EQ(table[255], 255);  // infinity
}

TEST(Lut, WordsInterpolateALineExactly) {
  WordTable table{};
  fill_word_table<double>(table, 1.0, 0, 2.0, 0, [](double x) { return x; });
  for (int32_t q = -32768; q < 32768; q += 7) {
    ASSERT_NEAR(look_up(table, static_cast<int16_t>(q)), q / 2.0, 0.51) << q;
  }
}

}  // namespace
}  // namespace fewbits
