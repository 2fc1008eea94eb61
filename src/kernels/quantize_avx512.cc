// Quantization of arrays for AVX-512.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/quantize_simd.h"

namespace fewbits {

const QuantizeKernels kQuantizeAvx512 = Quantize::kernels("quantize_avx512", Isa::kAvx512);

}  // namespace fewbits
