// Comparisons, logic and selection: EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, LOGICAL_AND,
// LOGICAL_OR, LOGICAL_NOT, SELECT, SELECT_V2.
//
// Comparisons give booleans. Quantized operands with scales are compared in LiteRT's fixed point: 8 more bits, each
// scale as a 32-bit multiplier; without scales the stored values are compared. EQUAL and NOT_EQUAL also take strings.
// SELECT copies elements of any type of 1, 2, 4 or 8 bytes; quantized operands share their parameters with the output.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> compare_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_comparison(const OpContext& context);
// logic_kernels.cc
Result<Prepared> prepare_logical(const OpContext& context);
Result<Prepared> prepare_logical_not(const OpContext& context);
Result<Prepared> prepare_select(const OpContext& context);
// string_kernels.cc
Result<Prepared> prepare_string_comparison(const OpContext& context);

}  // namespace fewbits::ops
