// Every matrix product kernel of this machine against sums written here, on odd sizes, gathered rows, saturation,
// extreme zero points, unaligned data and pieces of a product.
#include "kernels/gemm.h"

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

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Shape {
  size_t m, n, taps, tap_k;
  bool indirect;
};
// Sizes around the tiles' edges, depths around those of the staging buffers, and rows gathered from taps.
constexpr Shape kShapes[] = {
    {1, 1, 1, 1, false},      {1, 17, 1, 3, false},    {2, 16, 1, 4, false},    {5, 15, 1, 5, false},
    {6, 64, 1, 64, false},    {7, 65, 1, 63, false},   {13, 100, 1, 31, false}, {12, 128, 1, 33, false},
    {4, 7, 1, 481, false},    {7, 33, 1, 700, false},  {3, 20, 1, 1400, false}, {8, 48, 1, 2750, false},
    {5, 31, 9, 1, true},      {7, 65, 9, 3, true},     {6, 16, 9, 4, true},     {13, 24, 4, 17, true},
    {3, 40, 25, 65, true},    {9, 70, 1, 12, true},    {2, 300, 49, 60, true},  {1, 1000, 1, 37, false},
    {16, 3, 1, 17000, false}, {17, 2, 1000, 17, true},
};

std::string describe(const char* kernel, const Shape& s) {
  return std::string(kernel) + " m=" + std::to_string(s.m) + " n=" + std::to_string(s.n) +
         " taps=" + std::to_string(s.taps) + " tap_k=" + std::to_string(s.tap_k);
}

// A in guarded memory: each row of the plain form ends at its own place, offsets of the gathered form go anywhere.
template <class T>
struct Rows {
  Rows(Random& random, const Shape& s, const std::vector<T>& values, const std::vector<T>& padding_values)
      : shape(s), data(values), padding(padding_values) {
    rows.data = data.data();
    rows.taps = s.taps;
    rows.tap_k = s.tap_k;
    if (!s.indirect) {
      rows.row_stride = s.tap_k;
      return;
    }
    const auto last = static_cast<int64_t>(values.size() - s.tap_k);
    for (size_t i = 0; i < s.m * s.taps; ++i) {
      offsets.push_back(static_cast<int32_t>(i % 5 == 3 ? -1 : i % 7 == 1 ? last : random.integer(0, last)));
    }
    rows.offsets = offsets.data();
    rows.padding = padding.data();
  }
  T at(size_t m, size_t k) const {
    if (!shape.indirect) return data.data()[m * shape.tap_k + k];
    const int32_t offset = offsets[m * shape.taps + k / shape.tap_k];
    return offset < 0 ? padding.data()[k % shape.tap_k] : data.data()[static_cast<size_t>(offset) + k % shape.tap_k];
  }

  Shape shape;
  Guarded<T> data, padding;
  std::vector<int32_t> offsets;
  GemmRows<T> rows;
};

// Packs into memory that is neither aligned nor larger than packed_size() says.
template <class Kernel>
Guarded<uint8_t> pack(const Kernel& kernel, const GemmWeights<typename Kernel::Weight>& weights) {
  Guarded<uint8_t> packed(kernel.packed_size(weights.n, weights.taps, weights.tap_k));
  kernel.pack(weights, packed.data());
  return packed;
}

// Runs the product in four pieces, cut where a pool could cut it.
template <class Kernel>
void run_in_pieces(const Kernel& kernel, const typename Kernel::Args& args) {
  const size_t m = args.m / 2;
  const size_t n = args.n > kernel.nr ? args.n / kernel.nr / 2 * kernel.nr : 0;
  for (const auto& [n_begin, n_end] : {std::pair{size_t{0}, n}, std::pair{n, args.n}}) {
    if (n_begin < n_end && m > 0) kernel.run(args, {0, m, n_begin, n_end});
    if (n_begin < n_end) kernel.run(args, {m, args.m, n_begin, n_end});
  }
}

template <class Kernel, class Test>
void for_each_kernel(std::span<const Kernel* const> kernels, const Test& test) {
  for (const Kernel* kernel : kernels) {
    if (kernel->isa <= isa()) test(*kernel);
  }
}

TEST(GemmF32, EqualsSumsInDouble) {
  Random random(1);
  for (const Shape& s : kShapes) {
    const size_t k = s.taps * s.tap_k;
    Rows<float> a(random, s, random.reals(s.indirect ? 3 * k + 5 : s.m * k, -1, 1), std::vector<float>(s.tap_k, 0));
    const Guarded<float> w(random.reals(s.n * k, -1, 1)), bias(random.reals(s.n, -1, 1));
    for_each_kernel(gemm_f32_kernels(), [&](const GemmF32Kernel& kernel) {
      const Guarded<uint8_t> packed =
          pack(kernel, {.data = w.data(), .n = s.n, .taps = s.taps, .tap_k = s.tap_k, .n_stride = k});
      const size_t stride = s.n + 3;
      Guarded<float> out((s.m - 1) * stride + s.n);
      const float untouched = out.data()[0];
      GemmF32Args args{.a = a.rows,
                       .m = s.m,
                       .n = s.n,
                       .packed = packed.data(),
                       .bias = bias.data(),
                       .out = out.data(),
                       .out_stride = stride,
                       .lo = -kInfinity,
                       .hi = 1.5f};
      run_in_pieces(kernel, args);
      for (size_t m = 0; m < s.m; ++m) {
        for (size_t n = 0; n < s.n; ++n) {
          double sum = bias.data()[n], magnitude = 1;
          for (size_t i = 0; i < k; ++i) {
            const double product = static_cast<double>(a.at(m, i)) * w.data()[n * k + i];
            sum += product;
            magnitude += std::fabs(product);
          }
          ASSERT_NEAR(out.data()[m * stride + n], std::min(sum, 1.5), kFloatError * magnitude)
              << describe(kernel.name, s);
        }
        for (size_t n = s.n; m + 1 < s.m && n < stride; ++n) {
          ASSERT_EQ(std::memcmp(&out.data()[m * stride + n], &untouched, sizeof untouched), 0)
              << "wrote past a row's end";
        }
      }
    });
  }
}

TEST(GemmF32, NanPassesThroughTheClamp) {
  const float a = std::numeric_limits<float>::quiet_NaN(), w = 1;
  for_each_kernel(gemm_f32_kernels(), [&](const GemmF32Kernel& kernel) {
    const Guarded<uint8_t> packed = pack(kernel, {.data = &w, .n = 1, .tap_k = 1, .n_stride = 1});
    float out = 0;
    kernel.run({.a = {.data = &a, .row_stride = 1, .tap_k = 1},
                .m = 1,
                .n = 1,
                .packed = packed.data(),
                .out = &out,
                .out_stride = 1,
                .lo = 0,
                .hi = 6},
               {0, 1, 0, 1});
    EXPECT_TRUE(std::isnan(out)) << kernel.name;
  });
}

// Infinities, NaNs and numbers near the largest come out as they do in float32, and leave other rows and columns alone.
TEST(GemmF32, NumbersThatDoNotSplit) {
  constexpr size_t kM = 20, kN = 35, kK = 70;
  const float nan = std::numeric_limits<float>::quiet_NaN(), most = std::numeric_limits<float>::max();
  for (const bool in_weights : {false, true}) {
    Random random(3);
    auto a = random.reals(kM * kK, 1, 2), w = random.reals(kN * kK, 0.25f, 0.5f);
    auto& special = in_weights ? w : a;
    special[5 * kK + 3] = kInfinity;
    special[7 * kK + 69] = -kInfinity;
    special[18 * kK + 40] = nan;
    special[19 * kK + 33] = in_weights ? most / 2 : most;
    for_each_kernel(gemm_f32_kernels(), [&](const GemmF32Kernel& kernel) {
      const Guarded<uint8_t> packed = pack(kernel, {.data = w.data(), .n = kN, .tap_k = kK, .n_stride = kK});
      std::vector<float> out(kM * kN);
      kernel.run({.a = {.data = a.data(), .row_stride = kK, .tap_k = kK},
                  .m = kM,
                  .n = kN,
                  .packed = packed.data(),
                  .out = out.data(),
                  .out_stride = kN,
                  .lo = -kInfinity,
                  .hi = kInfinity},
                 {0, kM, 0, kN});
      for (size_t i = 0; i < out.size(); ++i) {
        double sum = 0, magnitude = 0;
        for (size_t k = 0; k < kK; ++k) {
          const double product = static_cast<double>(a[i / kN * kK + k]) * w[i % kN * kK + k];
          sum += product;
          magnitude += std::fabs(product);
        }
        if (std::isfinite(sum)) {
          ASSERT_NEAR(out[i], sum, kFloatError * magnitude) << kernel.name << " output " << i;
        } else {
          ASSERT_EQ(std::isnan(out[i]), std::isnan(sum)) << kernel.name << " output " << i;
          ASSERT_TRUE(std::isnan(sum) || static_cast<double>(out[i]) == sum) << kernel.name << " output " << i;
        }
      }
    });
  }
}

// W given as [k, n], as BATCH_MATMUL has it.
TEST(GemmF32, PacksTransposedWeights) {
  Random random(2);
  const size_t m = 3, n = 37, k = 11;
  const auto a = random.reals(m * k, -1, 1), w = random.reals(k * n, -1, 1);
  for_each_kernel(gemm_f32_kernels(), [&](const GemmF32Kernel& kernel) {
    const Guarded<uint8_t> packed = pack(kernel, {.data = w.data(), .n = n, .tap_k = k, .n_stride = 1, .k_stride = n});
    std::vector<float> out(m * n);
    kernel.run({.a = {.data = a.data(), .row_stride = k, .tap_k = k},
                .m = m,
                .n = n,
                .packed = packed.data(),
                .out = out.data(),
                .out_stride = n,
                .lo = -kInfinity,
                .hi = kInfinity},
               {0, m, 0, n});
    for (size_t i = 0; i < m * n; ++i) {
      double sum = 0;
      for (size_t j = 0; j < k; ++j) sum += static_cast<double>(a[i / n * k + j]) * w[j * n + i % n];
      ASSERT_NEAR(out[i], sum, kFloatError * k) << kernel.name;
    }
  });
}

// One int8 product: what is asked and what must come out.
struct S8Case {
  S8Case(uint32_t seed, const Shape& s, int64_t a_lo, int64_t a_hi, int32_t a_zero, int64_t w_lo, int64_t w_hi,
         int32_t w_zero, uint8_t flip_a, uint8_t flip_w)
      : random(seed),
        shape(s),
        k(s.taps * s.tap_k),
        w_flip(flip_w),
        a(random, s, flipped(random.integers<int8_t>(s.indirect ? 3 * k + 5 : s.m * k, a_lo, a_hi), flip_a),
          flipped(std::vector<int8_t>(s.tap_k, static_cast<int8_t>(a_zero)), flip_a)),
        w(flipped(random.integers<int8_t>(s.n * k, w_lo, w_hi), flip_w)),
        bias(random.integers<int32_t>(s.n, -100000, 100000)) {
    args.a = a.rows;
    args.m = s.m;
    args.n = s.n;
    args.a_flip = flip_a;
    args.a_zero_point = a_zero;
    args.w_zero_point = w_zero;
    args.bias = bias.data();
    args.out_stride = s.n + 1;
  }

  static std::vector<int8_t> flipped(std::vector<int8_t> values, uint8_t flip) {
    for (int8_t& value : values) value = static_cast<int8_t>(value ^ flip);
    return values;
  }

  int32_t sum(size_t m, size_t n) const {
    int64_t sum = bias.data()[n];
    const int32_t row_zero = args.row_zero_point != nullptr ? args.row_zero_point[m] : 0;
    for (size_t i = 0; i < k; ++i) {
      const int64_t x = static_cast<int8_t>(a.at(m, i) ^ args.a_flip) - args.a_zero_point - row_zero;
      sum += x * (static_cast<int8_t>(w.data()[n * k + i] ^ w_flip) - args.w_zero_point);
    }
    return static_cast<int32_t>(sum);
  }

  // Runs every kernel with outputs of type T and compares with expected(m, n).
  template <class T, class Expected>
  void check(const Expected& expected) {
    for_each_kernel(gemm_s8_kernels(), [&](const GemmS8Kernel& kernel) {
      const Guarded<uint8_t> packed = pack(
          kernel,
          {.data = w.data(), .n = shape.n, .taps = shape.taps, .tap_k = shape.tap_k, .n_stride = k, .flip = w_flip});
      Guarded<T> out((shape.m - 1) * args.out_stride + shape.n);
      GemmS8Args with = args;
      with.packed = packed.data();
      with.out = out.data();
      run_in_pieces(kernel, with);
      for (size_t m = 0; m < shape.m; ++m) {
        for (size_t n = 0; n < shape.n; ++n) {
          ASSERT_EQ(out.data()[m * args.out_stride + n], expected(m, n))
              << describe(kernel.name, shape) << " at " << m << "," << n;
        }
      }
    });
  }

  void check_int32() {
    args.output = GemmS8Output::kInt32;
    check<int32_t>([&](size_t m, size_t n) { return sum(m, n); });
  }

  void check_int8(int32_t zero_point, int32_t lo, int32_t hi, uint8_t flip) {
    const float spread = 100.0f / (std::sqrt(static_cast<float>(k)) * 2000.0f + 20000.0f);
    const Guarded<float> multiplier(random.reals(shape.n, 0.2f * spread, spread));
    args.output = GemmS8Output::kInt8;
    args.multiplier = multiplier.data();
    args.out_zero_point = zero_point;
    args.lo = lo;
    args.hi = hi;
    args.out_flip = flip;
    check<int8_t>([&](size_t m, size_t n) {
      const int64_t rounded = test::twice_rounded(sum(m, n), multiplier.data()[n]) + zero_point;
      return static_cast<int8_t>(static_cast<int8_t>(std::clamp<int64_t>(rounded, lo, hi)) ^ flip);
    });
  }

  Random random;
  Shape shape;
  size_t k;
  uint8_t w_flip;
  Rows<int8_t> a;
  Guarded<int8_t> w;
  Guarded<int32_t> bias;
  GemmS8Args args;
};

TEST(GemmS8, SumsAreExact) {
  for (const Shape& s : kShapes) S8Case(11, s, -128, 127, 5, -127, 127, 0, 0, 0).check_int32();
}

TEST(GemmS8, SumsAreExactAtTheExtremes) {
  for (const Shape& s : kShapes) {
    for (int32_t zero : {-128, 127}) {
      S8Case(12, s, -128, -128, zero, -128, -128, 0, 0, 0).check_int32();
      S8Case(13, s, 127, 127, zero, -128, -128, 0, 0, 0).check_int32();
      S8Case(14, s, -128, -128, zero, 127, 127, 0, 0, 0).check_int32();
    }
  }
}

TEST(GemmS8, RequantizesToInt8) {
  for (const Shape& s : kShapes) {
    S8Case(15, s, -128, 127, -1, -127, 127, 0, 0, 0).check_int8(3, -128, 127, 0);
    S8Case(16, s, -128, 127, 127, -127, 127, 0, 0, 0).check_int8(-128, -128, 100, 0);
    S8Case(17, s, -128, 127, -128, -127, 127, 0, 0, 0).check_int8(127, -20, 127, 0);
  }
}

TEST(GemmS8, LegacyUint8WithWeightZeroPoint) {
  for (const Shape& s : kShapes) {
    S8Case(18, s, -128, 127, 7, -128, 127, -13, 0x80, 0x80).check_int32();
    S8Case(19, s, -128, 127, -128, -128, 127, 127, 0x80, 0x80).check_int8(-100, -128, 127, 0x80);
  }
}

TEST(GemmS8, HybridScalesEachRow) {
  for (const Shape& s : kShapes) {
    S8Case c(20, s, -128, 127, 0, -127, 127, 0, 0, 0);
    const Guarded<int32_t> zero_points(c.random.integers<int32_t>(s.m, -128, 127));
    const Guarded<float> row_scale(c.random.reals(s.m, 0.001f, 0.1f)), channel_scale(c.random.reals(s.n, 0.001f, 0.1f));
    const Guarded<float> float_bias(c.random.reals(s.n, -1, 1));
    c.args.output = GemmS8Output::kFloat;
    c.args.bias = nullptr;
    std::fill(c.bias.span().begin(), c.bias.span().end(), 0);
    c.args.row_zero_point = zero_points.data();
    c.args.row_scale = row_scale.data();
    c.args.channel_scale = channel_scale.data();
    c.args.float_bias = float_bias.data();
    c.args.float_lo = -2;
    c.args.float_hi = kInfinity;
    for (const bool channel_first : {false, true}) {
      c.args.channel_first = channel_first;
      c.check<float>([&](size_t m, size_t n) {
        const float row = row_scale.data()[m], channel = channel_scale.data()[n],
                    real = static_cast<float>(c.sum(m, n));
        const float scaled = channel_first ? real * channel * row : real * (row * channel);
        return std::max(scaled + float_bias.data()[n], -2.0f);
      });
    }
  }
}

TEST(GemmS8, RowZeroPointsTogetherWithAWeightZeroPoint) {
  for (const Shape& s : kShapes) {
    S8Case c(21, s, -128, 127, 0, -128, 127, 9, 0, 0x80);
    const Guarded<int32_t> zero_points(c.random.integers<int32_t>(s.m, -128, 127));
    c.args.row_zero_point = zero_points.data();
    c.check_int32();
  }
}

TEST(GemmS16S8, EqualsTheSixteenByEightRule) {
  Random random(30);
  for (const Shape& s : kShapes) {
    for (int variant = 0; variant < 3; ++variant) {
      const bool extreme = variant == 1;
      const size_t k = s.taps * s.tap_k;
      const int64_t a_lo = -32768, a_hi = extreme ? -32768 : 32767, w_lo = -128, w_hi = extreme ? -128 : 127;
      const int32_t a_zero = extreme ? 0 : -300, out_zero = variant == 0 ? 77 : 0;
      Rows<int16_t> a(random, s, random.integers<int16_t>(s.indirect ? 3 * k + 5 : s.m * k, a_lo, a_hi),
                      std::vector<int16_t>(s.tap_k, static_cast<int16_t>(a_zero)));
      const Guarded<int8_t> w(random.integers<int8_t>(s.n * k, w_lo, w_hi));
      const Guarded<int64_t> bias(random.integers<int64_t>(s.n, -1000000000000, 1000000000000));
      std::vector<FixedMultiplier> multipliers;
      for (size_t i = 0; i < s.n; ++i) multipliers.push_back(quantize_multiplier(random.real(1e-8f, 1e-4f)));
      for_each_kernel(gemm_s16s8_kernels(), [&](const GemmS16S8Kernel& kernel) {
        const Guarded<uint8_t> packed =
            pack(kernel, {.data = w.data(), .n = s.n, .taps = s.taps, .tap_k = s.tap_k, .n_stride = k});
        Guarded<int16_t> out(s.m * s.n);
        run_in_pieces(kernel, {.a = a.rows,
                               .m = s.m,
                               .n = s.n,
                               .packed = packed.data(),
                               .a_zero_point = a_zero,
                               .bias = bias.data(),
                               .multiplier = multipliers.data(),
                               .out = out.data(),
                               .out_stride = s.n,
                               .out_zero_point = out_zero,
                               .lo = -32768,
                               .hi = 30000});
        for (size_t i = 0; i < s.m * s.n; ++i) {
          int64_t sum = bias.data()[i % s.n];
          for (size_t j = 0; j < k; ++j) {
            sum += (int64_t{a.at(i / s.n, j)} - a_zero) * w.data()[i % s.n * k + j];
          }
          // q16 of 16 bits, x * q16 / 2^(15 - shift), halves upwards: the rule in TFLITE_FACTS, in floating point.
          const FixedMultiplier multiplier = multipliers[i % s.n];
          const double q16 = multiplier.value >= 0x7fff0000 ? 32767 : std::floor(multiplier.value / 65536.0 + 0.5);
          const long double scaled = std::ldexp(static_cast<long double>(sum) * q16, multiplier.shift - 15);
          const auto rounded = static_cast<int32_t>(static_cast<int64_t>(std::floor(scaled + 0.5L)));
          const int64_t expected = std::clamp<int64_t>(int64_t{rounded} + out_zero, -32768, 30000);
          ASSERT_EQ(out.data()[i], expected) << describe(kernel.name, s) << " variant " << variant;
        }
      });
    }
  }
}

TEST(Gemm, PoolsGiveTheResultOfOneThread) {
  Random random(40);
  for (const Shape& s : {Shape{1, 1000, 1, 300, false}, Shape{200, 70, 1, 64, false}, Shape{13, 130, 9, 20, true}}) {
    const size_t k = s.taps * s.tap_k;
    Rows<int8_t> a(random, s, random.integers<int8_t>(s.indirect ? 3 * k + 5 : s.m * k, -128, 127),
                   std::vector<int8_t>(s.tap_k, 4));
    const auto w = random.integers<int8_t>(s.n * k, -127, 127);
    for_each_kernel(gemm_s8_kernels(), [&](const GemmS8Kernel& kernel) {
      const Guarded<uint8_t> packed =
          pack(kernel, {.data = w.data(), .n = s.n, .taps = s.taps, .tap_k = s.tap_k, .n_stride = k});
      std::vector<int32_t> expected(s.m * s.n), out(s.m * s.n);
      GemmS8Args args{.a = a.rows,
                      .m = s.m,
                      .n = s.n,
                      .packed = packed.data(),
                      .a_zero_point = 4,
                      .output = GemmS8Output::kInt32,
                      .out = expected.data(),
                      .out_stride = s.n};
      run_gemm(nullptr, kernel, args);
      args.out = out.data();
      for (int threads : {1, 2, 3, 7}) {
        std::fill(out.begin(), out.end(), 0);
        const ThreadPool pool(threads);
        run_gemm(&pool, kernel, args);
        ASSERT_EQ(out, expected) << describe(kernel.name, s) << " threads=" << threads;
      }
    });
  }
}

// Products of no inputs are the bias.
TEST(GemmS8, NoDepth) {
  constexpr size_t kM = 3, kN = 5;
  const int8_t nothing = 0;
  const int32_t bias[kN] = {1, -2, 3, -4, 5};
  const std::vector<int32_t> offsets(kM, 0);
  for_each_kernel(gemm_s8_kernels(), [&](const GemmS8Kernel& kernel) {
    const Guarded<uint8_t> packed = pack(kernel, {.data = &nothing, .n = kN, .tap_k = 0});
    for (const uint8_t flip : {uint8_t{0}, uint8_t{0x80}}) {
      for (const int32_t* gathered : {static_cast<const int32_t*>(nullptr), offsets.data()}) {
        std::vector<int32_t> out(kM * kN);
        GemmS8Args args;
        args.a = {.data = &nothing, .offsets = gathered, .padding = &nothing, .taps = 1, .tap_k = 0};
        args.m = kM;
        args.n = kN;
        args.packed = packed.data();
        args.a_flip = flip;
        args.bias = bias;
        args.output = GemmS8Output::kInt32;
        args.out = out.data();
        args.out_stride = kN;
        kernel.run(args, {0, kM, 0, kN});
        for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], bias[i % kN]) << kernel.name;
      }
    }
  });
}

// Rows that are known to go in runs make the sums that they make when nothing is known of them.
TEST(GemmS8, RunsOfRows) {
  constexpr size_t kChannels = 64, kTaps = 3, kLines = 4, kN = 75;
  for (const size_t run : {size_t{3}, size_t{12}, size_t{14}, size_t{16}, size_t{23}, size_t{56}}) {
    for (const size_t step : {size_t{1}, size_t{2}}) {
      Random random(static_cast<uint32_t>(run));
      const size_t width = (run - 1) * step + 3, tap_k = 3 * kChannels, k = kTaps * tap_k, m = kLines * run;
      const Guarded<int8_t> image(random.integers<int8_t>((kLines + kTaps - 1) * width * kChannels, -128, 127));
      const Guarded<int8_t> w(random.integers<int8_t>(kN * k, -127, 127));
      std::vector<int32_t> offsets;
      for (size_t i = 0; i < m; ++i) {
        for (size_t t = 0; t < kTaps; ++t) {
          offsets.push_back(static_cast<int32_t>(((i / run + t) * width + i % run * step) * kChannels));
        }
      }
      for_each_kernel(gemm_s8_kernels(), [&](const GemmS8Kernel& kernel) {
        const Guarded<uint8_t> packed =
            pack(kernel, {.data = w.data(), .n = kN, .taps = kTaps, .tap_k = tap_k, .n_stride = k});
        GemmS8Args args;
        args.a = {.data = image.data(), .offsets = offsets.data(), .taps = kTaps, .tap_k = tap_k};
        args.m = m;
        args.n = kN;
        args.packed = packed.data();
        args.a_zero_point = 3;
        args.output = GemmS8Output::kInt32;
        args.out_stride = kN;
        std::vector<int32_t> expected(m * kN, -1), out(m * kN, -2);
        args.out = expected.data();
        kernel.run(args, {0, m, 0, kN});
        args.a.run = run;
        args.a.run_step = step * kChannels;
        args.out = out.data();
        run_in_pieces(kernel, args);
        ASSERT_EQ(out, expected) << kernel.name << " run=" << run << " step=" << step;
        for (int threads : {1, 2, 3}) {
          std::fill(out.begin(), out.end(), -2);
          const ThreadPool pool(threads);
          run_gemm(&pool, kernel, args);
          ASSERT_EQ(out, expected) << kernel.name << " run=" << run << " threads=" << threads;
        }
      });
    }
  }
}

TEST(Gemm, TheBestKernelOfThisMachineIsChosen) {
  EXPECT_EQ(&select_gemm_s8(Isa::kBaseline), gemm_s8_kernels().back());
  EXPECT_EQ(&select_gemm_f32(Isa::kBaseline), gemm_f32_kernels().back());
  for (const auto* kernel : gemm_s8_kernels()) {
    if (kernel->isa > isa()) continue;
    EXPECT_EQ(&select_gemm_s8(isa()), kernel);
    break;
  }
}

}  // namespace
}  // namespace fewbits
