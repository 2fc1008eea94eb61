// int8 matrix products for ARM with dot products: sdot sums four products a lane.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/gemm_s8_simd.h"

namespace fewbits {
namespace {

struct DotProductDot : BytePairDot {
  static constexpr size_t kGroup = 4;

  static FB_INLINE Vector broadcast(const int8_t* a) {
    int32_t four;
    __builtin_memcpy(&four, a, sizeof four);
    return vdupq_n_s32(four);
  }
  static FB_INLINE Vector load(const int8_t* b) { return vreinterpretq_s32_s8(vld1q_s8(b)); }
  static FB_INLINE Vector dot(Vector sum, Vector a, Vector b) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
  }
};

}  // namespace

using Kernel = Gemm<S8Core<DotProductDot, 6, 4>>;
const GemmS8Kernel kGemmS8NeonDot = {"gemm_s8_6x16_neondot", Isa::kNeonDot, Kernel::kMr, Kernel::kNr,
                                     &Kernel::packed_size,   &Kernel::pack, &Kernel::run};

}  // namespace fewbits
