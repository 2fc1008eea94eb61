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
extern const DepthwiseS8Kernel kDepthwiseS8NeonDot;

extern const DepthwiseS16S8Kernel kDepthwiseS16S8Ref;
extern const DepthwiseS16S8Kernel kDepthwiseS16S8Avx512;

// From 64-bit sums (without bias and zero point) to outputs, channels [c, c + count) of a row, by any rule. For the ISA
// files. weight_sums: of these channels.
void finish_s16s8(const DepthwiseS16S8Args& args, size_t row, size_t c, size_t count, const int64_t* sums,
                  const int32_t* weight_sums) noexcept;

}  // namespace fewbits
