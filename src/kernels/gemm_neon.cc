// Matrix products for NEON.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/gemm_f32_simd.h"
#include "kernels/gemm_s8_neon.h"

namespace fewbits {

using F32 = Gemm<F32Core<6, 4>>;
const GemmF32Kernel kGemmF32Neon = {"gemm_f32_6x16_neon", Isa::kNeon, F32::kMr, F32::kNr,
                                    &F32::packed_size,    &F32::pack, &F32::run};

using S8 = Gemm<NeonS8Core<BytePairDot>>;
const GemmS8Kernel kGemmS8Neon = {"gemm_s8_6x16_neon", Isa::kNeon, S8::kMr, S8::kNr,
                                  &S8::packed_size,    &S8::pack,  &S8::run};

}  // namespace fewbits
