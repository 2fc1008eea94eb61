// Operators with constant weights, seen alike: which dimension is which, and how weights are changed.
#pragma once

#include <optional>
#include <vector>

#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {

struct WeightedOp {
  size_t input = 0, weights = 1, bias = 2;  // operands
  int out_axis = 0;                         // of the weights
};
// CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, TRANSPOSE_CONV, CONV_3D; nothing for others.
std::optional<WeightedOp> weighted_op(Op op);
// The same with float32 weights that are constant and dense, a bias that is, too, or absent, and nothing quantized.
std::optional<WeightedOp> weighted_node(const Rewriter& r, NodeId id, bool with_origin = false);

// The activation that a node fuses; null for operators without one.
tflite::ActivationFunctionType* fused_activation(tflite::BuiltinOptionsUnion& options);
tflite::ActivationFunctionType activation_of(const Node& node);
void set_activation(Node& node, tflite::ActivationFunctionType activation);

// The numbers of a float32 constant that spans `channels` of a last dimension: one each, or one for all. Nothing otherwise.
std::optional<std::vector<float>> channel_numbers(const Rewriter& r, ValueId id, int32_t channels);
// The output channels of a weighted node.
int32_t out_channels(const Rewriter& r, NodeId id, const WeightedOp& op);
// Multiplies each output channel's weights, and adds to the bias (made where there is none).
void scale_outputs(Rewriter& r, NodeId id, const WeightedOp& op, const std::vector<float>& scale);
void add_to_bias(Rewriter& r, NodeId id, const WeightedOp& op, const std::vector<float>& addend);

}  // namespace fewbits::passes
