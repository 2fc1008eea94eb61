// Normalizations: SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION over the last dimension, LOCAL_RESPONSE_NORMALIZATION over
// a window of channels.
//
// Floats: float32; sums in float32 except for rows, whose squares are summed in float64. Quantized operators follow
// LiteRT's reference kernels exactly: 8-bit SOFTMAX and LOG_SOFTMAX in fixed point (e^x of the 256 possible differences
// is a table made with the plan), int16 SOFTMAX through two tables of 513 samples, L2_NORMALIZATION by a fixed-point
// inverse root. Their output parameters are fixed: 1/256 (int16: 1/32768), 16/256 and 1/128.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> softmax_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_softmax(const OpContext& context);
Result<Prepared> prepare_log_softmax(const OpContext& context);
Result<Prepared> prepare_l2_normalization(const OpContext& context);
Result<Prepared> prepare_local_response_normalization(const OpContext& context);

}  // namespace fewbits::ops
