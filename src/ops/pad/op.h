// PAD, PADV2 and MIRROR_PAD: a tensor inside a larger one, around it a constant or its own reflection.
//
// Any element type with a size, up to 8 dimensions. PAD writes real zero: the zero point where the output is quantized.
// Negative paddings and reflections that reach beyond the tensor are errors, as in LiteRT.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> pad_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_pad(const OpContext& context);
Result<Prepared> prepare_mirror_pad(const OpContext& context);

}  // namespace fewbits::ops
