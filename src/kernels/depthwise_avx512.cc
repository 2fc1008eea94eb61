// Depthwise convolutions for AVX-512.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/depthwise_f32_lines_simd.h"
#include "kernels/depthwise_s8_simd.h"

namespace fewbits {

const DepthwiseF32Kernel kDepthwiseF32Avx512 = {"depthwise_f32_avx512",
                                                Isa::kAvx512,
                                                Simd::kLanes,
                                                false,
                                                false,
                                                &DepthwiseF32Core::packed_size,
                                                &DepthwiseF32Core::pack,
                                                &run_depthwise_f32<DepthwiseF32Core>};
const DepthwiseS8Kernel kDepthwiseS8Avx512 = {"depthwise_s8_avx512",
                                              Isa::kAvx512,
                                              Simd::kLanes,
                                              false,
                                              true,
                                              &DepthwiseS8Core::packed_size,
                                              &DepthwiseS8Core::pack,
                                              &Depthwise<DepthwiseS8Core>::run};

}  // namespace fewbits
