// Rows of float functions for NEON.
#include "kernels/float_math.h"
#include "kernels/float_rows.h"
#include "kernels/independent_loop.h"
#include "kernels/simd_neon.h"

namespace fewbits {
namespace {
using Vectors = Simd;
using Math = FloatMath<Vectors>;
}  // namespace
}  // namespace fewbits

// Its own namespace: see float_rows.inc.
#include "kernels/float_rows.inc"

namespace fewbits {

extern const FloatRows kFloatRowsNeon;
const FloatRows kFloatRowsNeon = make_float_rows("neon", Isa::kNeon);

}  // namespace fewbits
