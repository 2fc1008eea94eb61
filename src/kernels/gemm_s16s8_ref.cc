// The 16x8 matrix product as its definition reads, and the scaling of its sums, which the ISA files share.
#include "kernels/gemm_kernels.h"
#include "kernels/requantize.h"

namespace fewbits {
namespace {

size_t packed_size(size_t n, size_t taps, size_t tap_k) noexcept { return n * taps * tap_k; }

void pack(const GemmWeights<int8_t>& w, void* packed) noexcept {
  auto* out = static_cast<int8_t*>(packed);
  const size_t k = w.taps * w.tap_k;
  for (size_t n = 0; n < w.n; ++n) {
    for (size_t i = 0; i < k; ++i) *out++ = static_cast<int8_t>(w.data[n * w.n_stride + i * w.k_stride] ^ w.flip);
  }
}

void run(const GemmS16S8Args& args, const GemmRange& range) noexcept {
  const GemmRows<int16_t>& a = args.a;
  for (size_t m = range.m_begin; m < range.m_end; ++m) {
    for (size_t n = range.n_begin; n < range.n_end; ++n) {
      const int8_t* w = static_cast<const int8_t*>(args.packed) + n * a.taps * a.tap_k;
      int64_t sum = 0;
      int32_t weight_sum = 0;
      for (size_t t = 0; t < a.taps; ++t) {
        const int16_t* x = row_tap(a, m, t);
        for (size_t c = 0; c < a.tap_k; ++c) {
          sum += static_cast<int64_t>(x[c]) * w[t * a.tap_k + c];
          weight_sum += w[t * a.tap_k + c];
        }
      }
      finish_s16s8(args, m, n, 1, &sum, &weight_sum);
    }
  }
}

}  // namespace

void finish_s16s8(const GemmS16S8Args& args, size_t m, size_t n, size_t count, const int64_t* sums,
                  const int32_t* column_sums) noexcept {
  int16_t* out = args.out + m * args.out_stride;
  for (size_t i = 0; i < count; ++i) {
    const int64_t bias = args.bias != nullptr ? args.bias[n + i] : 0;
    const int64_t sum = sums[i] + bias - static_cast<int64_t>(args.a_zero_point) * column_sums[i];
    out[n + i] = requantize_s16(sum, args.multiplier[n + i], args.rule, args.out_zero_point, args.lo, args.hi);
  }
}

const GemmS16S8Kernel kGemmS16S8Ref = {"gemm_s16s8_ref", Isa::kBaseline, 1, 1, &packed_size, &pack, &run};

}  // namespace fewbits
