// FULLY_CONNECTED: out[m, n] = sum over k of in[m, k] * weights[n, k], plus bias, clamped by the fused activation.
//
// The input's elements are taken as rows of the weights' depth k; with keep_num_dims the output keeps the input's
// leading dimensions, else it is [rows, n]. Weights and bias may be the results of other operators: then they are
// packed in every run. Types: float32; int8 with int8, int4 or int2 weights, one scale or one a row of weights; int16
// with int8 or int4 weights and int64 or int32 bias; legacy uint8; hybrid (float32 with int8, int4 or int2 weights):
// each row of the input is quantized by its own range, asymmetrically if the option says so.
//
// Hybrid weights of int4 may be quantized in blocks along k (BlockwiseQuantization: blocks of a multiple of 32 that divides k, a
// float16 scale each, no zero points): they stay four bits wide in memory, each row of the input is quantized asymmetrically
// whatever the option says, and kernels/gemm_s8b4.h has the sum. LiteRT's own kernel is equal up to float rounding, but leaves
// out the fused activation, which we apply; XNNPACK, which LiteRT takes by default, applies it and rounds the scales to
// bfloat16 first (up to 2^-9 of each product), which we do not. Scales that are bfloat16 numbers already, as fewbits writes them,
// give the same answers everywhere.
//
// LiteRT rounds these products once, where convolutions round twice. int8 and uint8 outputs may differ from its own by one
// unit, for the reason given in ops/conv/op.h.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> fully_connected_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_fully_connected(const OpContext& context);

}  // namespace fewbits::ops
