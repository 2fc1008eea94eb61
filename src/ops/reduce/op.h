// Reductions: MEAN, SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY, REDUCE_ALL over any dimensions; ARG_MAX,
// ARG_MIN, CUMSUM along one; TOPK_V2 along the last; REDUCE_WINDOW over sliding windows.
//
// float32 sums are taken in blocks of 64 in float32, the blocks in float64: at least as exact as a plain loop, which
// LiteRT's reference is. Integers wrap. Quantized SUM, MEAN and REDUCE_PROD follow LiteRT's reference formulas exactly
// (ref.h); REDUCE_MAX and REDUCE_MIN need equal input and output parameters. A reduction of nothing gives the
// operation's neutral element; a float mean of nothing is NaN, an integer mean 0. ARG_MAX and TOPK_V2 prefer the
// earlier of equal values; TOPK_V2 ranks NaN lowest. The axis may be computed at run time.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> reduce_ops() noexcept;

// kernels.cc: MEAN, SUM and REDUCE_PROD of floats and plain integers, REDUCE_MAX, _MIN, _ANY, _ALL; quantized.cc: with
// scales
Result<Prepared> prepare_reduction(const OpContext& context);
Result<Prepared> prepare_quantized_reduction(const OpContext& context);
// axis_kernels.cc
Result<Prepared> prepare_arg(const OpContext& context);
Result<Prepared> prepare_cumsum(const OpContext& context);
Result<Prepared> prepare_top_k(const OpContext& context);
// window.cc
Status infer_reduce_window(OpContext& context);
Result<Prepared> prepare_reduce_window(const OpContext& context);

}  // namespace fewbits::ops
