// Kernels of int4 weights in blocks: against sums in double, against each other bit by bit, and in pieces.
#include "kernels/gemm_s8b4.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/half.h"
#include "kernels/test_support.h"

namespace fewbits {
namespace {

using test::Guarded;
using test::Random;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Shape {
  size_t m, n, k, block;
};
// Around the tiles' edges in rows and columns, every block size, and depths beyond the kernels' buffers.
constexpr Shape kShapes[] = {
    {1, 1, 32, 32},    {1, 17, 64, 32},   {2, 16, 64, 64},    {3, 15, 96, 32},     {5, 33, 96, 96},
    {6, 64, 128, 32},  {7, 65, 256, 128}, {8, 70, 160, 32},   {16, 32, 128, 64},   {17, 48, 512, 256},
    {33, 40, 224, 32}, {70, 20, 384, 32}, {1, 100, 384, 384}, {9, 20, 17024, 32},  {2, 130, 1024, 64},
    {24, 16, 448, 64}, {40, 5, 576, 192}, {12, 8, 20480, 64}, {65, 129, 1536, 32},
};

struct Problem {
  Problem(Random& random, const Shape& s)
      : shape(s),
        a(random.integers<int8_t>(s.m * s.k, -128, 127)),
        weights(random.integers<int8_t>(s.n * s.k, -8, 7)),
        zero_points(random.integers<int32_t>(s.m, -128, 127)),
        row_scales(random.reals(s.m, 0.01f, 2)),
        bias(random.reals(s.n, -1, 1)),
        packed(packed_b4_size(s.n, s.k, s.block)) {
    for (float scale : random.reals(s.n * s.k / s.block, 0.001f, 0.1f)) scales.push_back(float_to_half(scale));
    std::vector<uint8_t> stored((s.n * s.k + 1) / 2);
    for (size_t i = 0; i < weights.size(); ++i) {
      stored[i / 2] = static_cast<uint8_t>(stored[i / 2] | (weights[i] & 0xf) << (i % 2 * 4));
    }
    pack_b4({.data = stored.data(), .scales = scales.data(), .n = s.n, .k = s.k, .block = s.block}, packed.data());
  }

  GemmS8B4Args args(float* out) const {
    GemmS8B4Args args{.m = shape.m, .n = shape.n, .block = shape.block, .packed = packed.data()};
    args.a = {.data = a.data(), .row_stride = shape.k, .tap_k = shape.k};
    args.row_scale = row_scales.data();
    args.row_zero_point = zero_points.data();
    args.bias = bias.data();
    args.out = out;
    args.out_stride = shape.n;
    args.lo = -kInfinity;
    args.hi = kInfinity;
    return args;
  }

  // Output (m, n) in double, and the sum of the magnitudes that went into it.
  std::pair<double, double> exact(size_t m, size_t n) const {
    double sum = 0, size = 0;
    for (size_t k = 0; k < shape.k; ++k) {
      const double scale = half_to_float(scales[(n * shape.k + k) / shape.block]);
      const double weight = scale * weights[n * shape.k + k];
      sum += weight * (a.data()[m * shape.k + k] - zero_points.data()[m]);
      size += std::abs(weight) * (std::abs(a.data()[m * shape.k + k]) + std::abs(zero_points.data()[m]));
    }
    const double bias_of = bias.data()[n], row = row_scales.data()[m];
    return {sum * row + bias_of, size * row + std::abs(bias_of)};
  }

  Shape shape;
  Guarded<int8_t> a;
  std::vector<int8_t> weights;
  Guarded<int32_t> zero_points;
  Guarded<float> row_scales, bias;
  std::vector<uint16_t> scales;
  Guarded<uint8_t> packed;
};

std::string describe(const char* kernel, const Shape& s) {
  return std::string(kernel) + " m=" + std::to_string(s.m) + " n=" + std::to_string(s.n) + " k=" + std::to_string(s.k) +
         " block=" + std::to_string(s.block);
}

template <class Test>
void for_each_kernel(const Test& test) {
  for (const GemmS8B4Kernel* kernel : gemm_s8b4_kernels()) {
    if (kernel->isa <= isa()) test(*kernel);
  }
}

// In four pieces, cut where a pool could cut it.
void run_in_pieces(const GemmS8B4Kernel& kernel, const GemmS8B4Args& args) {
  const size_t m = args.m / 2, n = args.n > kernel.nr ? args.n / kernel.nr / 2 * kernel.nr : 0;
  for (const auto& [begin, end] : {std::pair{size_t{0}, n}, std::pair{n, args.n}}) {
    if (begin < end && m > 0) kernel.run(args, {0, m, begin, end});
    if (begin < end) kernel.run(args, {m, args.m, begin, end});
  }
}

TEST(GemmS8B4, TheReferenceEqualsSumsInDouble) {
  Random random(21);
  for (const Shape& s : kShapes) {
    if (s.m * s.n * s.k > 2000000) continue;
    const Problem problem(random, s);
    Guarded<float> out(s.m * s.n);
    kGemmS8B4Ref.run(problem.args(out.data()), {0, s.m, 0, s.n});
    for (size_t i = 0; i < s.m * s.n; ++i) {
      const auto [exact, size] = problem.exact(i / s.n, i % s.n);
      ASSERT_NEAR(out.data()[i], exact, kFloatError * size) << describe("ref", s) << " at " << i;
    }
  }
}

TEST(GemmS8B4, KernelsEqualTheReferenceInEveryBit) {
  Random random(22);
  for (const Shape& s : kShapes) {
    const Problem problem(random, s);
    Guarded<float> expected(s.m * s.n);
    kGemmS8B4Ref.run(problem.args(expected.data()), {0, s.m, 0, s.n});
    for_each_kernel([&](const GemmS8B4Kernel& kernel) {
      Guarded<float> out(s.m * s.n), pieces(s.m * s.n);
      kernel.run(problem.args(out.data()), {0, s.m, 0, s.n});
      run_in_pieces(kernel, problem.args(pieces.data()));
      for (size_t i = 0; i < s.m * s.n; ++i) {
        ASSERT_EQ(out.data()[i], expected.data()[i]) << describe(kernel.name, s) << " at " << i;
        ASSERT_EQ(pieces.data()[i], expected.data()[i]) << describe(kernel.name, s) << " in pieces, at " << i;
      }
    });
  }
}

TEST(GemmS8B4, LimitsNoBiasNoZeroPointsAndWideRows) {
  Random random(23);
  for (const Shape& s : {Shape{5, 21, 64, 32}, Shape{20, 70, 128, 64}}) {
    const Problem problem(random, s);
    for_each_kernel([&](const GemmS8B4Kernel& kernel) {
      const size_t stride = s.n + 3;
      Guarded<float> expected((s.m - 1) * stride + s.n), out((s.m - 1) * stride + s.n);
      const float untouched = out.data()[0];
      for (float* to : {expected.data(), out.data()}) {
        GemmS8B4Args args = problem.args(to);
        args.row_zero_point = nullptr;
        args.bias = nullptr;
        args.out_stride = stride;
        args.lo = 0;
        args.hi = 6;
        (to == out.data() ? kernel : kGemmS8B4Ref).run(args, {0, s.m, 0, s.n});
      }
      for (size_t i = 0; i < out.span().size(); ++i) {
        ASSERT_EQ(out.data()[i], expected.data()[i]) << describe(kernel.name, s) << " at " << i;
        if (i % stride < s.n) {
          ASSERT_TRUE(out.data()[i] >= 0 && out.data()[i] <= 6);
        } else {
          ASSERT_EQ(out.data()[i], untouched);
        }
      }
    });
  }
}

TEST(GemmS8B4, TheExtremesOfABlockDoNotOverflow) {
  const Shape s{9, 16, 256, 256};
  Random random(24);
  Problem problem(random, s);
  for (int8_t& x : problem.a.span()) x = -128;
  const std::vector<uint8_t> stored(s.n * s.k / 2, 0x88);  // -8 everywhere
  const std::vector<uint16_t> ones(s.n, float_to_half(1));
  pack_b4({.data = stored.data(), .scales = ones.data(), .n = s.n, .k = s.k, .block = s.block}, problem.packed.data());
  for_each_kernel([&](const GemmS8B4Kernel& kernel) {
    Guarded<float> out(s.m * s.n);
    GemmS8B4Args args = problem.args(out.data());
    args.row_zero_point = nullptr;
    args.bias = nullptr;
    kernel.run(args, {0, s.m, 0, s.n});
    for (size_t i = 0; i < s.m * s.n; ++i) {
      ASSERT_EQ(out.data()[i], 256.0f * 1024 * problem.row_scales.data()[i / s.n]) << kernel.name;
    }
  });
}

TEST(GemmS8B4, ThreadsAndRowsHandedOnChangeNothing) {
  Random random(25);
  const Shape s{130, 150, 256, 32};
  const Problem problem(random, s);
  Guarded<float> expected(s.m * s.n);
  kGemmS8B4Ref.run(problem.args(expected.data()), {0, s.m, 0, s.n});
  struct Count final : RowSink {
    Count() : RowSink(7) {}
    void take(size_t begin, size_t end) const noexcept override { rows += end - begin; }
    mutable std::atomic<size_t> rows = 0;
  };
  for_each_kernel([&](const GemmS8B4Kernel& kernel) {
    for (int threads : {1, 3}) {
      const ThreadPool pool(threads);
      const Count sink;
      Guarded<float> out(s.m * s.n);
      run_gemm(&pool, kernel, problem.args(out.data()), {&sink, 0});
      EXPECT_EQ(sink.rows, s.m);
      for (size_t i = 0; i < s.m * s.n; ++i) ASSERT_EQ(out.data()[i], expected.data()[i]) << kernel.name;
    }
  });
}

TEST(GemmS8B4, PackedWeightsStayFourBitsWide) {
  EXPECT_LE(packed_b4_size(384, 1536, 32), 384 * 1536 * 9 / 16 + 384 * 8);
  EXPECT_LE(packed_b4_size(384, 1536, 256), 384 * 1536 * 33 / 64 + 384 * 8);
}

}  // namespace
}  // namespace fewbits
