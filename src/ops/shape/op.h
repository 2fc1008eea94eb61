// Operators that only look at or change shapes: RESHAPE, SQUEEZE, EXPAND_DIMS, SHAPE, RANK, ZEROS_LIKE.
//
// RESHAPE, SQUEEZE and EXPAND_DIMS keep the bytes of input 0, whatever the element type, and need output parameters equal to
// the input's when quantized (which a writer guarantees; a reader does not check, as LiteRT does not).
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> shape_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_view(const OpContext& context);
Result<Prepared> prepare_shape(const OpContext& context);
Result<Prepared> prepare_rank(const OpContext& context);
Result<Prepared> prepare_zeros_like(const OpContext& context);

}  // namespace fewbits::ops
