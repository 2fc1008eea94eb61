// Quantization of arrays for NEON.
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/quantize_simd.h"

namespace fewbits {

const QuantizeKernels kQuantizeNeon = Quantize::kernels("quantize_neon", Isa::kNeon);

}  // namespace fewbits
