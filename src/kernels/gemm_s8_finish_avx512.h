// From the sums of an int8 product to its outputs, for the kernels that keep up to 64 columns in the order of
// vnni_order.h. Include after simd_avx512.h.
#pragma once

#include "kernels/gemm_bytes.h"
#include "kernels/vnni_order.h"

namespace fewbits {
namespace {

// What the columns of a panel add to their sums and multiply them with, in accumulator order.
struct Panel {
  static constexpr size_t kLanes = Simd::kLanes;

  size_t n, columns;  // the columns that exist; the panel may be wider
  const int8_t* weights;
  const uint32_t* row_sums;  // of A's rows from `first_row` on, where the weights have a zero point
  size_t first_row;
  __m512i sums[4], term[4];
  ByteScaling to_int8;
  __m512 factor[4], float_bias[4];

  // packed: the panel's header, the sums of its columns' weights. offset: what the kernel adds to every element of A.
  template <size_t kWidth>
  void open(const GemmS8Args& args, size_t first, const uint8_t* packed, int32_t offset) {
    n = first;
    columns = smaller(args.n - n, kWidth * kLanes);
    weights = reinterpret_cast<const int8_t*>(packed + kWidth * kLanes * ByteWeights::kHeaderBytes);
    const __m512i zero_point = Simd::set(args.a_zero_point + offset);
    const float* scale = args.output == GemmS8Output::kInt8    ? args.multiplier
                         : args.output == GemmS8Output::kFloat ? args.channel_scale
                                                               : nullptr;
    const float* real_bias = args.output == GemmS8Output::kFloat ? args.float_bias : nullptr;
    load_channels<kWidth>(args.bias != nullptr ? args.bias + n : nullptr, columns, term);
    load_channels<kWidth>(scale != nullptr ? scale + n : nullptr, columns, factor);
    load_channels<kWidth>(real_bias != nullptr ? real_bias + n : nullptr, columns, float_bias);
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
      sums[v] = _mm512_loadu_si512(packed + v * kLanes * sizeof(int32_t));
      term[v] = Simd::sub(term[v], Simd::mul(zero_point, sums[v]));
    });
    to_int8.open<kWidth>(factor, args.rounding);
  }
};

// The sum of row m of A, flipped.
uint32_t row_sum(const GemmS8Args& args, size_t m) {
  const __m512i to_unsigned = _mm512_set1_epi8(static_cast<char>(args.a_flip ^ 0x80)), ones = _mm512_set1_epi8(1);
  __m512i sums = Simd::set(0);
  for (size_t t = 0; t < args.a.taps; ++t) {
    const int8_t* in = tap_of(args.a, m, t);
    for (size_t k = 0; k < args.a.tap_k; k += 64) {
      const __mmask64 present = first_bytes(args.a.tap_k - k);
      const __m512i bytes = _mm512_maskz_loadu_epi8(present, in + k);
      sums = _mm512_dpbusd_epi32(sums, _mm512_maskz_mov_epi8(present, _mm512_xor_si512(bytes, to_unsigned)), ones);
    }
  }
  return static_cast<uint32_t>(_mm512_reduce_add_epi32(sums)) - 128 * static_cast<uint32_t>(args.a.taps * args.a.tap_k);
}

// Neighbouring rows of a panel's sums, the panel's terms among them, on their way out. kWhole: int8 that nothing limits or flips.
template <size_t kRows, size_t kWidth, GemmS8Output kOutput, bool kWhole = false>
struct PanelRows {
  static constexpr size_t kLanes = Simd::kLanes;

  const GemmS8Args& args;
  const Panel& panel;
  size_t m, rows;  // rows past the last are the last again, and written to the same place

  FB_INLINE size_t row(size_t r) const { return m + smaller(r, rows - 1); }

  FB_INLINE void finish(__m512i (&acc)[kRows][kWidth]) const {
    if (args.row_zero_point != nullptr || args.w_zero_point != 0) add_row_terms(acc);
    if constexpr (kOutput == GemmS8Output::kInt8) panel.to_int8(acc);
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      if constexpr (kOutput == GemmS8Output::kInt8) write_int8(acc[r], row(r));
      if constexpr (kOutput == GemmS8Output::kInt32) write_int32(acc[r], row(r));
      if constexpr (kOutput == GemmS8Output::kFloat) write_float(acc[r], row(r));
    });
  }

 private:
  // Zero points of the rows and of the weights:
  //   sum (a - za)(w - zw) = sum a w - za sum w - zw (sum a - k za)
  FB_INLINE void add_row_terms(__m512i (&acc)[kRows][kWidth]) const {
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      const int32_t row_zero_point = args.row_zero_point != nullptr ? args.row_zero_point[row(r)] : 0;
      uint32_t term = 0;
      if (args.w_zero_point != 0) {
        const auto zero_point = static_cast<uint32_t>(args.a_zero_point + row_zero_point);
        const auto k = static_cast<uint32_t>(args.a.taps * args.a.tap_k);
        term = static_cast<uint32_t>(args.w_zero_point) * (k * zero_point - panel.row_sums[row(r) - panel.first_row]);
      }
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
        const __m512i columns = Simd::mul(Simd::set(row_zero_point), panel.sums[v]);
        acc[r][v] = Simd::add(Simd::sub(acc[r][v], columns), Simd::set(static_cast<int32_t>(term)));
      });
    });
  }

  FB_INLINE void write_int8(const __m512i (&sums)[kWidth], size_t to) const {
    int8_t* out = static_cast<int8_t*>(args.out) + to * args.out_stride + panel.n;
    store_as_bytes<kWhole>(sums, {args.out_zero_point, args.lo, args.hi, args.out_flip}, out, panel.columns);
  }

  FB_INLINE void write_int32(__m512i (&sums)[kWidth], size_t to) const {
    int32_t* out = static_cast<int32_t*>(args.out) + to * args.out_stride + panel.n;
    to_natural_order(sums);
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA { store_some(out, v * kLanes, panel.columns, sums[v]); });
  }

  FB_INLINE void write_float(__m512i (&sums)[kWidth], size_t to) const {
    const __m512 lo = Simd::set(args.float_lo), hi = Simd::set(args.float_hi);
    const __m512 row_scale = Simd::set(args.row_scale[to]);
    float* out = static_cast<float*>(args.out) + to * args.out_stride + panel.n;
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
      const __m512 real = Simd::to_float(sums[v]);
      const __m512 scaled = args.channel_first ? _mm512_mul_ps(_mm512_mul_ps(real, panel.factor[v]), row_scale)
                                               : _mm512_mul_ps(real, _mm512_mul_ps(row_scale, panel.factor[v]));
      const __m512 x = Simd::min(hi, Simd::max(lo, _mm512_add_ps(scaled, panel.float_bias[v])));
      sums[v] = _mm512_castps_si512(x);
    });
    to_natural_order(sums);
    unroll<kWidth>([&]<size_t v>()
                       FB_LAMBDA { store_some(out, v * kLanes, panel.columns, _mm512_castsi512_ps(sums[v])); });
  }
};

}  // namespace
}  // namespace fewbits
