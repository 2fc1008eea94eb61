// From 64-bit sums to int16 for AVX-512: TFLite's 16x8 rule (fixed_point.h), eight channels at a time. Include after
// simd_avx512.h.
#pragma once

#include "kernels/fixed_point.h"
#include "kernels/simd_avx512.h"

namespace fewbits {
namespace {

static_assert(sizeof(FixedMultiplier) == 8, "a multiplier and its shift are read as one number");

// What eight channels add to their sums and multiply them with.
struct ShortScaling {
  __m512i term, multiplier, rounding, shift;

  // bias: of these channels, or null. column_sums: of their weights. `count` of the eight exist.
  FB_INLINE ShortScaling(const FixedMultiplier* fixed, const int64_t* bias, const int32_t* column_sums,
                         int32_t zero_point, size_t count) {
    const auto present = static_cast<__mmask8>((1u << count) - 1);
    const __m512i both = _mm512_maskz_loadu_epi64(present, fixed);
    const __m512i value = _mm512_and_si512(both, _mm512_set1_epi64(0xffffffff));
    // 16 bits of the 32, rounded and saturated: reduced_multiplier().
    const __m512i reduced = _mm512_srli_epi64(_mm512_add_epi64(value, _mm512_set1_epi64(1 << 15)), 16);
    multiplier = _mm512_min_epi64(reduced, _mm512_set1_epi64(0x7fff));
    shift = _mm512_sub_epi64(_mm512_set1_epi64(15), _mm512_srai_epi64(both, 32));
    const __m512i one = _mm512_set1_epi64(1);
    rounding = _mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one));
    const __m512i sums = _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(present, column_sums));
    const __m512i biases = bias != nullptr ? _mm512_maskz_loadu_epi64(present, bias) : _mm512_setzero_si512();
    term = _mm512_sub_epi64(biases, _mm512_mul_epi32(sums, _mm512_set1_epi64(zero_point)));
  }

  // Scaled, in 32 bits; what does not fit wraps.
  FB_INLINE __m256i operator()(__m512i sums) const {
    const __m512i product = _mm512_mullo_epi64(_mm512_add_epi64(sums, term), multiplier);
    return _mm512_cvtepi64_epi32(_mm512_srav_epi64(_mm512_add_epi64(product, rounding), shift));
  }
};

// Rows [row, row + rows) of channels [c, c + count), whose sums (without bias and zero point) lie `stride` apart. Args: of a
// product or a depthwise convolution, with an output zero point of 0 and sums of 64 bits.
template <class Args>
FB_INLINE void finish_shorts(const Args& args, int32_t zero_point, size_t row, size_t rows, size_t c, size_t count,
                             const int64_t* sums, size_t stride, const int32_t* column_sums) {
  const __m256i lo = _mm256_set1_epi32(args.lo), hi = _mm256_set1_epi32(args.hi);
  for (size_t i = 0; i < count; i += 8) {
    const size_t left = smaller(count - i, 8);
    const auto present = static_cast<__mmask8>((1u << left) - 1);
    const ShortScaling scaling(args.multiplier + c + i, args.bias != nullptr ? args.bias + c + i : nullptr,
                               column_sums + i, zero_point, left);
    int16_t* out = args.out + row * args.out_stride + c + i;
    for (size_t r = 0; r < rows; ++r, out += args.out_stride) {
      const __m256i scaled = scaling(_mm512_loadu_si512(sums + r * stride + i));
      const __m256i clamped = _mm256_min_epi32(_mm256_max_epi32(scaled, lo), hi);
      _mm_mask_storeu_epi16(out, present, _mm256_cvtepi32_epi16(clamped));
    }
  }
}

// The same as gemm_s16s8_simd.h wants it.
struct FinishShorts {
  static constexpr bool kFast = true;
  template <class Args>
  static void fast(const Args& args, int32_t zero_point, size_t row, size_t rows, size_t c, size_t count,
                   const int64_t* sums, size_t stride, const int32_t* column_sums) {
    finish_shorts(args, zero_point, row, rows, c, count, sums, stride, column_sums);
  }
};

}  // namespace
}  // namespace fewbits
