// Every depthwise kernel of this machine against sums written here.
#include "kernels/depthwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/test_support.h"

namespace fewbits {
namespace {

using test::Guarded;
using test::Random;

struct Shape {
  size_t rows, channels, taps, depth_multiplier;
  size_t columns = 0, line = 0;  // of rows that overlap
};
constexpr Shape kShapes[] = {
    {1, 1, 1, 1},
    {2, 7, 9, 1},
    {5, 16, 9, 1},
    {9, 24, 9, 1},
    {4, 33, 25, 1},
    {6, 64, 9, 1},
    {7, 65, 4, 1},
    {3, 96, 3, 1},
    {5, 130, 49, 1},
    {4, 20, 65, 1},
    {2, 144, 81, 1},
    {5, 15, 170, 1},
    {3, 24, 9, 8},
    {5, 66, 25, 3},
    // Overlapping rows: filters of 3, 5, 7 and 1 columns, lines that are no multiple of what a tile takes.
    {21, 64, 9, 1, 3, 7},
    {15, 100, 9, 1, 3, 5},
    {26, 32, 9, 1, 3, 13},
    {18, 16, 6, 1, 3, 9},
    {9, 3, 3, 1, 3, 1},
    {21, 64, 25, 1, 5, 7},
    {30, 72, 25, 1, 5, 10},
    {34, 24, 5, 1, 5, 17},
    {22, 130, 25, 1, 5, 11},
    {20, 40, 49, 1, 7, 10},
    {12, 65, 3, 1, 1, 4},
};

std::string describe(const char* kernel, const Shape& s) {
  return std::string(kernel) + " rows=" + std::to_string(s.rows) + " channels=" + std::to_string(s.channels) +
         " taps=" + std::to_string(s.taps) + " multiplier=" + std::to_string(s.depth_multiplier);
}

// Input pixels in guarded memory, the last one touching its end, and offsets with padding among them.
template <class T>
struct Input {
  Input(Random& random, const Shape& s, const std::vector<T>& values, T zero)
      : shape(s),
        depth(s.channels / s.depth_multiplier),
        data(values),
        padding(std::vector<T>(depth, zero)),
        offsets(random.integers<int32_t>(s.rows * s.taps, 0, static_cast<int64_t>(values.size() - depth))) {
    for (size_t i = 0; i < offsets.size(); ++i) {
      if (i % 5 == 2) offsets[i] = -1;
      if (i % 7 == 3) offsets[i] = static_cast<int32_t>(values.size() - depth);
    }
    // What a window and the next one share is what the next one has.
    for (size_t row = s.rows; s.columns != 0 && row-- > 0;) {
      if (row % s.line + 1 == s.line || row + 1 == s.rows) continue;
      for (size_t t = 0; t < s.taps; ++t) {
        if (t % s.columns + 1 < s.columns) offsets[row * s.taps + t + 1] = offsets[(row + 1) * s.taps + t];
      }
    }
    rows = {.data = data.data(),
            .offsets = offsets.data(),
            .padding = padding.data(),
            .taps = s.taps,
            .shared_columns = s.columns,
            .line = s.line};
  }
  T at(size_t row, size_t t, size_t c) const {
    const int32_t offset = offsets[row * shape.taps + t];
    return (offset < 0 ? padding.data() : data.data() + offset)[c / shape.depth_multiplier];
  }

  Shape shape;
  size_t depth;
  Guarded<T> data, padding;
  std::vector<int32_t> offsets;
  DepthwiseRows<T> rows;
};

template <class Kernel, class Test>
void for_each_kernel(std::span<const Kernel* const> kernels, const Shape& s, int32_t weight_zero_point,
                     const Test& test) {
  for (const Kernel* kernel : kernels) {
    if (kernel->isa > isa() || (s.depth_multiplier != 1 && !kernel->any_depth_multiplier)) continue;
    if (weight_zero_point != 0 && !kernel->any_weight_zero_point) continue;
    test(*kernel);
  }
}

template <class Kernel, class Args>
void run_in_pieces(const Kernel& kernel, const Args& args) {
  kernel.run(args, 0, args.rows / 3);  // tasks begin anywhere in a line
  kernel.run(args, args.rows / 3, args.rows);
}

TEST(DepthwiseF32, EqualsSumsInDouble) {
  Random random(1);
  for (const Shape& s : kShapes) {
    const Input<float> in(random, s, random.reals(s.channels * 3 + 50, -1, 1), 0.0f);
    const Guarded<float> w(random.reals(s.taps * s.channels, -1, 1)), bias(random.reals(s.channels, -1, 1));
    for_each_kernel(depthwise_f32_kernels(), s, 0, [&](const DepthwiseF32Kernel& kernel) {
      const Guarded<uint8_t> packed(kernel.packed_size(s.taps, s.channels, 0));
      kernel.pack({.data = w.data(), .taps = s.taps, .channels = s.channels}, packed.data());
      const Guarded<float> out(s.rows * s.channels);
      run_in_pieces(kernel, DepthwiseF32Args{.in = in.rows,
                                             .rows = s.rows,
                                             .channels = s.channels,
                                             .depth_multiplier = s.depth_multiplier,
                                             .packed = packed.data(),
                                             .bias = bias.data(),
                                             .out = out.data(),
                                             .out_stride = s.channels,
                                             .lo = -1,
                                             .hi = std::numeric_limits<float>::infinity()});
      for (size_t i = 0; i < s.rows * s.channels; ++i) {
        double sum = bias.data()[i % s.channels], magnitude = 1;
        for (size_t t = 0; t < s.taps; ++t) {
          const double product =
              static_cast<double>(in.at(i / s.channels, t, i % s.channels)) * w.data()[t * s.channels + i % s.channels];
          sum += product;
          magnitude += std::fabs(product);
        }
        ASSERT_NEAR(out.data()[i], std::max(sum, -1.0), 1e-6 * magnitude) << describe(kernel.name, s);
      }
    });
  }
}

struct S8Case {
  S8Case(uint32_t seed, const Shape& s, int64_t lo, int64_t hi, int32_t zero, int64_t w_lo, int64_t w_hi,
         int32_t w_zero, uint8_t flip)
      : random(seed),
        shape(s),
        in(random, s, flipped(random.integers<int8_t>(s.channels * 3 + 50, lo, hi), flip),
           static_cast<int8_t>(zero ^ flip)),
        w(flipped(random.integers<int8_t>(s.taps * s.channels, w_lo, w_hi), flip)),
        w_zero_point(w_zero),
        bias(random.integers<int32_t>(s.channels, -20000, 20000)) {
    args = {.in = in.rows,
            .rows = s.rows,
            .channels = s.channels,
            .depth_multiplier = s.depth_multiplier,
            .in_flip = flip,
            .in_zero_point = zero,
            .bias = bias.data(),
            .out_stride = s.channels + 2};
  }
  static std::vector<int8_t> flipped(std::vector<int8_t> values, uint8_t flip) {
    for (int8_t& value : values) value = static_cast<int8_t>(value ^ flip);
    return values;
  }

  int32_t sum(size_t row, size_t c) const {
    int32_t sum = bias.data()[c];
    for (size_t t = 0; t < shape.taps; ++t) {
      const int32_t x = static_cast<int8_t>(in.at(row, t, c) ^ args.in_flip) - args.in_zero_point;
      sum += x * (static_cast<int8_t>(w.data()[t * shape.channels + c] ^ args.in_flip) - w_zero_point);
    }
    return sum;
  }

  template <class T, class Expected>
  void check(const Expected& expected) {
    for_each_kernel(depthwise_s8_kernels(), shape, w_zero_point, [&](const DepthwiseS8Kernel& kernel) {
      const Guarded<uint8_t> packed(kernel.packed_size(shape.taps, shape.channels, in.rows.shared_columns));
      kernel.pack({.data = w.data(),
                   .taps = shape.taps,
                   .channels = shape.channels,
                   .flip = args.in_flip,
                   .zero_point = w_zero_point,
                   .shared_columns = in.rows.shared_columns},
                  packed.data());
      const Guarded<T> out((shape.rows - 1) * args.out_stride + shape.channels);
      DepthwiseS8Args with = args;
      with.packed = packed.data();
      with.out = out.data();
      run_in_pieces(kernel, with);
      for (size_t row = 0; row < shape.rows; ++row) {
        for (size_t c = 0; c < shape.channels; ++c) {
          ASSERT_EQ(out.data()[row * args.out_stride + c], expected(row, c))
              << describe(kernel.name, shape) << " at " << row << "," << c;
        }
      }
    });
  }

  void check_int32() {
    args.output = GemmS8Output::kInt32;
    check<int32_t>([&](size_t row, size_t c) { return sum(row, c); });
  }

  void check_int8(int32_t zero_point, int32_t lo, int32_t hi) {
    const Guarded<float> multiplier(random.reals(shape.channels, 0.0005f, 0.01f));
    args.output = GemmS8Output::kInt8;
    args.multiplier = multiplier.data();
    args.out_zero_point = zero_point;
    args.lo = lo;
    args.hi = hi;
    args.out_flip = args.in_flip;
    check<int8_t>([&](size_t row, size_t c) {
      const int64_t rounded = test::twice_rounded(sum(row, c), multiplier.data()[c]) + zero_point;
      return static_cast<int8_t>(static_cast<int8_t>(std::clamp<int64_t>(rounded, lo, hi)) ^ args.out_flip);
    });
  }

  Random random;
  Shape shape;
  Input<int8_t> in;
  Guarded<int8_t> w;
  int32_t w_zero_point;
  Guarded<int32_t> bias;
  DepthwiseS8Args args;
};

TEST(DepthwiseS8, SumsAreExactAndRequantized) {
  for (const Shape& s : kShapes) {
    S8Case(11, s, -128, 127, 3, -127, 127, 0, 0).check_int32();
    S8Case(12, s, -128, 127, -128, -127, 127, 0, 0).check_int8(10, -128, 127);
    S8Case(13, s, -128, 127, 127, -127, 127, 0, 0).check_int8(-128, -128, 90);
    S8Case(14, s, -128, -128, 127, -128, -128, 0, 0).check_int32();
    S8Case(15, s, 127, 127, -128, -128, -128, 0, 0).check_int32();
  }
}

TEST(DepthwiseS8, LegacyUint8WithWeightZeroPoint) {
  for (const Shape& s : kShapes) {
    S8Case(16, s, -128, 127, 5, -128, 127, -77, 0x80).check_int32();
    S8Case(17, s, -128, 127, -128, -128, 127, 127, 0x80).check_int8(127, -128, 127);
    S8Case(18, s, -128, 127, 0, -128, 127, 0, 0x80).check_int8(0, -128, 127);
  }
}

TEST(DepthwiseS8, HybridGivesFloat) {
  for (const Shape& s : kShapes) {
    S8Case c(19, s, -128, 127, -7, -127, 127, 0, 0);
    const Guarded<float> scale(c.random.reals(s.channels, 0.001f, 0.1f)), bias(c.random.reals(s.channels, -1, 1));
    std::fill(c.bias.span().begin(), c.bias.span().end(), 0);
    c.args.bias = nullptr;
    c.args.output = GemmS8Output::kFloat;
    c.args.in_scale = 0.037f;
    c.args.channel_scale = scale.data();
    c.args.float_bias = bias.data();
    c.args.float_lo = 0;
    c.args.float_hi = 6;
    c.check<float>([&](size_t row, size_t channel) {
      const float factor = 0.037f * scale.data()[channel];
      return std::clamp(static_cast<float>(c.sum(row, channel)) * factor + bias.data()[channel], 0.0f, 6.0f);
    });
  }
}

TEST(DepthwiseS16S8, EqualsTheSixteenByEightRule) {
  Random random(20);
  for (const Shape& s : kShapes) {
    const Input<int16_t> in(random, s, random.integers<int16_t>(s.channels * 3 + 50, -32768, 32767), 0);
    const Guarded<int8_t> w(random.integers<int8_t>(s.taps * s.channels, -127, 127));
    const std::vector<FixedMultiplier> multiplier(s.channels, quantize_multiplier(0.0003));
    for_each_kernel(depthwise_s16s8_kernels(), s, 0, [&](const DepthwiseS16S8Kernel& kernel) {
      const Guarded<uint8_t> packed(kernel.packed_size(s.taps, s.channels, 0));
      kernel.pack({.data = w.data(), .taps = s.taps, .channels = s.channels}, packed.data());
      const Guarded<int16_t> out(s.rows * s.channels);
      run_in_pieces(kernel, DepthwiseS16S8Args{.in = in.rows,
                                               .rows = s.rows,
                                               .channels = s.channels,
                                               .depth_multiplier = s.depth_multiplier,
                                               .packed = packed.data(),
                                               .multiplier = multiplier.data(),
                                               .out = out.data(),
                                               .out_stride = s.channels});
      for (size_t i = 0; i < s.rows * s.channels; ++i) {
        double sum = 0;
        for (size_t t = 0; t < s.taps; ++t) {
          sum +=
              static_cast<double>(in.at(i / s.channels, t, i % s.channels)) * w.data()[t * s.channels + i % s.channels];
        }
        // 0.0003 = 20133 / 2^26 in the 16 bits that are left of a multiplier.
        const double scaled = std::floor(sum * 20133 / 67108864.0 + 0.5);
        ASSERT_EQ(out.data()[i], std::clamp(scaled, -32768.0, 32767.0)) << describe(kernel.name, s);
      }
    });
  }
}

TEST(DepthwiseS16S8, BiasZeroPointsAndExtremesFollowTheRule) {
  Random random(21);
  for (const Shape& s : kShapes) {
    for (int variant = 0; variant < 3; ++variant) {
      const bool extreme = variant == 1;
      const int32_t in_zero = extreme ? 0 : -300, out_zero = variant == 0 ? 77 : 0;
      const Input<int16_t> in(random, s,
                              random.integers<int16_t>(s.channels * 3 + 50, -32768, extreme ? -32768 : 32767),
                              static_cast<int16_t>(in_zero));
      const Guarded<int8_t> w(random.integers<int8_t>(s.taps * s.channels, -128, extreme ? -128 : 127));
      const Guarded<int64_t> bias(random.integers<int64_t>(s.channels, -1000000000000, 1000000000000));
      std::vector<FixedMultiplier> multipliers;
      for (size_t i = 0; i < s.channels; ++i) multipliers.push_back(quantize_multiplier(random.real(1e-8f, 1e-4f)));
      for_each_kernel(depthwise_s16s8_kernels(), s, 0, [&](const DepthwiseS16S8Kernel& kernel) {
        const Guarded<uint8_t> packed(kernel.packed_size(s.taps, s.channels, 0));
        kernel.pack({.data = w.data(), .taps = s.taps, .channels = s.channels}, packed.data());
        const Guarded<int16_t> out(s.rows * s.channels);
        run_in_pieces(kernel, DepthwiseS16S8Args{.in = in.rows,
                                                 .rows = s.rows,
                                                 .channels = s.channels,
                                                 .depth_multiplier = s.depth_multiplier,
                                                 .packed = packed.data(),
                                                 .in_zero_point = in_zero,
                                                 .bias = bias.data(),
                                                 .multiplier = multipliers.data(),
                                                 .out = out.data(),
                                                 .out_stride = s.channels,
                                                 .out_zero_point = out_zero,
                                                 .lo = -32768,
                                                 .hi = 30000});
        for (size_t i = 0; i < s.rows * s.channels; ++i) {
          const size_t c = i % s.channels;
          int64_t sum = bias.data()[c];
          for (size_t t = 0; t < s.taps; ++t) {
            sum += (int64_t{in.at(i / s.channels, t, c)} - in_zero) * w.data()[t * s.channels + c];
          }
          // q16 of 16 bits, x * q16 / 2^(15 - shift), halves upwards.
          const double q16 =
              multipliers[c].value >= 0x7fff0000 ? 32767 : std::floor(multipliers[c].value / 65536.0 + 0.5);
          const long double scaled = std::ldexp(static_cast<long double>(sum) * q16, multipliers[c].shift - 15);
          const auto rounded = static_cast<int32_t>(static_cast<int64_t>(std::floor(scaled + 0.5L)));
          ASSERT_EQ(out.data()[i], std::clamp<int64_t>(int64_t{rounded} + out_zero, -32768, 30000))
              << describe(kernel.name, s) << " variant " << variant;
        }
      });
    }
  }
}

TEST(Depthwise, PoolsGiveTheResultOfOneThread) {
  const Shape s{500, 40, 9, 1};
  S8Case c(30, s, -128, 127, 3, -127, 127, 0, 0);
  const DepthwiseS8Kernel& kernel = select_depthwise_s8(isa(), 1, 0);
  const Guarded<uint8_t> packed(kernel.packed_size(s.taps, s.channels, 0));
  kernel.pack({.data = c.w.data(), .taps = s.taps, .channels = s.channels}, packed.data());
  std::vector<int32_t> out(s.rows * s.channels);
  c.args.packed = packed.data();
  c.args.output = GemmS8Output::kInt32;
  c.args.out = out.data();
  c.args.out_stride = s.channels;
  const ThreadPool pool(3);
  run_depthwise(&pool, kernel, c.args);
  for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], c.sum(i / s.channels, i % s.channels));
}

TEST(Depthwise, OnlyKernelsThatCanAreChosen) {
  EXPECT_TRUE(select_depthwise_s8(isa(), 2, 0).any_depth_multiplier);
  EXPECT_TRUE(select_depthwise_s8(isa(), 1, -3).any_weight_zero_point);
  EXPECT_TRUE(select_depthwise_f32(isa(), 4).any_depth_multiplier);
  EXPECT_LE(select_depthwise_s8(isa(), 1, 0, 32).channel_block, 48u);  // 32 channels do not go by 64
}

}  // namespace
}  // namespace fewbits
