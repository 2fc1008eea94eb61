// Rows of float functions for AVX2.
#include "kernels/float_math.h"
#include "kernels/float_rows.h"
#include "kernels/independent_loop.h"
// Its own namespace: see float_rows.inc.
#include "kernels/float_rows.inc"

namespace fewbits {

extern const FloatRows kFloatRowsAvx2;
const FloatRows kFloatRowsAvx2 = make_float_rows("avx2", Isa::kAvx2);

}  // namespace fewbits
