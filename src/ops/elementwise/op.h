// Elementwise functions of one operand: ABS, NEG, EXP, LOG, SQRT, RSQRT, SQUARE, SIN, COS, FLOOR, CEIL, ROUND, SIGN.
//
// Floats: float32 within a few units in the last place of the C library's functions; ROUND ties to even. Plain integers
// wrap. Quantized: int8 is a table of 256 answers made when the plan is; int16 EXP, LOG and RSQRT interpolate LiteRT's
// 513 samples. Both hold what LiteRT's reference kernels answer: EXP and LOG of the real value in float32, RSQRT in
// fixed point, SQRT truncated to the output's grid, NEG on the stored values. LOG and RSQRT of what is not positive,
// which LiteRT refuses or clamps, give the least and the largest output.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> elementwise_ops() noexcept;

// kernels.cc: float32 and plain integers
Result<Prepared> prepare_elementwise(const OpContext& context);
// quantized.cc: int8 and int16 with scales
Result<Prepared> prepare_quantized_elementwise(const OpContext& context);

}  // namespace fewbits::ops
