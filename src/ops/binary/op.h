// Elementwise operators of two operands with numpy's broadcasting: ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM,
// SQUARED_DIFFERENCE, POW, FLOOR_DIV, FLOOR_MOD, ATAN2, BITWISE_XOR, RIGHT_SHIFT. On operands of one shape: ADD_N, and
// StableHLO's ADD, MULTIPLY, MAXIMUM, MINIMUM, AND and SHIFT_LEFT on plain numbers.
//
// Floats: computed in float32 (float64 for ATAN2), then clamped to the fused activation; "no activation" clamps to the
// largest finite number, as LiteRT's kernels do, so an infinite sum becomes 3.4e38. float16 is computed in float32 and
// rounded once. Integers wrap. What LiteRT refuses at run time has a defined result here: division by zero gives 0
// (floats: IEEE), a negative integer exponent truncates towards zero, shifts saturate at the width. Quantized ADD, SUB,
// MUL, DIV and SQUARED_DIFFERENCE follow LiteRT's reference formulas to the bit (ref.h). MAXIMUM and MINIMUM compare
// stored values: operands and output must share their parameters, which a writer guarantees.
#pragma once

#include <span>

#include "ir/op_def.h"
#include "kernels/broadcast.h"

namespace fewbits::ops {

std::span<const OpDef> binary_ops() noexcept;

// kernels.cc: ADD, SUB, MUL, DIV, SQUARED_DIFFERENCE in floats and plain integers; the rest of their types in
// quantized.cc
Result<Prepared> prepare_arithmetic(const OpContext& context);
// quantized.cc: the same operators on int8, uint8 and int16 with scales
Result<Prepared> prepare_quantized_arithmetic(const OpContext& context, const Broadcast<2>& plan);
// other_kernels.cc
Result<Prepared> prepare_maximum_minimum(const OpContext& context);
Result<Prepared> prepare_power(const OpContext& context);
Result<Prepared> prepare_floor(const OpContext& context);
Result<Prepared> prepare_atan2(const OpContext& context);
Result<Prepared> prepare_bits(const OpContext& context);
Result<Prepared> prepare_add_n(const OpContext& context);
// stablehlo.cc
Result<Prepared> prepare_stablehlo(const OpContext& context);

// The walk over operands 0 and 1 towards output 0; an error when their types differ or too many dimensions alternate.
Result<Broadcast<2>> plan_operands(const OpContext& context);
// Whether output 0 has a scale: int16 arithmetic without one is plain.
inline bool is_quantized(const OpContext& context) { return context.outputs[0].quant->quantized(); }

}  // namespace fewbits::ops
