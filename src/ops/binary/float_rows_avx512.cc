// Float formulas for sums of bytes, 64 at a time.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "ops/binary/float_rows.h"

namespace fewbits::ops {
namespace {

constexpr size_t kStep = 64;

struct Floats {
  __m512 x[4];
};

FB_INLINE Floats widen(__m512i bytes) {
  return {{Simd::to_float(_mm512_cvtepi8_epi32(_mm512_castsi512_si128(bytes))),
           Simd::to_float(_mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes, 1))),
           Simd::to_float(_mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes, 2))),
           Simd::to_float(_mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes, 3)))}};
}

FB_INLINE __m512i combine(const FloatSumArgs& args, const Floats& a, const Floats& b) {
  const __m512 a_scale = Simd::set(args.a_scale), b_scale = Simd::set(args.b_scale), offset = Simd::set(args.offset);
  __m512i y[4];
  unroll<4>([&]<size_t v>() FB_LAMBDA {
    y[v] = Simd::to_int_nearest_even(Simd::fma(a.x[v], a_scale, Simd::fma(b.x[v], b_scale, offset)));
  });
  const __m512i zero = _mm512_set1_epi16(static_cast<int16_t>(args.out_zero));
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(y[0], y[1]), zero);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(y[2], y[3]), zero);
  __m512i bytes = _mm512_packs_epi16(low, high);
  bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8(static_cast<char>(args.lo)));
  bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8(static_cast<char>(args.hi)));
  // Packing went by lanes of 128 bits: dword 4 * lane + v holds four of vector v.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_xor_si512(_mm512_permutexvar_epi32(order, bytes), _mm512_set1_epi8(static_cast<char>(args.flip)));
}

void run(const FloatSumArgs& shared, const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* out,
         size_t count) {
  const FloatSumArgs args = shared;  // out may not alias it
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(args.flip));
  const auto load = [&](const int8_t* p, size_t step, size_t i, __mmask64 present) FB_LAMBDA {
    const __m512i bytes = step == 0 ? _mm512_set1_epi8(*p) : _mm512_maskz_loadu_epi8(present, p + i);
    return widen(_mm512_xor_si512(bytes, flip));
  };
  const Floats a_first = load(a, 0, 0, 0), b_first = load(b, 0, 0, 0);
  for (size_t i = 0; i < count; i += kStep) {
    const __mmask64 present = count - i >= kStep ? ~uint64_t{0} : (uint64_t{1} << (count - i)) - 1;
    const Floats x = a_step == 0 ? a_first : load(a, 1, i, present);
    const Floats y = b_step == 0 ? b_first : load(b, 1, i, present);
    _mm512_mask_storeu_epi8(out + i, present, combine(args, x, y));
  }
}

}  // namespace

void float_row_avx512(const FloatSumArgs& args, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                      size_t count) noexcept {
  if (count == 0) return;
  run(args, static_cast<const int8_t*>(a), a_step, static_cast<const int8_t*>(b), b_step, static_cast<int8_t*>(out),
      count);
}

}  // namespace fewbits::ops
