// int8 matrix products for AVX-512 without VNNI: bytes widened to int16 and multiplied in pairs.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/gemm_s8_simd.h"

namespace fewbits {

using Kernel = Gemm<S8Core<PairDot, 6, 4>>;
const GemmS8Kernel kGemmS8Avx512 = {"gemm_s8_6x64_avx512", Isa::kAvx512,  Kernel::kMr, Kernel::kNr,
                                    &Kernel::packed_size,  &Kernel::pack, &Kernel::run};

}  // namespace fewbits
