// Pooling over windows of NHWC images: AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D.
//
// Elements of a window that lie in the padding do not count. The mean of integers rounds half away from zero (uint8:
// half up), L2 is sqrt(mean(x^2)); the fused activation clamps the result. Input and output share their quantization
// parameters, as the kernels of LiteRT demand. Sums run over rows, then columns, as LiteRT's reference does: results
// are equal to the bit.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> pool_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_pool(const OpContext& context);

}  // namespace fewbits::ops
