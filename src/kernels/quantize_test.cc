// Every tier of the array kernels against arithmetic written here; requantization and fixed point against exact
// arithmetic.
#include "kernels/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/fixed_point.h"
#include "kernels/requantize.h"
#include "kernels/test_support.h"

namespace fewbits {
namespace {

using test::Guarded;
using test::Random;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kCounts[] = {0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 100, 1000};

template <class Test>
void for_each_tier(const Test& test) {
  for (const QuantizeKernels* tier : quantize_kernels()) {
    if (tier->isa <= isa()) test(*tier);
  }
}

// Half away from zero in double, whose sums with 0.5 are exact for float32 values of this size.
int64_t half_away(double value) {
  return static_cast<int64_t>(value < 0 ? std::ceil(value - 0.5) : std::floor(value + 0.5));
}

std::vector<float> awkward_values(Random& random, size_t count) {
  std::vector<float> values = random.reals(count, -70, 70);
  for (size_t i = 0; i < count; i += 3)
    values[i] = static_cast<float>(random.integer(-300, 300)) * 0.25f;  // ties of 0.5
  if (count > 20) {
    values[5] = 1e30f;
    values[11] = -kInfinity;
    values[13] = 0.49999997f * 0.5f;  // just below a tie: adding 0.5 in float32 would round it up
    values[17] = -0.0f;
  }
  return values;
}

TEST(Quantize, FloatToInt8AndInt16RoundsHalfAwayFromZero) {
  Random random(1);
  for (const size_t count : kCounts) {
    const Guarded<float> in(awkward_values(random, count));
    for_each_tier([&](const QuantizeKernels& tier) {
      for (int32_t zero : {-128, -3, 127}) {
        for (uint8_t flip : {0, 0x80}) {
          const Guarded<int8_t> out(count);
          tier.f32_to_s8(in.data(), out.data(), count, 0.5f, zero, -127, 126, flip);
          for (size_t i = 0; i < count; ++i) {
            const double x = std::clamp(in.data()[i] / 0.5, -1e6, 1e6);
            const auto expected = static_cast<int8_t>(std::clamp<int64_t>(half_away(x) + zero, -127, 126));
            ASSERT_EQ(out.data()[i], static_cast<int8_t>(expected ^ flip)) << tier.name << " x=" << in.data()[i];
          }
        }
      }
      const Guarded<int16_t> out(count);
      tier.f32_to_s16(in.data(), out.data(), count, 0.5f, 12, -32768, 32767);
      for (size_t i = 0; i < count; ++i) {
        const double x = std::clamp(in.data()[i] / 0.5, -1e6, 1e6);
        ASSERT_EQ(out.data()[i], std::clamp<int64_t>(half_away(x) + 12, -32768, 32767)) << tier.name;
      }
    });
  }
}

// Quotients at, and next to, the ties between two integers, where a quotient that is off by its last bit would show.
TEST(Quantize, QuotientsAreThoseOfADivision) {
  Random random(12);
  std::vector<float> in;
  for (int round = 0; round < 3000; ++round) {
    const float scale = random.real(0.5f, 1.0f) * std::ldexp(1.0f, static_cast<int>(random.real(-24, 8)));
    in.clear();
    for (int k = 0; k < 16; ++k) {
      float x = (std::floor(random.real(-130, 130)) + 0.5f) * scale;
      for (int step = 0; step < 3; ++step) x = std::nextafterf(x, -kInfinity);
      for (int step = 0; step < 6; ++step) in.push_back(x = std::nextafterf(x, kInfinity));
    }
    in.insert(in.end(), {kInfinity, -kInfinity, 3e38f, -3e38f, 0.0f, 1e-45f, -1e-40f});
    for_each_tier([&](const QuantizeKernels& tier) {
      std::vector<int8_t> out(in.size());
      tier.f32_to_s8(in.data(), out.data(), in.size(), scale, -1, -128, 127, 0);
      for (size_t i = 0; i < in.size(); ++i) {
        const float quotient = in[i] / scale;
        const auto expected = std::clamp<int64_t>(half_away(std::clamp(quotient, -1e6f, 1e6f)) - 1, -128, 127);
        ASSERT_EQ(out[i], expected) << tier.name << ' ' << in[i] << " / " << scale;
      }
    });
  }
}

TEST(Quantize, NanGivesTheLeastValue) {
  const std::vector<float> in(17, std::numeric_limits<float>::quiet_NaN());
  for_each_tier([&](const QuantizeKernels& tier) {
    std::vector<int8_t> out(17);
    tier.f32_to_s8(in.data(), out.data(), 17, 1.0f, 5, -100, 127, 0);
    EXPECT_EQ(out, std::vector<int8_t>(17, -100)) << tier.name;
  });
}

TEST(Quantize, IntegersToFloat) {
  Random random(2);
  for (const size_t count : kCounts) {
    const Guarded<int8_t> bytes(random.integers<int8_t>(count, -128, 127));
    const Guarded<int16_t> shorts(random.integers<int16_t>(count, -32768, 32767));
    const float scale = 0.0123f;
    for_each_tier([&](const QuantizeKernels& tier) {
      const Guarded<float> out(count);
      tier.s8_to_f32(bytes.data(), out.data(), count, scale, -128, 0x80);
      for (size_t i = 0; i < count; ++i) {
        const int unflipped = static_cast<uint8_t>(bytes.data()[i]);  // uint8 with zero point 0
        ASSERT_EQ(out.data()[i], static_cast<float>(static_cast<double>(scale) * unflipped)) << tier.name;
      }
      tier.s16_to_f32(shorts.data(), out.data(), count, scale, 9);
      for (size_t i = 0; i < count; ++i) {
        ASSERT_EQ(out.data()[i], static_cast<float>(static_cast<double>(scale) * (shorts.data()[i] - 9))) << tier.name;
      }
    });
  }
}

TEST(Quantize, DynamicAsymmetricByHand) {
  // Range [-1, 4]: scale 5 / 255, zero point -128 + 51 = -77.
  const std::vector<float> in = {-1, 0, 4, 2};
  for_each_tier([&](const QuantizeKernels& tier) {
    std::vector<int8_t> out(4);
    const DynamicParams params = tier.f32_to_s8_dynamic(in.data(), out.data(), 4, false);
    EXPECT_FLOAT_EQ(params.scale, 5.0f / 255) << tier.name;
    EXPECT_EQ(params.zero_point, -77) << tier.name;
    EXPECT_EQ(out, (std::vector<int8_t>{-128, -77, 127, 25})) << tier.name;
  });
}

TEST(Quantize, DynamicRangeAlwaysHoldsZero) {
  const std::vector<float> in = {2, 6, 10};  // range [0, 10]: times 25.5, less 128
  for_each_tier([&](const QuantizeKernels& tier) {
    std::vector<int8_t> out(3);
    EXPECT_EQ(tier.f32_to_s8_dynamic(in.data(), out.data(), 3, false).zero_point, -128) << tier.name;
    EXPECT_EQ(out, (std::vector<int8_t>{-77, 25, 127})) << tier.name;
  });
}

TEST(Quantize, DynamicSymmetricByHand) {
  const std::vector<float> in = {-2, 1, 0.5f, 0};
  for_each_tier([&](const QuantizeKernels& tier) {
    std::vector<int8_t> out(4);
    const DynamicParams params = tier.f32_to_s8_dynamic(in.data(), out.data(), 4, true);
    EXPECT_FLOAT_EQ(params.scale, 2.0f / 127) << tier.name;
    EXPECT_EQ(params.zero_point, 0) << tier.name;
    EXPECT_EQ(out, (std::vector<int8_t>{-127, 64, 32, 0})) << tier.name;
  });
}

TEST(Quantize, DynamicOfZerosAndOfInfinity) {
  for_each_tier([&](const QuantizeKernels& tier) {
    std::vector<float> in(19, 0.0f);
    std::vector<int8_t> out(19, 1);
    for (bool symmetric : {false, true}) {
      const DynamicParams params = tier.f32_to_s8_dynamic(in.data(), out.data(), 19, symmetric);
      EXPECT_EQ(params.scale, 1.0f);
      EXPECT_EQ(params.zero_point, 0);
      EXPECT_EQ(out, std::vector<int8_t>(19, 0)) << tier.name;
    }
    in[3] = kInfinity;
    tier.f32_to_s8_dynamic(in.data(), out.data(), 19, false);  // no trap, no undefined conversion (UBSan watches)
  });
}

TEST(Quantize, EveryTierEqualsTheReference) {
  Random random(3);
  for (const size_t count : kCounts) {
    for (bool symmetric : {false, true}) {
      const Guarded<float> in(random.reals(count, -3, 7));
      std::vector<int8_t> expected(count);
      const DynamicParams params =
          quantize_kernels().back()->f32_to_s8_dynamic(in.data(), expected.data(), count, symmetric);
      for_each_tier([&](const QuantizeKernels& tier) {
        const Guarded<int8_t> out(count);
        const DynamicParams got = tier.f32_to_s8_dynamic(in.data(), out.data(), count, symmetric);
        ASSERT_EQ(got.scale, params.scale) << tier.name;
        ASSERT_EQ(got.zero_point, params.zero_point) << tier.name;
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.data())) << tier.name << " count=" << count;
      });
    }
  }
}

TEST(Quantize, LutIsIndexedByTheByte) {
  uint8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(255 - i);
  const std::vector<uint8_t> in = {0, 1, 127, 128, 255};
  std::vector<uint8_t> out(5);
  apply_lut(in.data(), out.data(), 5, table);
  EXPECT_EQ(out, (std::vector<uint8_t>{255, 254, 128, 127, 0}));
}

TEST(Quantize, LutOfAnyCountAndInPlace) {
  Random random(77);
  uint8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i * 167 + 13);  // a permutation
  for (const size_t count : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{127}, size_t{128}, size_t{1000}}) {
    const std::vector<uint8_t> values = random.integers<uint8_t>(count, 0, 255);
    const Guarded<uint8_t> in(values), out(count);
    apply_lut(in.data(), out.data(), count, table);
    apply_lut(in.data(), in.data(), count, table);
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(out.data()[i], static_cast<uint8_t>(values[i] * 167 + 13)) << i << " of " << count;
      ASSERT_EQ(in.data()[i], out.data()[i]) << i << " of " << count;
    }
  }
}

TEST(Requantize, RoundsTwiceAndClamps) {
  // A multiplier of 2^-1 has a fraction of 1/2: the first rounding does it all, halves to even.
  EXPECT_EQ(requantize(1, 0.5f, Rounding::kTwice, 0, -128, 127), 0);
  EXPECT_EQ(requantize(3, 0.5f, Rounding::kTwice, 0, -128, 127), 2);
  EXPECT_EQ(requantize(-1, 0.5f, Rounding::kTwice, 0, -128, 127), 0);
  EXPECT_EQ(requantize(-3, 0.5f, Rounding::kTwice, 0, -128, 127), -2);
  EXPECT_EQ(requantize(5, 0.5f, Rounding::kTwice, 1, -128, 127), 3);  // rounded before the zero point
  // 3/8 = 3/4 / 2: 2.25 rounds to 2 and on to 1, 1.5 to 2 and on to 1; half of 3 goes away from zero.
  EXPECT_EQ(requantize(3, 0.375f, Rounding::kTwice, 0, -128, 127), 1);
  EXPECT_EQ(requantize(2, 0.375f, Rounding::kTwice, 0, -128, 127), 1);
  EXPECT_EQ(requantize(4, 0.375f, Rounding::kTwice, 0, -128, 127), 2);
  EXPECT_EQ(requantize(-4, 0.375f, Rounding::kTwice, 0, -128, 127), -2);
  EXPECT_EQ(requantize(7, 3.0f, Rounding::kTwice, 0, -128, 127), 21);
  EXPECT_EQ(requantize(1000, 0.0f, Rounding::kTwice, 5, -128, 127), 5);
  EXPECT_EQ(requantize(std::numeric_limits<int32_t>::max(), 1.0f, Rounding::kTwice, 100, -128, 127), 127);
  EXPECT_EQ(requantize(std::numeric_limits<int32_t>::min(), 1.0f, Rounding::kTwice, 100, -128, 127), -128);
  EXPECT_EQ(requantize(16777217, 1.0f / 16777216, Rounding::kTwice, 0, 0, 6), 1);
}

TEST(Requantize, RoundsOnce) {
  EXPECT_EQ(requantize(3, 0.375f, Rounding::kOnce, 0, -128, 127), 1);
  EXPECT_EQ(requantize(4, 0.375f, Rounding::kOnce, 0, -128, 127), 2);
  EXPECT_EQ(requantize(5, 0.5f, Rounding::kOnce, 1, -128, 127), 3);  // halves to even, before the zero point
  EXPECT_EQ(requantize(-3, 0.5f, Rounding::kOnce, 0, -128, 127), -2);
  // 37 * 3/32 = 3.47; twice, 37 * 3/4 = 27.75 is 28, and 28/8 = 3.5 is 4.
  EXPECT_EQ(requantize(37, 0.09375f, Rounding::kOnce, 0, -128, 127), 3);
  EXPECT_EQ(requantize(37, 0.09375f, Rounding::kTwice, 0, -128, 127), 4);
}

TEST(Requantize, IsTheReferenceButForTheLastBitsOfFloat32) {
  Random random(6);
  int different = 0;
  constexpr int kCount = 1000000;
  for (int i = 0; i < kCount; ++i) {
    const float multiplier = std::exp2(random.real(-13, 2));
    const auto value = static_cast<int32_t>(random.integer(-140, 140) / multiplier + random.real(0, 1) / multiplier);
    const int32_t reference = multiply_by_quantized_multiplier(value, quantize_multiplier(multiplier)) + 3;
    const int32_t ours = requantize(value, multiplier, Rounding::kTwice, 3, -128, 127);
    ASSERT_LE(std::abs(ours - std::clamp(reference, -128, 127)), 1) << value << " " << multiplier;
    different += ours != std::clamp(reference, -128, 127);
  }
  EXPECT_LT(different, kCount / 20000);
}

TEST(FixedPoint, QuantizeMultiplierIsExactForPowersOfTwo) {
  for (int exponent : {-20, -1, 0, 5}) {
    const FixedMultiplier m = quantize_multiplier(std::ldexp(1.0, exponent));
    EXPECT_EQ(m.value, 1 << 30);
    EXPECT_EQ(m.shift, exponent + 1);
  }
  EXPECT_EQ(quantize_multiplier(0.0).value, 0);
  EXPECT_EQ(quantize_multiplier(1e-12).value, 0);                     // below 2^-32
  const FixedMultiplier almost_one = quantize_multiplier(1 - 1e-12);  // the fraction rounds up to 2^31
  EXPECT_EQ(almost_one.value, 1 << 30);
  EXPECT_EQ(almost_one.shift, 1);
}

TEST(FixedPoint, MultipliesWithDoubleRounding) {
  Random random(4);
  for (int i = 0; i < 20000; ++i) {
    const auto x = static_cast<int32_t>(random.integer(-(1 << 24), 1 << 24));
    const FixedMultiplier m = quantize_multiplier(std::pow(2.0, random.real(-12, 5)));
    // Two roundings in exact arithmetic: to 2^-31 of the high product, half up in magnitude, then by the shift.
    const int left = std::max(m.shift, 0), right = std::max(-m.shift, 0);
    const long double high = static_cast<long double>(int64_t{x} << left) * m.value / 2147483648.0L;
    const long double first = high >= 0 ? std::floor(high + 0.5L) : -std::floor(-high + 0.5L);
    const long double shifted = std::ldexp(first, -right);
    const long double second = shifted >= 0 ? std::floor(shifted + 0.5L) : -std::floor(-shifted + 0.5L);
    ASSERT_EQ(multiply_by_quantized_multiplier(x, m), static_cast<int64_t>(second))
        << x << " " << m.value << " " << m.shift;
  }
}

TEST(FixedPoint, SaturatesTheOneProductThatOverflows) {
  constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
  EXPECT_EQ(saturating_rounding_doubling_high_mul(kMin, kMin), std::numeric_limits<int32_t>::max());
  EXPECT_EQ(saturating_rounding_multiply_by_pot<int32_t>(1 << 30, 1), std::numeric_limits<int32_t>::max());
  EXPECT_EQ(saturating_rounding_multiply_by_pot<int16_t>(-20000, 1), std::numeric_limits<int16_t>::min());
  EXPECT_EQ(rounding_divide_by_pot<int32_t>(-3, 1), -2);
  EXPECT_EQ(rounding_divide_by_pot<int32_t>(3, 1), 2);
}

TEST(FixedPoint, FunctionsAreCloseToTheReal) {
  for (int i = -4000; i <= 4000; ++i) {
    const double x = i / 250.0 * 0.99;  // within [-16, 16)
    const FixedPoint<int32_t, 4> a{static_cast<int32_t>(std::lround(x * (1 << 27)))};
    constexpr double kUnit = 2147483648.0;
    EXPECT_NEAR(logistic(a).raw / kUnit, 1 / (1 + std::exp(-x)), 5e-7) << x;
    EXPECT_NEAR(fewbits::tanh(a).raw / kUnit, std::tanh(x), 1e-6) << x;
    if (x <= 0) {
      EXPECT_NEAR(exp_on_negative_values(a).raw / kUnit, std::exp(x), 5e-7) << x;
    }
    const FixedPoint<int16_t, 3> half{static_cast<int16_t>(std::lround(x / 2 * 4096))};
    EXPECT_NEAR(logistic(half).raw / 32768.0, 1 / (1 + std::exp(-x / 2)), 1e-3) << x;
    EXPECT_NEAR(fewbits::tanh(half).raw / 32768.0, std::tanh(x / 2), 2e-3) << x;
  }
}

TEST(FixedPoint, Reciprocals) {
  for (int32_t x : {1 << 19, 1 << 20, 3 << 19, 1234567890, 2147483647}) {
    int bits = 0;
    const int32_t r = get_reciprocal(x, 12, &bits);
    const double real = std::ldexp(static_cast<double>(x), 12 - 31);
    EXPECT_NEAR(std::ldexp(r / 2147483648.0, -bits) * real, 1.0, 1e-6) << x;
  }
  for (int32_t x : {1, 2, 3, 100, 65536, 123456789, 2147483647}) {
    const FixedMultiplier m = inverse_sqrt_multiplier(x);
    EXPECT_NEAR(std::ldexp(m.value / 2147483648.0, m.shift) * std::sqrt(static_cast<double>(x)), 1.0, 1e-5) << x;
  }
}

// Found by fuzz_run: scales of 1e-38 and 1e38 in one model.
TEST(FixedMultiplier, HugeMultipliersSaturate) {
  for (double real : {1e300, std::ldexp(1.0, 31), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(quantize_multiplier(real).value, std::numeric_limits<int32_t>::max());
    EXPECT_EQ(quantize_multiplier(real).shift, 30);
  }
  EXPECT_EQ(quantize_multiplier(std::numeric_limits<double>::quiet_NaN()).value, 0);
  EXPECT_EQ(quantize_multiplier(std::ldexp(0.75, 30)).shift, 30);
  EXPECT_EQ(quantize_multiplier(std::ldexp(0.75, 30)).value, 3 << 29);
}

}  // namespace
}  // namespace fewbits
