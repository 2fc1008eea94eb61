// Rows of sums and products of bytes for AVX-512, 64 at a time.
#include "kernels/requantize.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "ops/binary/byte_rows.h"

namespace fewbits::ops {
namespace {

constexpr size_t kStep = 64;

// Calls body(i, present) for steps of 64 bytes, of which the last may be shorter.
template <class Body>
FB_INLINE void by_steps(size_t count, const Body& body) {
  for (size_t i = 0; i < count; i += kStep) {
    body(i, count - i >= kStep ? ~uint64_t{0} : (uint64_t{1} << (count - i)) - 1);
  }
}

// 64 bytes of an operand from i on, or one of them 64 times.
FB_INLINE __m512i load_bytes(const int8_t* p, size_t step, size_t i, __mmask64 present, __m512i flip) {
  return _mm512_xor_si512(step == 0 ? _mm512_set1_epi8(*p) : _mm512_maskz_loadu_epi8(present, p + i), flip);
}

FB_INLINE __m512i clamp(__m512i bytes, int32_t lo, int32_t hi) {
  bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8(static_cast<char>(lo)));
  return _mm512_min_epi8(bytes, _mm512_set1_epi8(static_cast<char>(hi)));
}

// ---- sums ----

struct Floats {
  __m512 x[4];
};

FB_INLINE Floats widen(__m512i bytes) {
  return {{Simd::to_float(_mm512_cvtepi8_epi32(_mm512_castsi512_si128(bytes))),
           Simd::to_float(_mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes, 1))),
           Simd::to_float(_mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes, 2))),
           Simd::to_float(_mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes, 3)))}};
}

// Rounded, with the zero point, within the limits.
template <class Args>
FB_INLINE __m512i narrow(const Args& args, const Floats& real) {
  __m512i y[4];
  unroll<4>([&]<size_t v>() FB_LAMBDA { y[v] = Simd::to_int_nearest_even(real.x[v]); });
  const __m512i zero = _mm512_set1_epi16(static_cast<int16_t>(args.out_zero));
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(y[0], y[1]), zero);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(y[2], y[3]), zero);
  const __m512i bytes = clamp(_mm512_packs_epi16(low, high), args.lo, args.hi);
  // Packing went by lanes of 128 bits: dword 4 * lane + v holds four of vector v.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, bytes);
}

FB_INLINE __m512i sum(const FloatSumArgs& args, const Floats& a, const Floats& b) {
  const __m512 a_scale = Simd::set(args.a_scale), b_scale = Simd::set(args.b_scale), offset = Simd::set(args.offset);
  Floats y;
  unroll<4>([&]<size_t v>() FB_LAMBDA { y.x[v] = Simd::fma(a.x[v], a_scale, Simd::fma(b.x[v], b_scale, offset)); });
  return narrow(args, y);
}

void sum_row(const FloatSumArgs& shared, const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* out,
             size_t count) {
  const FloatSumArgs args = shared;  // out may not alias it
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(args.flip));
  const Floats a_first = widen(load_bytes(a, 0, 0, 0, flip)), b_first = widen(load_bytes(b, 0, 0, 0, flip));
  by_steps(count, [&](size_t i, __mmask64 present) FB_LAMBDA {
    const Floats x = a_step == 0 ? a_first : widen(load_bytes(a, 1, i, present, flip));
    const Floats y = b_step == 0 ? b_first : widen(load_bytes(b, 1, i, present, flip));
    _mm512_mask_storeu_epi8(out + i, present, _mm512_xor_si512(sum(args, x, y), flip));
  });
}

// ---- products ----

FB_INLINE Floats less(Floats x, __m512 zero) {
  unroll<4>([&]<size_t v>() FB_LAMBDA { x.x[v] = _mm512_sub_ps(x.x[v], zero); });
  return x;
}

FB_INLINE __m512i product(const FloatProductArgs& args, const Floats& a, const Floats& b) {
  const __m512 fraction = Simd::set(args.fraction), power = Simd::set(args.power), offset = Simd::set(args.offset);
  Floats y;
  unroll<4>([&]<size_t v>() FB_LAMBDA {
    const __m512 whole = Simd::fma(_mm512_mul_ps(a.x[v], b.x[v]), fraction, Simd::set(kWholeNumbers));
    y.x[v] = Simd::fma(whole, power, offset);
  });
  return narrow(args, y);
}

void product_row(const FloatProductArgs& shared, const int8_t* a, size_t a_step, const int8_t* b, size_t b_step,
                 int8_t* out, size_t count) {
  const FloatProductArgs args = shared;
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(args.flip));
  const __m512 a_zero = Simd::set(args.a_zero), b_zero = Simd::set(args.b_zero);
  const Floats a_first = less(widen(load_bytes(a, 0, 0, 0, flip)), a_zero);
  const Floats b_first = less(widen(load_bytes(b, 0, 0, 0, flip)), b_zero);
  by_steps(count, [&](size_t i, __mmask64 present) FB_LAMBDA {
    const Floats x = a_step == 0 ? a_first : less(widen(load_bytes(a, 1, i, present, flip)), a_zero);
    const Floats y = b_step == 0 ? b_first : less(widen(load_bytes(b, 1, i, present, flip)), b_zero);
    _mm512_mask_storeu_epi8(out + i, present, _mm512_xor_si512(product(args, x, y), flip));
  });
}

void gate_row(const FloatProductArgs& shared, const int8_t* a, const float* b, int8_t* out, size_t count) {
  const FloatProductArgs args = shared;
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(args.flip));
  const __m512 a_zero = Simd::set(args.a_zero);
  by_steps(count, [&](size_t i, __mmask64 present) FB_LAMBDA {
    Floats y;
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      y.x[v] = _mm512_maskz_loadu_ps(static_cast<__mmask16>(present >> (16 * v)), b + i + 16 * v);
    });
    const Floats x = less(widen(load_bytes(a, 1, i, present, flip)), a_zero);
    _mm512_mask_storeu_epi8(out + i, present, _mm512_xor_si512(product(args, x, y), flip));
  });
}

// x * 2^left * value / 2^31 with ties upwards, then / 2^right with ties away from zero, as rows.inc has it.
struct Multiplier {
  __m512i value, nudge, half, sign_bits;
  __m128i left, right;

  explicit FB_INLINE Multiplier(const RowMultiplier& m)
      : value(_mm512_set1_epi64(m.value)),
        nudge(_mm512_set1_epi64(int64_t{1} << 30)),
        half(_mm512_set1_epi32(m.right == 0 ? 0 : int32_t{1} << (m.right - 1))),
        sign_bits(_mm512_set1_epi32(m.right == 0 ? 0 : -1)),
        left(_mm_cvtsi32_si128(m.left)),
        right(_mm_cvtsi32_si128(m.right)) {}

  FB_INLINE __m512i operator()(__m512i x) const {
    const __m512i shifted = _mm512_sll_epi32(x, left);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(shifted, value), nudge);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(shifted, 32), value), nudge);
    const __m512i high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    // A tie of a negative number is one short of the next whole number, and stays below.
    const __m512i below = _mm512_and_si512(_mm512_srai_epi32(high, 31), sign_bits);
    return _mm512_sra_epi32(_mm512_add_epi32(high, _mm512_add_epi32(half, below)), right);
  }
};

struct Shorts {
  __m512i low, high;  // 32 each
};

FB_INLINE Shorts less(__m512i bytes, __m512i zero) {
  return {_mm512_sub_epi16(_mm512_cvtepi8_epi16(_mm512_castsi512_si256(bytes)), zero),
          _mm512_sub_epi16(_mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(bytes, 1)), zero)};
}

// 32 products, rescaled: 17 bits each, put together from their halves.
FB_INLINE __m512i product(const Multiplier& multiplier, __m512i a, __m512i b) {
  const __m512i low = _mm512_mullo_epi16(a, b), high = _mm512_mulhi_epi16(a, b);
  return _mm512_packs_epi32(multiplier(_mm512_unpacklo_epi16(low, high)), multiplier(_mm512_unpackhi_epi16(low, high)));
}

void product_row(const ByteProductArgs& shared, const int8_t* a, size_t a_step, const int8_t* b, size_t b_step,
                 int8_t* out, size_t count) {
  const ByteProductArgs args = shared;
  const Multiplier multiplier(args.out);
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(args.flip));
  const __m512i a_zero = _mm512_set1_epi16(static_cast<int16_t>(args.a_zero));
  const __m512i b_zero = _mm512_set1_epi16(static_cast<int16_t>(args.b_zero));
  const __m512i out_zero = _mm512_set1_epi16(static_cast<int16_t>(args.out_zero));
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);  // of what packing shorts leaves
  const Shorts a_first = less(load_bytes(a, 0, 0, 0, flip), a_zero);
  const Shorts b_first = less(load_bytes(b, 0, 0, 0, flip), b_zero);
  by_steps(count, [&](size_t i, __mmask64 present) FB_LAMBDA {
    const Shorts x = a_step == 0 ? a_first : less(load_bytes(a, 1, i, present, flip), a_zero);
    const Shorts y = b_step == 0 ? b_first : less(load_bytes(b, 1, i, present, flip), b_zero);
    const __m512i low = _mm512_adds_epi16(product(multiplier, x.low, y.low), out_zero);
    const __m512i high = _mm512_adds_epi16(product(multiplier, x.high, y.high), out_zero);
    const __m512i bytes = clamp(_mm512_packs_epi16(low, high), args.lo, args.hi);
    _mm512_mask_storeu_epi8(out + i, present, _mm512_xor_si512(_mm512_permutexvar_epi64(order, bytes), flip));
  });
}

}  // namespace

void float_row_avx512(const FloatSumArgs& args, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                      size_t count) noexcept {
  if (count == 0) return;
  sum_row(args, static_cast<const int8_t*>(a), a_step, static_cast<const int8_t*>(b), b_step, static_cast<int8_t*>(out),
          count);
}

void float_product_row_avx512(const FloatProductArgs& args, const void* a, size_t a_step, const void* b, size_t b_step,
                              void* out, size_t count) noexcept {
  if (count == 0) return;
  product_row(args, static_cast<const int8_t*>(a), a_step, static_cast<const int8_t*>(b), b_step,
              static_cast<int8_t*>(out), count);
}

void float_gate_row_avx512(const FloatProductArgs& args, const void* a, const float* b, void* out,
                           size_t count) noexcept {
  gate_row(args, static_cast<const int8_t*>(a), b, static_cast<int8_t*>(out), count);
}

void byte_product_row_avx512(const ByteProductArgs& args, const void* a, size_t a_step, const void* b, size_t b_step,
                             void* out, size_t count) noexcept {
  if (count == 0) return;
  product_row(args, static_cast<const int8_t*>(a), a_step, static_cast<const int8_t*>(b), b_step,
              static_cast<int8_t*>(out), count);
}

}  // namespace fewbits::ops
