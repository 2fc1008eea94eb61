// int8 matrix products for AVX-512 VNNI: vpdpbusd sums four products a lane.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/gemm_s8_simd.h"

namespace fewbits {
namespace {

// vpdpbusd wants one operand unsigned: activations are staged with 128 added, which the sums of the weights take back.
struct VnniDot {
  using Staged = uint8_t;
  using Packed = int8_t;
  using Vector = __m512i;
  static constexpr size_t kGroup = 4;
  static constexpr int32_t kOffset = 128;

  static FB_INLINE void stage(const int8_t* in, uint8_t* out, size_t count, uint8_t flip) {
    const __m512i mask = _mm512_set1_epi8(static_cast<char>(flip ^ 0x80));
    size_t i = 0;
    for (; i + 64 <= count; i += 64) {
      _mm512_storeu_si512(out + i, _mm512_xor_si512(_mm512_loadu_si512(in + i), mask));
    }
    if (i == count) return;
    const __mmask64 rest = (uint64_t{1} << (count - i)) - 1;
    _mm512_mask_storeu_epi8(out + i, rest, _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, in + i), mask));
  }
  static FB_INLINE __m512i zero() { return Simd::set(0); }
  static FB_INLINE __m512i broadcast(const uint8_t* a) {
    int32_t four;
    __builtin_memcpy(&four, a, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static FB_INLINE __m512i load(const int8_t* b) { return _mm512_loadu_si512(b); }
  static FB_INLINE __m512i dot(__m512i acc, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(acc, a, b); }
};

}  // namespace

using Kernel = Gemm<S8Core<VnniDot, 6, 4>>;
const GemmS8Kernel kGemmS8Avx512Vnni = {"gemm_s8_6x64_avx512vnni", Isa::kAvx512Vnni, Kernel::kMr, Kernel::kNr,
                                        &Kernel::packed_size,      &Kernel::pack,    &Kernel::run};

}  // namespace fewbits
