// Quantization of arrays for AVX2.
#include "kernels/simd_avx2.h"
// after the ISA's vectors:
#include "kernels/quantize_simd.h"

namespace fewbits {

const QuantizeKernels kQuantizeAvx2 = Quantize::kernels("quantize_avx2", Isa::kAvx2);

}  // namespace fewbits
