// int8 matrix products for AVX2: bytes widened to int16 and multiplied in pairs.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx2.h"
// after the ISA's vectors:
#include "kernels/gemm_s8_simd.h"

namespace fewbits {

using Kernel = Gemm<S8Core<PairDot, 6, 2>>;
const GemmS8Kernel kGemmS8Avx2 = {"gemm_s8_6x16_avx2",  Isa::kAvx2,    Kernel::kMr, Kernel::kNr,
                                  &Kernel::packed_size, &Kernel::pack, &Kernel::run};

}  // namespace fewbits
