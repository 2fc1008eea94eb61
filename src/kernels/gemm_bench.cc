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
    {"12544x16x96", 12544, 96, 16},  // pointwise convolutions of MobileNetV2 and EfficientNet: rows x inputs x outputs
    {"12544x32x16", 12544, 16, 32},   {"3136x96x24", 3136, 24, 96},
    {"3136x24x144", 3136, 144, 24},   {"196x96x576", 196, 576, 96},
    {"49x160x960", 49, 960, 160},     {"3136x64x256", 3136, 256, 64},
    {"784x512x128", 784, 128, 512},  // of ResNet50
    {"196x512x1024", 196, 1024, 512}, {"196x1024x256", 196, 256, 1024},
    {"196x2304x256", 196, 256, 2304},                                  // its 3x3 convolutions
    {"49x4608x512", 49, 512, 4608},   {"128x384x384", 128, 384, 384},  // of MiniLM, 128 tokens
    {"128x384x1536", 128, 1536, 384}, {"128x1536x384", 128, 384, 1536},
    {"1x1280x1000", 1, 1000, 1280},  // a classifier
};

// On cache lines, as plans have their buffers.
template <class T>
struct OnLines {
  using value_type = T;
  OnLines() = default;
  template <class U>
  OnLines(const OnLines<U>&) {}
  T* allocate(size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{kPackedAlignment}));
  }
  void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t{kPackedAlignment}); }
  bool operator==(const OnLines&) const = default;
};
template <class T>
using Buffer = std::vector<T, OnLines<T>>;

template <class T>
Buffer<T> random_values(size_t count) {
  std::mt19937 random(7);
  Buffer<T> values(count);
  for (T& value : values) value = static_cast<T>(static_cast<int>(random() % 255) - 127);
  return values;
}

struct F32Case {
  using Kernel = GemmF32Kernel;
  Buffer<float> a, out;
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
  Buffer<int8_t> a, out;
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
  Buffer<int16_t> a, out;
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
  const Buffer<Weight> w = random_values<Weight>(shape.n * shape.k);
  const auto run = [&](const typename Case::Kernel& with) {
    Buffer<uint8_t> packed(with.packed_size(shape.n, 1, shape.k));
    with.pack({.data = w.data(), .n = shape.n, .tap_k = shape.k, .n_stride = shape.k}, packed.data());
    args.packed = packed.data();
    with.run(args, {0, shape.m, 0, shape.n});
    return packed;
  };
  run(reference);
  const auto expected = data.out;
  const Buffer<uint8_t> packed = run(kernel);
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(data.out[i]) - static_cast<double>(expected[i]));
    if (error > (std::is_same_v<Weight, float> ? kFloatError * 127.0f * 127.0f * static_cast<float>(shape.k) : 0)) {
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
