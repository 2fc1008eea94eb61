// Rows of float32 arithmetic, vectorized for AVX2.
#include "kernels/independent_loop.h"
#include "ops/binary/f32_rows.h"
// Its own namespace: see f32_rows.inc.
#include "ops/binary/f32_rows.inc"

namespace fewbits::ops {

const F32Rows kF32RowsAvx2 = {"avx2", f32_row<SumOf>, f32_row<DifferenceOf>, f32_row<ProductOf>};

}  // namespace fewbits::ops
