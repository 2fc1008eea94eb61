// Matrix products of shapes of real networks, on one thread: every kernel of this machine, checked before it is timed.
#include <benchmark/benchmark.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/gemm.h"

namespace fewbits {
namespace {

struct Shape {
  const char* name;
  size_t m, n, k;
};
constexpr Shape kShapes[] = {
    {"square", 196, 512, 512},       // a 1x1 convolution of MobileNet, 14 x 14
    {"expand", 3136, 96, 16},        // a thin expansion at 56 x 56
    {"project", 784, 32, 192},       // its projection at 28 x 28
    {"resnet_3x3", 196, 256, 2304},  // a 3x3 convolution of ResNet
    {"classifier", 1, 1000, 1280},   // a fully connected layer for one image
};

template <class T>
std::vector<T> random_values(size_t count) {
  std::mt19937 random(7);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(static_cast<int>(random() % 255) - 127);
  return values;
}

struct F32Case {
  using Kernel = GemmF32Kernel;
  std::vector<float> a, out;
  GemmF32Args args(const Shape& s) {
    a = random_values<float>(s.m * s.k);
    out.resize(s.m * s.n);
    return {.a = {.data = a.data(), .row_stride = s.k, .tap_k = s.k},
            .m = s.m,
            .n = s.n,
            .out = out.data(),
            .out_stride = s.n,
            .lo = -std::numeric_limits<float>::infinity(),
            .hi = std::numeric_limits<float>::infinity()};
  }
};

struct S8Case {
  using Kernel = GemmS8Kernel;
  std::vector<int8_t> a, out;
  std::vector<float> multiplier;
  GemmS8Args args(const Shape& s) {
    a = random_values<int8_t>(s.m * s.k);
    out.resize(s.m * s.n);
    multiplier.assign(s.n, 1.0f / (64.0f * std::sqrt(static_cast<float>(s.k)) * 2.0f));
    return {.a = {.data = a.data(), .row_stride = s.k, .tap_k = s.k},
            .m = s.m,
            .n = s.n,
            .a_zero_point = -3,
            .out = out.data(),
            .out_stride = s.n,
            .multiplier = multiplier.data()};
  }
};

struct S16S8Case {
  using Kernel = GemmS16S8Kernel;
  std::vector<int16_t> a, out;
  std::vector<FixedMultiplier> multiplier;
  GemmS16S8Args args(const Shape& s) {
    a = random_values<int16_t>(s.m * s.k);
    out.resize(s.m * s.n);
    multiplier.assign(s.n, quantize_multiplier(0.01));
    return {.a = {.data = a.data(), .row_stride = s.k, .tap_k = s.k},
            .m = s.m,
            .n = s.n,
            .multiplier = multiplier.data(),
            .out = out.data(),
            .out_stride = s.n};
  }
};

template <class Case>
void time_kernel(benchmark::State& state, const typename Case::Kernel& kernel, const typename Case::Kernel& reference,
                 const Shape& shape) {
  using Weight = typename Case::Kernel::Weight;
  Case data;
  auto args = data.args(shape);
  const std::vector<Weight> w = random_values<Weight>(shape.n * shape.k);
  const auto run = [&](const typename Case::Kernel& with) {
    std::vector<uint8_t> packed(with.packed_size(shape.n, 1, shape.k) + kPackedAlignment);
    with.pack({.data = w.data(), .n = shape.n, .tap_k = shape.k, .n_stride = shape.k}, packed.data());
    args.packed = packed.data();
    with.run(args, {0, shape.m, 0, shape.n});
    return packed;
  };
  run(reference);
  const auto expected = data.out;
  const std::vector<uint8_t> packed = run(kernel);
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(data.out[i]) - static_cast<double>(expected[i]));
    if (error > (std::is_same_v<Weight, float> ? 1e-6 * 127 * 127 * static_cast<double>(shape.k) : 0)) {
      return state.SkipWithError("differs from the reference");
    }
  }
  args.packed = packed.data();
  for (auto _ : state) {
    kernel.run(args, {0, shape.m, 0, shape.n});
    benchmark::ClobberMemory();
  }
  state.counters["MAC/s"] = benchmark::Counter(static_cast<double>(shape.m * shape.n * shape.k),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

template <class Case>
void add(std::span<const typename Case::Kernel* const> kernels) {
  for (const Shape& shape : kShapes) {
    for (const auto* kernel : kernels) {
      if (kernel->isa > isa()) continue;
      benchmark::RegisterBenchmark((std::string(kernel->name) + "/" + shape.name).c_str(),
                                   [=, reference = kernels.back()](benchmark::State& state) {
                                     time_kernel<Case>(state, *kernel, *reference, shape);
                                   });
    }
  }
}

}  // namespace
}  // namespace fewbits

int main(int argc, char** argv) {
  fewbits::add<fewbits::F32Case>(fewbits::gemm_f32_kernels());
  fewbits::add<fewbits::S8Case>(fewbits::gemm_s8_kernels());
  fewbits::add<fewbits::S16S8Case>(fewbits::gemm_s16s8_kernels());
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
