// Rows of float functions for AVX2.
#include "kernels/float_math.h"
#include "kernels/float_rows.h"
#include "kernels/independent_loop.h"
#include "kernels/simd_avx2.h"

namespace fewbits {
namespace {
using Vectors = Simd;
using Math = FloatMath<Vectors>;
}  // namespace
}  // namespace fewbits

// Its own namespace: see float_rows.inc.
#include "kernels/float_rows.inc"

namespace fewbits {

extern const FloatRows kFloatRowsAvx2;
const FloatRows kFloatRowsAvx2 = make_float_rows("avx2", Isa::kAvx2);

}  // namespace fewbits
