// Runs one operator on known values, without a plan.
#include "ops/evaluate.h"

#include <algorithm>
#include <new>
#include <optional>
#include <stdexcept>

namespace fewbits::ops {
namespace {

constexpr size_t kMaxGrowth = 8, kAlwaysFold = size_t{1} << 20;

// A std::vector<std::byte> is aligned for any scalar, and kernels ask for no more of their operands.
struct Workspace {
  explicit Workspace(size_t size) : bytes(size + 64) {}
  std::byte* data() {
    const auto at = reinterpret_cast<uintptr_t>(bytes.data());
    return bytes.data() + ((at + 63) / 64 * 64 - at);
  }
  std::vector<std::byte> bytes;
};

// Whether operand i may be a sparse constant: where LiteRT takes one.
bool takes_sparse(Op op, size_t i) { return (op == Op::DENSIFY && i == 0) || (op == Op::FULLY_CONNECTED && i == 1); }

}  // namespace

Status check_operands(const Graph& graph, NodeId id, const OpDef& def) {
  const Node& node = graph.node(id);
  const auto check = [&](size_t count, Arity arity, const char* what) -> Status {
    if (count >= static_cast<size_t>(arity.min) && (arity.max < 0 || count <= static_cast<size_t>(arity.max)))
      return {};
    return fail(ErrorCode::kInvalidModel, "{}: has {} {}, and takes {}{}", describe_node(graph, id), count, what,
                arity.min,
                arity.max < 0           ? " or more"
                : arity.max > arity.min ? fmt::format(" to {}", arity.max)
                                        : "");
  };
  FB_TRY(check(node.inputs.size(), def.inputs, "inputs"));
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue || graph.value(node.inputs[i]).sparsity == nullptr || takes_sparse(node.op, i))
      continue;
    return fail(ErrorCode::kUnsupported, "{}: cannot read '{}', which is stored sparse, without a DENSIFY",
                describe_node(graph, id), graph.value(node.inputs[i]).name);
  }
  FB_TRY(check(node.outputs.size(), def.outputs, "outputs"));
  for (size_t i = 0; i < static_cast<size_t>(def.inputs.min) && (def.flags & kOptionalInputs) == 0; ++i) {
    if (node.inputs[i] == kNoValue) {
      return fail(ErrorCode::kInvalidModel, "{}: input {} is left out", describe_node(graph, id), i);
    }
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) {
      return fail(ErrorCode::kInvalidModel, "{}: output {} is left out", describe_node(graph, id), i);
    }
  }
  return {};
}

TensorInfo tensor_info(const Value& value) {
  TensorInfo info;
  info.present = true;
  info.dtype = value.dtype;
  info.shape = value.shape;
  info.quant = &value.quant;
  info.is_const = value.is_const;
  info.is_variable = value.is_variable;
  info.data = value.is_const ? value.data.bytes().data() : nullptr;
  info.value = &value;
  return info;
}

namespace {

// Tables and packed weights grow with shapes that a file made up.
Result<Prepared> prepare_within_memory(const OpDef& def, const OpContext& context) {
  try {
    return def.prepare(context);
  } catch (const std::bad_alloc&) {
    return context.fail(ErrorCode::kResource, "no memory for what the operator prepares");
  } catch (const std::length_error&) {
    return context.fail(ErrorCode::kResource, "the operator prepares more than any memory holds");
  }
}

class NothingToDo final : public Kernel {
 public:
  void run(const RunArgs&) const noexcept override {}
};

}  // namespace

Result<Prepared> prepare(const OpDef& def, const OpContext& context) {
  FB_ASSIGN(Prepared prepared, prepare_within_memory(def, context));
  const auto is_empty = [](const TensorInfo& output) { return element_count(output.shape) == 0; };
  if (prepared.kernel != nullptr && (def.flags & kStateful) == 0 && !context.outputs.empty() &&
      std::all_of(context.outputs.begin(), context.outputs.end(), is_empty)) {
    prepared = {};
    prepared.kernel = std::make_unique<NothingToDo>();
    prepared.choice = "nothing to do: no elements";
  }
  return prepared;
}

Result<std::optional<std::vector<OwnedTensor>>> fold_node(const Model& model, const Graph& graph, NodeId id,
                                                          std::span<const TensorInfo> inputs) {
  using Folded = std::optional<std::vector<OwnedTensor>>;
  const Node& node = graph.node(id);
  const OpDef* def = find_op(node);
  if (def == nullptr || def->prepare == nullptr || (def->flags & kStateful) || !called_graphs(node).empty())
    return Folded();
  size_t input_bytes = 0;
  for (const TensorInfo& input : inputs) {
    if (!input.present) continue;
    if (!input.is_const) return Folded();
    input_bytes +=
        input.value->is_const ? input.value->data.bytes().size() : byte_size(input.dtype, input.shape).value_or(0);
  }
  std::vector<TensorInfo> outputs;
  for (ValueId value : node.outputs) {
    outputs.push_back(tensor_info(graph.value(value)));
    outputs.back().shape.clear();
  }
  OpContext context{&model, &graph, id, &node, inputs, outputs, {}};
  FB_TRY(def->infer(context));
  std::vector<OwnedTensor> tensors;
  for (const TensorInfo& output : outputs) {
    const auto bytes = byte_size(output.dtype, output.shape);
    if (output.dynamic || !bytes || *bytes > std::max(kAlwaysFold, kMaxGrowth * input_bytes)) return Folded();
    tensors.push_back({output.dtype, output.shape, std::vector<std::byte>(*bytes)});
  }
  FB_ASSIGN(const Prepared prepared, prepare(*def, context));
  if (prepared.kernel == nullptr) return Folded();
  std::vector<void*> in, out;
  for (const TensorInfo& input : inputs) in.push_back(const_cast<void*>(input.data));
  for (OwnedTensor& tensor : tensors) out.push_back(tensor.bytes.data());
  Workspace workspace(prepared.workspace);
  prepared.kernel->run({in.data(), out.data(), workspace.data(), nullptr});
  return Folded(std::move(tensors));
}

}  // namespace fewbits::ops
