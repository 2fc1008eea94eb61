// RELU and its kin go into the operator whose result they read, where nothing else reads it.
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "passes/weights.h"

namespace fewbits::passes {
namespace {

using tflite::ActivationFunctionType;

ActivationFunctionType activation(Op op) {
  switch (op) {
    case Op::RELU: return ActivationFunctionType::RELU;
    case Op::RELU6: return ActivationFunctionType::RELU6;
    case Op::RELU_N1_TO_1: return ActivationFunctionType::RELU_N1_TO_1;
    default: return ActivationFunctionType::NONE;
  }
}

bool can_fuse(const Node& node) {
  switch (node.op) {
    case Op::CONV_2D:
    case Op::DEPTHWISE_CONV_2D:
    case Op::FULLY_CONNECTED:
    case Op::ADD:
    case Op::SUB:
    case Op::MUL:
    case Op::DIV:
    case Op::AVERAGE_POOL_2D:
    case Op::MAX_POOL_2D: break;
    default: return false;  // TRANSPOSE_CONV takes one from version 4 on, which XNNPACK does not
  }
  return fused_activation(const_cast<tflite::BuiltinOptionsUnion&>(*node.options)) != nullptr;
}

}  // namespace

Result<size_t> fuse_activations(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    const auto wanted = activation(r.node(id).op);
    if (wanted == ActivationFunctionType::NONE) continue;
    const ValueId x = r.node(id).inputs[0], y = r.node(id).outputs[0];
    const NodeId maker = r.producer(x);
    if (maker < 0 || !r.single_use(x) || !can_fuse(r.node(maker)) || r.value(x).dtype != DType::kFloat32) continue;
    const auto now = activation_of(r.node(maker));
    // min(max(x, 0), 6) after max(x, 0) is the former.
    const bool implied = now == ActivationFunctionType::RELU && wanted == ActivationFunctionType::RELU6;
    const bool nothing_new =
        now == wanted || (now == ActivationFunctionType::RELU6 && wanted == ActivationFunctionType::RELU);
    if (now != ActivationFunctionType::NONE && !implied && !nothing_new) continue;
    r.remove(id);
    r.set_output(maker, 0, y);
    if (!nothing_new) set_activation(r.edit(maker), wanted);
    ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
