// Every matrix product kernel: the list that gemm.cc dispatches over. Names end in the ISA of their file.
#pragma once

#include "kernels/gemm.h"

namespace fewbits {

extern const GemmF32Kernel kGemmF32Ref;
extern const GemmF32Kernel kGemmF32Avx2;
extern const GemmF32Kernel kGemmF32Avx512;
extern const GemmF32Kernel kGemmF32Amx;
extern const GemmF32Kernel kGemmF32Neon;

extern const GemmS8Kernel kGemmS8Ref;
extern const GemmS8Kernel kGemmS8Avx2;
extern const GemmS8Kernel kGemmS8Avx512;
extern const GemmS8Kernel kGemmS8Avx512Vnni;
extern const GemmS8Kernel kGemmS8Amx;
extern const GemmS8Kernel kGemmS8Neon;
extern const GemmS8Kernel kGemmS8NeonDot;

extern const GemmS16S8Kernel kGemmS16S8Ref;
extern const GemmS16S8Kernel kGemmS16S8Avx2;
extern const GemmS16S8Kernel kGemmS16S8Avx512;
extern const GemmS16S8Kernel kGemmS16S8Avx512Vnni;

// From 64-bit sums (without bias and zero point) to a row of outputs, columns [n, n + count) of row m. For the ISA
// files, which must not hold their own copy of fixed_point.h. column_sums: of W's columns.
void finish_s16s8(const GemmS16S8Args& args, size_t m, size_t n, size_t count, const int64_t* sums,
                  const int32_t* column_sums) noexcept;

}  // namespace fewbits
