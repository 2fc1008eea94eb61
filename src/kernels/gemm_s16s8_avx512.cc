// 16x8 matrix products for AVX-512.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/finish_s16_avx512.h"
#include "kernels/gemm_s16s8_simd.h"

namespace fewbits {
namespace {

struct Finish {
  static void fast(const GemmS16S8Args& args, int32_t zero_point, size_t row, size_t rows, size_t c, size_t count,
                   const int64_t* sums, size_t stride, const int32_t* column_sums) {
    finish_shorts(args, zero_point, row, rows, c, count, sums, stride, column_sums);
  }
};

}  // namespace

using Kernel = Gemm<S16S8Core<6, 4, Finish>>;
const GemmS16S8Kernel kGemmS16S8Avx512 = {"gemm_s16s8_6x64_avx512", Isa::kAvx512,  Kernel::kMr, Kernel::kNr,
                                          &Kernel::packed_size,     &Kernel::pack, &Kernel::run};

}  // namespace fewbits
