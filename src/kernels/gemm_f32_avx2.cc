// Float matrix products for AVX2.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx2.h"
// after the ISA's vectors:
#include "kernels/gemm_f32_simd.h"

namespace fewbits {

using Kernel = Gemm<F32Core<6, 2>>;
const GemmF32Kernel kGemmF32Avx2 = {"gemm_f32_6x16_avx2", Isa::kAvx2,    Kernel::kMr, Kernel::kNr,
                                    &Kernel::packed_size, &Kernel::pack, &Kernel::run};

}  // namespace fewbits
