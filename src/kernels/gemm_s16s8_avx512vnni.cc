// 16x8 matrix products for AVX-512 VNNI: vpdpwssd sums two products a lane in one step.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/finish_s16_avx512.h"
#include "kernels/gemm_s16s8_simd.h"

namespace fewbits {
namespace {

struct VnniPairDot : PairDot {
  static FB_INLINE __m512i dot(__m512i acc, __m512i a, __m512i b) { return _mm512_dpwssd_epi32(acc, a, b); }
};

}  // namespace

using Kernel = Gemm<S16S8Core<6, 4, FinishShorts, VnniPairDot>>;
const GemmS16S8Kernel kGemmS16S8Avx512Vnni = {"gemm_s16s8_6x64_avx512vnni", Isa::kAvx512Vnni, Kernel::kMr, Kernel::kNr,
                                              &Kernel::packed_size,         &Kernel::pack,    &Kernel::run};

}  // namespace fewbits
