// 16x8 matrix products for AVX2.
#include "kernels/simd_avx2.h"
// after the ISA's vectors:
#include "kernels/gemm_s16s8_simd.h"

namespace fewbits {

namespace {
struct Finish {
  static constexpr bool kFast = false;
};
}  // namespace

using Kernel = Gemm<S16S8Core<6, 2, Finish>>;
const GemmS16S8Kernel kGemmS16S8Avx2 = {"gemm_s16s8_6x16_avx2", Isa::kAvx2,    Kernel::kMr, Kernel::kNr,
                                        &Kernel::packed_size,   &Kernel::pack, &Kernel::run};

}  // namespace fewbits
