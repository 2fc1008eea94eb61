// The int8 matrix product as its definition reads; what every other kernel equals bit for bit.
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

// Wraps at 32 bits, as the accumulators of every kernel do.
int32_t accumulate(const GemmS8Args& args, size_t m, size_t n) noexcept {
  const GemmRows<int8_t>& a = args.a;
  const int8_t* w = static_cast<const int8_t*>(args.packed) + n * a.taps * a.tap_k;
  const int32_t zero_point = args.a_zero_point + (args.row_zero_point != nullptr ? args.row_zero_point[m] : 0);
  uint32_t sum = args.bias != nullptr ? static_cast<uint32_t>(args.bias[n]) : 0;
  for (size_t t = 0; t < a.taps; ++t) {
    const int8_t* x = row_tap(a, m, t);
    for (size_t c = 0; c < a.tap_k; ++c) {
      const int32_t value = static_cast<int8_t>(x[c] ^ args.a_flip) - zero_point;
      sum += static_cast<uint32_t>(value * (w[t * a.tap_k + c] - args.w_zero_point));
    }
  }
  return static_cast<int32_t>(sum);
}

float to_float(const GemmS8Args& args, size_t m, size_t n, int32_t sum) noexcept {
  const float row = args.row_scale[m], channel = args.channel_scale[n], real = static_cast<float>(sum);
  const float scaled = args.channel_first ? real * channel * row : real * (row * channel);
  const float value = scaled + (args.float_bias != nullptr ? args.float_bias[n] : 0.0f);
  const float raised = value < args.float_lo ? args.float_lo : value;
  return raised > args.float_hi ? args.float_hi : raised;
}

void run(const GemmS8Args& args, const GemmRange& range) noexcept {
  for (size_t m = range.m_begin; m < range.m_end; ++m) {
    for (size_t n = range.n_begin; n < range.n_end; ++n) {
      const int32_t sum = accumulate(args, m, n);
      const size_t at = m * args.out_stride + n;
      switch (args.output) {
        case GemmS8Output::kInt8:
          static_cast<int8_t*>(args.out)[at] = static_cast<int8_t>(
              requantize(sum, args.multiplier[n], args.rounding, args.out_zero_point, args.lo, args.hi) ^
              args.out_flip);
          break;
        case GemmS8Output::kInt32: static_cast<int32_t*>(args.out)[at] = sum; break;
        case GemmS8Output::kFloat: static_cast<float*>(args.out)[at] = to_float(args, m, n, sum); break;
      }
    }
  }
}

}  // namespace

const GemmS8Kernel kGemmS8Ref = {"gemm_s8_ref", Isa::kBaseline, 1, 1, &packed_size, &pack, &run};

}  // namespace fewbits
