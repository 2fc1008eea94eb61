// Convolutions: CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV over NHWC images, CONV_3D, CONV_3D_TRANSPOSE over volumes.
//
// Types: float32; int8 with int8 or int4 weights, one scale or one a channel; int16 with int8 weights and int64 or
// int32 bias; legacy uint8; hybrid (float32 with int8 or int4 weights). 3D operators: float32 only.
//
// Where our integers may differ from LiteRT's reference kernels by one unit: int8 and uint8 sums are scaled in two
// roundings as LiteRT's are, but in float32 (kernels/requantize.h), LiteRT's with a 31-bit fixed-point multiplier; about
// one output in 10^5 differs. Depthwise convolutions with int4 weights, which the reference resolver does not have, and
// whose other kernel rounds once. int16 follows LiteRT's formula exactly.
//
// Hybrid: each image of the batch is quantized by its own range. As in LiteRT, CONV_2D does so asymmetrically when the
// weights have more than one scale and symmetrically when they have one; the others always asymmetrically. Sums are scaled in
// LiteRT's order, so that a value next to the border of two bytes falls to the same side in the next operator.
//
// Every operator becomes products of gathered rows (kernels/gemm.h, kernels/depthwise.h): a row is an output position,
// its taps are found through a table of offsets, so that nothing is copied. Transposed convolutions are stride x stride
// interleaved convolutions ("phases"), each with the taps of the filter that reach it.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> conv_ops() noexcept;

// conv_kernels.cc: CONV_2D, CONV_3D
Result<Prepared> prepare_conv(const OpContext& context);
// depthwise_kernels.cc
Result<Prepared> prepare_depthwise(const OpContext& context);
// transpose_kernels.cc: TRANSPOSE_CONV, CONV_3D_TRANSPOSE
Result<Prepared> prepare_transpose_conv(const OpContext& context);

}  // namespace fewbits::ops
