// Byte tables for AVX-512 VBMI: vpermi2b looks up 64 bytes at a time in half of a table that lies in registers.
#include "kernels/quantize_kernels.h"
#include "kernels/simd_avx512.h"

namespace fewbits {
namespace {

struct Table {
  __m512i quarter[4];
};

// The highest bit of a byte says which half it looks into, the others where.
FB_INLINE __m512i look_up(const Table& table, __m512i x) {
  const __m512i low = _mm512_permutex2var_epi8(table.quarter[0], x, table.quarter[1]);
  const __m512i high = _mm512_permutex2var_epi8(table.quarter[2], x, table.quarter[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}

}  // namespace

void apply_lut_avx512vbmi(const uint8_t* in, uint8_t* out, size_t count, const uint8_t* table) noexcept {
  Table t;
  unroll<4>([&]<size_t i>() FB_LAMBDA { t.quarter[i] = _mm512_loadu_si512(table + 64 * i); });
  size_t i = 0;
  for (; i + 128 <= count; i += 128) {
    const __m512i first = _mm512_loadu_si512(in + i), second = _mm512_loadu_si512(in + i + 64);
    _mm512_storeu_si512(out + i, look_up(t, first));
    _mm512_storeu_si512(out + i + 64, look_up(t, second));
  }
  for (; i < count; i += 64) {
    const __mmask64 present = count - i >= 64 ? ~uint64_t{0} : (uint64_t{1} << (count - i)) - 1;
    _mm512_mask_storeu_epi8(out + i, present, look_up(t, _mm512_maskz_loadu_epi8(present, in + i)));
  }
}

}  // namespace fewbits
