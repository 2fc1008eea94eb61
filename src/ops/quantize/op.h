// Between number formats: QUANTIZE (float to integers, and integers to integers of other parameters), DEQUANTIZE,
// FAKE_QUANT, CAST, BITCAST.
//
// QUANTIZE divides by the scale in float32, rounds half away from zero and saturates; NaN gives the least value.
// Integers are rescaled in LiteRT's fixed point. DEQUANTIZE is exact: one rounding to float32. Both take one scale, or
// one for each index of a dimension. CAST of a float to an integer truncates and saturates, NaN gives the largest
// value, as LiteRT's newer kernels do (older ones leave it to the processor); a complex number becomes its real part.
// 4-bit and 2-bit numbers are stored lowest bits first.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> quantize_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_quantize(const OpContext& context);
Result<Prepared> prepare_dequantize(const OpContext& context);
Result<Prepared> prepare_fake_quant(const OpContext& context);
// requantize.cc
Result<Prepared> prepare_requantize(const OpContext& context);
// cast.cc
Result<Prepared> prepare_cast(const OpContext& context);
Result<Prepared> prepare_bitcast(const OpContext& context);

}  // namespace fewbits::ops
