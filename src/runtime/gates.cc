// Gates that convolutions apply as they quantize their input.
#include "runtime/gates.h"

#include <algorithm>

#include "ops/row_kernel.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::runtime {
namespace {

constexpr size_t kNobody = SIZE_MAX;

const TensorInfo& info(std::span<const TensorInfo> infos, ValueId id) { return infos[static_cast<size_t>(id)]; }

// Whether the step multiplies floats without a fused activation.
bool is_product(const Graph& graph, const Step& step) {
  return step.def->op == Op::MUL && !step.dynamic &&
         ops::fused_activation(graph.node(step.node)) == tflite::ActivationFunctionType::NONE;
}

// Of the operands of a product of shape [n, h, w, c] the one of shape [n, 1, 1, c], or -1.
int gate_of(const Step& step, std::span<const TensorInfo> infos) {
  const TensorInfo& product = info(infos, step.outputs[0]);
  if (product.dtype != DType::kFloat32 || product.rank() != 4) return -1;
  for (size_t i = 0; i < 2; ++i) {
    const TensorInfo &gate = info(infos, step.inputs[i]), &image = info(infos, step.inputs[1 - i]);
    if (gate.is_variable || image.is_variable || image.shape != product.shape) continue;
    if (gate.shape == Shape{product.dim(0), 1, 1, product.dim(3)}) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

void join_gates(const Graph& graph, std::span<const TensorInfo> infos, std::vector<Step>& steps) {
  const UseMap uses(graph);
  std::vector<size_t> maker(graph.value_count(), kNobody), readers(graph.value_count(), 0);
  for (size_t s = 0; s < steps.size(); ++s) {
    for (ValueId id : steps[s].outputs) maker[static_cast<size_t>(id)] = s;
    for (ValueId id : steps[s].inputs) {
      if (id != kNoValue) ++readers[static_cast<size_t>(id)];
    }
  }
  for (Step& step : steps) {
    if (step.def == nullptr || step.dynamic || step.prepared.kernel == nullptr) continue;
    ops::RowKernel* rows = step.prepared.kernel->rows();
    if (rows == nullptr) continue;
    const ValueId product = step.inputs[0];
    if (readers[static_cast<size_t>(product)] != 1 || uses.is_graph_output(product)) continue;
    const size_t at = maker[static_cast<size_t>(product)];
    if (at == kNobody || steps[at].def == nullptr || !is_product(graph, steps[at])) continue;
    const int gate = gate_of(steps[at], infos);
    if (gate < 0 || !rows->take_gate(step.inputs.size())) continue;
    step.inputs.push_back(steps[at].inputs[static_cast<size_t>(gate)]);
    step.inputs[0] = steps[at].inputs[static_cast<size_t>(1 - gate)];
    step.prepared.choice += ", MUL on the way in";
    steps[at] = Step{};
  }
  std::erase_if(steps, [](const Step& step) { return step.def == nullptr; });
}

}  // namespace fewbits::runtime
