// Depthwise convolutions for AVX2.
#include "kernels/simd_avx2.h"
// after the ISA's vectors:
#include "kernels/depthwise_f32_lines_simd.h"
#include "kernels/depthwise_s8_simd.h"

namespace fewbits {

const DepthwiseF32Kernel kDepthwiseF32Avx2 = {"depthwise_f32_avx2",
                                              Isa::kAvx2,
                                              Simd::kLanes,
                                              false,
                                              false,
                                              &DepthwiseF32Core::packed_size,
                                              &DepthwiseF32Core::pack,
                                              &run_depthwise_f32<DepthwiseF32Core>};
const DepthwiseS8Kernel kDepthwiseS8Avx2 = {"depthwise_s8_avx2",
                                            Isa::kAvx2,
                                            Simd::kLanes,
                                            false,
                                            true,
                                            &DepthwiseS8Core::packed_size,
                                            &DepthwiseS8Core::pack,
                                            &Depthwise<DepthwiseS8Core>::run};

}  // namespace fewbits
