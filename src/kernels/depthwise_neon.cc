// Depthwise convolutions for NEON.
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/depthwise_f32_simd.h"
#include "kernels/depthwise_s8_simd.h"

namespace fewbits {

const DepthwiseF32Kernel kDepthwiseF32Neon = {"depthwise_f32_neon",
                                              Isa::kNeon,
                                              Simd::kLanes,
                                              false,
                                              false,
                                              &DepthwiseF32Core::packed_size,
                                              &DepthwiseF32Core::pack,
                                              &Depthwise<DepthwiseF32Core>::run};
const DepthwiseS8Kernel kDepthwiseS8Neon = {"depthwise_s8_neon",
                                            Isa::kNeon,
                                            Simd::kLanes,
                                            false,
                                            true,
                                            &DepthwiseS8Core::packed_size,
                                            &DepthwiseS8Core::pack,
                                            &Depthwise<DepthwiseS8Core>::run};

}  // namespace fewbits
