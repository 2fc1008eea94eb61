// prepare() of the control flow family.
#include "ops/control/op.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// A subgraph that a node calls, with its outputs' count and types known to fit.
struct Callee {
  int32_t graph = 0;
};

// The subgraph `index`, when it takes the node's operands from `first` on and gives what `outputs` want.
Result<Callee> callee(const OpContext& context, int64_t index, const char* what, size_t first,
                      std::span<const TensorInfo> outputs) {
  if (index < 0 || static_cast<uint64_t>(index) >= context.model->graphs.size()) {
    return context.fail(ErrorCode::kInvalidModel, "{} is subgraph {}, which does not exist", what, index);
  }
  const Graph& graph = context.model->graphs[static_cast<size_t>(index)];
  const size_t operands = context.inputs.size() - first;
  if (graph.inputs.size() != operands || graph.outputs.size() != outputs.size()) {
    return context.fail(ErrorCode::kInvalidModel, "{} ('{}') has {} inputs and {} outputs instead of {} and {}", what,
                        graph.name, graph.inputs.size(), graph.outputs.size(), operands, outputs.size());
  }
  for (size_t i = 0; i < operands; ++i) {
    const TensorInfo& operand = context.inputs[first + i];
    const DType wanted = graph.value(graph.inputs[i]).dtype;
    if (operand.present && operand.dtype != wanted) {
      return context.fail(ErrorCode::kInvalidModel, "input {} of {} ('{}') is {}, not {}", i, what, graph.name,
                          dtype_name(wanted), dtype_name(operand.dtype));
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const DType given = graph.value(graph.outputs[i]).dtype;
    if (outputs[i].present && outputs[i].dtype != given) {
      return context.fail(ErrorCode::kInvalidModel, "output {} of {} ('{}') is {}, not {}", i, what, graph.name,
                          dtype_name(given), dtype_name(outputs[i].dtype));
    }
  }
  return Callee{static_cast<int32_t>(index)};
}

// The boolean that a condition gives: one element.
Result<bool> truth(const TensorView& view, const char* what) {
  if (view.dtype != DType::kBool || view.bytes != 1 || view.data == nullptr) {
    return fail(ErrorCode::kInvalidModel, "{} must be one bool, not {} {}", what, dtype_name(view.dtype),
                shape_text(view.shape));
  }
  return *static_cast<const uint8_t*>(view.data) != 0;
}

Status set_outputs(DynamicArgs& args, std::span<const OwnedTensor> values) {
  for (size_t i = 0; i < values.size(); ++i) FB_TRY(copy_to_output(args, i, values[i].view()));
  return {};
}

std::vector<TensorView> views(std::span<const OwnedTensor> tensors) {
  std::vector<TensorView> result;
  for (const OwnedTensor& tensor : tensors) result.push_back(tensor.view());
  return result;
}

Status run_loop(DynamicArgs& args, Callee condition, Callee body) {
  std::vector<OwnedTensor> values;  // empty until the body ran: the operands
  std::vector<TensorView> current(args.inputs().begin(), args.inputs().end());
  for (;;) {
    FB_ASSIGN(const std::vector<OwnedTensor> answer, args.call(condition.graph, current));
    FB_ASSIGN(const bool go_on, truth(answer[0].view(), "a loop's condition"));
    if (!go_on) break;
    FB_ASSIGN(values, args.call(body.graph, current));
    current = views(values);
  }
  for (size_t i = 0; i < current.size(); ++i) FB_TRY(copy_to_output(args, i, current[i]));
  return {};
}

Prepared call_kernel(Callee target, const char* choice) {
  return make_dynamic_kernel(
      [target](DynamicArgs& args) -> Status {
        FB_ASSIGN(const std::vector<OwnedTensor> values, args.call(target.graph, args.inputs()));
        return set_outputs(args, values);
      },
      choice);
}

}  // namespace

Result<Prepared> prepare_if(const OpContext& context) {
  const auto* options = context.node->options->AsIfOptions();
  if (options == nullptr) return context.fail(ErrorCode::kInvalidModel, "an IF needs options that name its subgraphs");
  FB_TRY(require_type(context, context.inputs[0], "the condition", {DType::kBool}));
  FB_ASSIGN(const Callee then_branch,
            callee(context, options->then_subgraph_index, "the then branch", 1, context.outputs));
  FB_ASSIGN(const Callee else_branch,
            callee(context, options->else_subgraph_index, "the else branch", 1, context.outputs));
  return make_dynamic_kernel(
      [then_branch, else_branch](DynamicArgs& args) -> Status {
        FB_ASSIGN(const bool condition, truth(args.inputs()[0], "the condition of an IF"));
        const Callee branch = condition ? then_branch : else_branch;
        FB_ASSIGN(const std::vector<OwnedTensor> values, args.call(branch.graph, args.inputs().subspan(1)));
        return set_outputs(args, values);
      },
      "if");
}

Result<Prepared> prepare_while(const OpContext& context) {
  const auto* options = context.node->options->AsWhileOptions();
  if (options == nullptr) {
    return context.fail(ErrorCode::kInvalidModel, "a WHILE needs options that name its subgraphs");
  }
  if (context.outputs.size() != context.inputs.size()) {
    return context.fail(ErrorCode::kInvalidModel, "a WHILE has as many outputs as inputs, not {} and {}",
                        context.outputs.size(), context.inputs.size());
  }
  QuantParams no_params;
  TensorInfo answer;
  answer.present = true;
  answer.dtype = DType::kBool;
  answer.quant = &no_params;
  FB_ASSIGN(const Callee condition,
            callee(context, options->cond_subgraph_index, "the condition", 0, std::span<const TensorInfo>(&answer, 1)));
  FB_ASSIGN(const Callee body, callee(context, options->body_subgraph_index, "the body", 0, context.outputs));
  // What comes out of the body goes into the next round.
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    if (!context.inputs[i].present || context.inputs[i].dtype != context.outputs[i].dtype) {
      return context.fail(ErrorCode::kInvalidModel, "operand {} of the loop is absent or changes its type", i);
    }
  }
  return make_dynamic_kernel([condition, body](DynamicArgs& args) { return run_loop(args, condition, body); }, "while");
}

Result<Prepared> prepare_call(const OpContext& context) {
  const auto* options = context.node->options->AsCallOptions();
  if (options == nullptr) return context.fail(ErrorCode::kInvalidModel, "a CALL needs options that name its subgraph");
  FB_ASSIGN(const Callee target, callee(context, options->subgraph, "the called subgraph", 0, context.outputs));
  return call_kernel(target, "call");
}

Result<Prepared> prepare_call_once(const OpContext& context) {
  const auto* options = context.node->options->AsCallOnceOptions();
  if (options == nullptr) {
    return context.fail(ErrorCode::kInvalidModel, "a CALL_ONCE needs options that name its subgraph");
  }
  FB_ASSIGN(const Callee target, callee(context, options->init_subgraph_index, "the initializer", 0, {}));
  return make_dynamic_kernel(
      [target](DynamicArgs& args) -> Status {
        if (args.resources().once.contains(target.graph)) return {};
        FB_TRY(args.call(target.graph, {}));
        args.resources().once.insert(target.graph);
        return {};
      },
      "call once");
}

Result<Prepared> prepare_composite(const OpContext& context) {
  const auto* options = context.node->options2->AsStableHLOCompositeOptions();
  if (options == nullptr) {
    return context.fail(ErrorCode::kInvalidModel, "a composite needs options that name its decomposition");
  }
  FB_ASSIGN(const Callee target,
            callee(context, options->decomposition_subgraph_index, "the decomposition", 0, context.outputs));
  return call_kernel(target, "composite");
}

}  // namespace fewbits::ops
