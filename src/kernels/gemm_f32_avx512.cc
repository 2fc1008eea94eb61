// Float matrix products for AVX-512.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/gemm_f32_simd.h"

namespace fewbits {

using Kernel = Gemm<F32Core<6, 4>>;
const GemmF32Kernel kGemmF32Avx512 = {"gemm_f32_6x64_avx512", Isa::kAvx512,  Kernel::kMr, Kernel::kNr,
                                      &Kernel::packed_size,   &Kernel::pack, &Kernel::run};

}  // namespace fewbits
