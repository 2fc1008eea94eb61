// The float matrix product as its definition reads.
#include "kernels/gemm_kernels.h"

namespace fewbits {
namespace {

size_t packed_size(size_t n, size_t taps, size_t tap_k) noexcept { return n * taps * tap_k * sizeof(float); }

void pack(const GemmWeights<float>& w, void* packed) noexcept {
  auto* out = static_cast<float*>(packed);
  const size_t k = w.taps * w.tap_k;
  for (size_t n = 0; n < w.n; ++n) {
    for (size_t i = 0; i < k; ++i) *out++ = w.data[n * w.n_stride + i * w.k_stride];
  }
}

void run(const GemmF32Args& args, const GemmRange& range) noexcept {
  const GemmRows<float>& a = args.a;
  for (size_t m = range.m_begin; m < range.m_end; ++m) {
    for (size_t n = range.n_begin; n < range.n_end; ++n) {
      const float* w = static_cast<const float*>(args.packed) + n * a.taps * a.tap_k;
      float sum = 0;
      for (size_t t = 0; t < a.taps; ++t) {
        const float* x = row_tap(a, m, t);
        for (size_t c = 0; c < a.tap_k; ++c) sum += x[c] * w[t * a.tap_k + c];
      }
      if (args.bias != nullptr) sum += args.bias[n];
      sum = sum < args.lo ? args.lo : sum;
      sum = sum > args.hi ? args.hi : sum;
      args.out[m * args.out_stride + n] = sum;
    }
  }
}

}  // namespace

const GemmF32Kernel kGemmF32Ref = {"gemm_f32_ref", Isa::kBaseline, 1, 1, &packed_size, &pack, &run};

}  // namespace fewbits
