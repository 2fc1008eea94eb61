// Every depthwise kernel: the list that depthwise.cc dispatches over. Names end in the ISA of their file.
#pragma once

#include "kernels/depthwise.h"

namespace fewbits {

extern const DepthwiseF32Kernel kDepthwiseF32Ref;
extern const DepthwiseF32Kernel kDepthwiseF32Avx2;
extern const DepthwiseF32Kernel kDepthwiseF32Avx512;
extern const DepthwiseF32Kernel kDepthwiseF32Neon;

extern const DepthwiseS8Kernel kDepthwiseS8Ref;
extern const DepthwiseS8Kernel kDepthwiseS8Avx2;
extern const DepthwiseS8Kernel kDepthwiseS8Avx512;
extern const DepthwiseS8Kernel kDepthwiseS8Avx512Vnni;
extern const DepthwiseS8Kernel kDepthwiseS8Neon;

extern const DepthwiseS16S8Kernel kDepthwiseS16S8Ref;

}  // namespace fewbits
