// 16x8 matrix products for AVX-512.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/finish_s16_avx512.h"
#include "kernels/gemm_s16s8_simd.h"

namespace fewbits {
using Kernel = Gemm<S16S8Core<6, 4, FinishShorts>>;
const GemmS16S8Kernel kGemmS16S8Avx512 = {"gemm_s16s8_6x64_avx512", Isa::kAvx512,  Kernel::kMr, Kernel::kNr,
                                          &Kernel::packed_size,     &Kernel::pack, &Kernel::run};

}  // namespace fewbits
