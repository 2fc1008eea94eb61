// Rows of float functions for AVX512.
#include "kernels/float_math.h"
#include "kernels/float_rows.h"
#include "kernels/independent_loop.h"
#include "kernels/simd_avx512.h"

namespace fewbits {
namespace {
using Vectors = Simd;
using Math = FloatMath<Vectors>;
}  // namespace
}  // namespace fewbits

// Its own namespace: see float_rows.inc.
#include "kernels/float_rows.inc"

namespace fewbits {

extern const FloatRows kFloatRowsAvx512;
const FloatRows kFloatRowsAvx512 = make_float_rows("avx512", Isa::kAvx512);

}  // namespace fewbits
