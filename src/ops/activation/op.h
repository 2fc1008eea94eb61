// Activation functions: RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, PRELU, LEAKY_RELU, ELU, GELU, HARD_SWISH, LOGISTIC,
// TANH.
//
// Floats: float32 within a few units in the last place of the C library's functions. 8-bit functions of one operand are
// tables of 256 answers made when the plan is: LOGISTIC, TANH, ELU and GELU of the real value in float32, the RELU
// family and LEAKY_RELU in LiteRT's fixed point, HARD_SWISH in its 16-bit fixed point. int16 LOGISTIC and TANH
// interpolate TFLite's table of the logistic function (sigmoid_table.h), GELU its 513 samples, the others compute value
// by value. All follow LiteRT's reference kernels exactly. PRELU's slope broadcasts to the input; with an int16 input
// it may be int8.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> activation_ops() noexcept;

// kernels.cc: chooses by type; floats
Result<Prepared> prepare_activation(const OpContext& context);
// quantized.cc: 8-bit tables
Result<Prepared> prepare_activation_8bit(const OpContext& context);
// int16.cc
Result<Prepared> prepare_activation_int16(const OpContext& context);
// prelu.cc
Result<Prepared> prepare_prelu(const OpContext& context);

// The clamp of a RELU operator in real numbers; hi is infinite for RELU.
struct ReluRange {
  float lo, hi;
};
ReluRange relu_range(Op op) noexcept;
// Options of the node, with the schema's defaults where there are none.
float leaky_relu_alpha(const Node& node) noexcept;
bool gelu_is_approximate(const Node& node) noexcept;

}  // namespace fewbits::ops
