// The rules that a Model must keep before anything else looks at it.
#include <cmath>

#include "base/checked.h"
#include "ir/model.h"
#include "schema/tflite.h"

namespace fewbits {
namespace {

constexpr size_t kMaxRank = 16;

tl::unexpected<Error> bad(const std::string& where, const std::string& what) {
  return fail(ErrorCode::kInvalidModel, "{}: {}", where, what);
}

std::string value_text(const Graph& graph, ValueId id) {
  return fmt::format("tensor {} ('{}')", id, graph.value(id).name);
}

Status verify_quantization(const Value& value, const std::string& where) {
  const QuantParams& quant = value.quant;
  if (quant.scale.empty()) return {};
  if (quant.zero_point.size() > 1 && quant.zero_point.size() != quant.scale.size()) {
    return bad(where, fmt::format("{} scales but {} zero points", quant.scale.size(), quant.zero_point.size()));
  }
  for (float scale : quant.scale) {
    if (!std::isfinite(scale) || scale < 0)
      return bad(where, fmt::format("the scale {} is not a positive number", scale));
  }
  if (quant.scale.size() == 1) return {};
  const auto rank = static_cast<int32_t>(value.shape.size());
  if (quant.axis < 0 || quant.axis >= rank) {
    return bad(where,
               fmt::format("quantized along dimension {}, but its shape is {}", quant.axis, shape_text(value.shape)));
  }
  if (static_cast<size_t>(value.shape[static_cast<size_t>(quant.axis)]) != quant.scale.size()) {
    return bad(where, fmt::format("{} scales along dimension {} of the shape {}", quant.scale.size(), quant.axis,
                                  shape_text(value.shape)));
  }
  return {};
}

Status verify_value(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  const std::string where = value_text(graph, id);
  if (value.shape.size() > kMaxRank) return bad(where, fmt::format("has {} dimensions", value.shape.size()));
  const auto count = checked_count(value.shape);
  if (!count) return bad(where, fmt::format("has the impossible shape {}", shape_text(value.shape)));
  if (!value.shape_signature.empty() && value.shape_signature.size() != value.shape.size()) {
    return bad(where, fmt::format("the shape {} and the shape signature {} differ in rank", shape_text(value.shape),
                                  shape_text(value.shape_signature)));
  }
  FB_TRY(verify_quantization(value, where));
  if (value.is_const && !value.sparsity && dtype_bits(value.dtype) != 0) {
    const auto bytes = byte_size(value.dtype, *count);
    if (!bytes || *bytes > value.data.bytes().size()) {
      return bad(where, fmt::format("holds {} bytes where {} of {} need {}", value.data.bytes().size(),
                                    shape_text(value.shape), dtype_name(value.dtype), bytes.value_or(0)));
    }
  }
  return {};
}

Status verify_ids(const Graph& graph, const std::vector<ValueId>& ids, bool optional, const std::string& where) {
  for (ValueId id : ids) {
    if (!graph.valid(id) && !(optional && id == kNoValue)) {
      return bad(where, fmt::format("refers to tensor {}, but there are {}", id, graph.value_count()));
    }
  }
  return {};
}

Status verify_graph(const Model& model, const Graph& graph) {
  for (size_t i = 0; i < graph.value_count(); ++i) FB_TRY(verify_value(graph, static_cast<ValueId>(i)));
  FB_TRY(verify_ids(graph, graph.inputs, false, "the list of inputs"));
  FB_TRY(verify_ids(graph, graph.outputs, false, "the list of outputs"));

  std::vector<uint8_t> made(graph.value_count(), 0);
  for (size_t i = 0; i < made.size(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    made[i] = value.is_const || value.is_variable;
  }
  for (ValueId id : graph.inputs) made[static_cast<size_t>(id)] = 1;
  for (NodeId node_id : graph.order()) {
    const Node& node = graph.node(node_id);
    FB_TRY(verify_ids(graph, node.inputs, true, describe_node(graph, node_id)));
    FB_TRY(verify_ids(graph, node.outputs, true, describe_node(graph, node_id)));
    FB_TRY(verify_ids(graph, node.intermediates, true, describe_node(graph, node_id)));
    for (ValueId id : node.inputs) {
      if (id != kNoValue && !made[static_cast<size_t>(id)]) {
        return bad(describe_node(graph, node_id), value_text(graph, id) + " has no data, and nothing before makes it");
      }
    }
    for (ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      if (made[static_cast<size_t>(id)]) {
        return bad(describe_node(graph, node_id),
                   value_text(graph, id) + " is already a constant, an input or another's output");
      }
      made[static_cast<size_t>(id)] = 1;
    }
    for (int32_t callee : called_graphs(node)) {
      if (callee < 0 || static_cast<size_t>(callee) >= model.graphs.size()) {
        return bad(describe_node(graph, node_id),
                   fmt::format("calls subgraph {}, but there are {}", callee, model.graphs.size()));
      }
    }
  }
  for (ValueId id : graph.outputs) {
    if (!made[static_cast<size_t>(id)]) return bad(value_text(graph, id), "is an output that nothing makes");
  }
  return {};
}

// Depth-first over calls; a graph met again on the way down calls itself.
Status verify_no_recursion(const Model& model) {
  enum : uint8_t { kNew, kOpen, kDone };
  std::vector<uint8_t> state(model.graphs.size(), kNew);
  struct Frame {
    size_t graph;
    std::vector<int32_t> callees;
  };
  const auto callees_of = [&](size_t g) {
    std::vector<int32_t> all;
    for (NodeId id : model.graphs[g].order()) {
      for (int32_t callee : called_graphs(model.graphs[g].node(id))) all.push_back(callee);
    }
    return all;
  };
  for (size_t root = 0; root < model.graphs.size(); ++root) {
    if (state[root] != kNew) continue;
    std::vector<Frame> stack;
    state[root] = kOpen;
    stack.push_back({root, callees_of(root)});
    while (!stack.empty()) {
      if (stack.back().callees.empty()) {
        state[stack.back().graph] = kDone;
        stack.pop_back();
        continue;
      }
      const auto next = static_cast<size_t>(stack.back().callees.back());
      stack.back().callees.pop_back();
      if (state[next] == kOpen) {
        return fail(ErrorCode::kInvalidModel, "subgraph {} ('{}') calls itself", next, model.graphs[next].name);
      }
      if (state[next] == kNew) {
        state[next] = kOpen;
        stack.push_back({next, callees_of(next)});
      }
    }
  }
  return {};
}

Status verify_signatures(const Model& model) {
  for (const Signature& signature : model.signatures) {
    const std::string where = fmt::format("signature '{}'", signature.key);
    if (signature.graph < 0 || static_cast<size_t>(signature.graph) >= model.graphs.size()) {
      return bad(where, fmt::format("belongs to subgraph {}, but there are {}", signature.graph, model.graphs.size()));
    }
    const Graph& graph = model.graphs[static_cast<size_t>(signature.graph)];
    for (const auto* list : {&signature.inputs, &signature.outputs}) {
      for (const SignatureTensor& tensor : *list) {
        if (!graph.valid(tensor.value))
          return bad(where, fmt::format("'{}' refers to tensor {}", tensor.name, tensor.value));
      }
    }
  }
  return {};
}

}  // namespace

std::vector<int32_t> called_graphs(const Node& node) {
  if (const auto* o = node.options->AsIfOptions()) return {o->then_subgraph_index, o->else_subgraph_index};
  if (const auto* o = node.options->AsWhileOptions()) return {o->cond_subgraph_index, o->body_subgraph_index};
  if (const auto* o = node.options->AsCallOnceOptions()) return {o->init_subgraph_index};
  if (const auto* o = node.options->AsCallOptions()) return {static_cast<int32_t>(o->subgraph)};
  if (const auto* o = node.options2->AsStableHLOCompositeOptions()) return {o->decomposition_subgraph_index};
  return {};
}

Status verify(const Model& model) {
  if (model.graphs.empty()) return fail(ErrorCode::kInvalidModel, "the model has no subgraph");
  for (size_t i = 0; i < model.graphs.size(); ++i) {
    const Status status = verify_graph(model, model.graphs[i]);
    if (!status && model.graphs.size() > 1) return with_context(status.error(), fmt::format("subgraph {}", i));
    FB_TRY(status);
  }
  FB_TRY(verify_no_recursion(model));
  return verify_signatures(model);
}

}  // namespace fewbits
