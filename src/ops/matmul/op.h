// BATCH_MATMUL: out[b, m, n] = sum over k of x[b, m, k] * y[b, k, n], batches broadcast; adj_x, adj_y: the last two
// dimensions of x or y are swapped.
//
// Types: float32; int8 and uint8, one scale an operand; int8 to int32, which LiteRT computes without zero points; int16
// by int16 (LiteRT's formula exactly); hybrid (float32 by int8 or int4): each row of x is quantized by its own range,
// asymmetrically if the option says so, y has one scale or one a column. With two or more batch dimensions LiteRT's
// hybrid kernel (2.3) takes the row scales of the wrong batch (its stride over the outer batch dimension leaves out the
// inner one); we do not. A constant y is packed once. int8 outputs may differ from LiteRT's by one unit, for the reason
// given in ops/conv/op.h.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> matmul_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_batch_matmul(const OpContext& context);

}  // namespace fewbits::ops
