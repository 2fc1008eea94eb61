// Channels-first images at a model's inputs and outputs become channels-last, where that takes a transpose out of the graph.
#include <set>

#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"

namespace fewbits::passes {
namespace {

Perm last_to_first(size_t rank) {
  Perm perm = {0, static_cast<int32_t>(rank) - 1};
  for (size_t i = 1; i + 1 < rank; ++i) perm.push_back(static_cast<int32_t>(i));
  return perm;
}

// Operators that transposes move through, whatever the details.
bool lets_through(Op op) {
  switch (op) {
    case Op::RESHAPE:
    case Op::TRANSPOSE:
    case Op::CONV_2D:
    case Op::DEPTHWISE_CONV_2D:
    case Op::FULLY_CONNECTED:
    case Op::BATCH_MATMUL:
    case Op::SOFTMAX:
    case Op::GATHER_ND: return false;
    default: return true;
  }
}

bool is_transpose(const Rewriter& r, NodeId id, const Perm& perm) {
  const auto found = id < 0 ? std::nullopt : perm_of(const_cast<Rewriter&>(r).graph(), r.node(id));
  return found && *found == perm;
}

bool reaches_down(const Rewriter& r, ValueId from, const Perm& perm) {
  std::vector<ValueId> open = {from};
  std::set<ValueId> seen;
  while (!open.empty()) {
    const ValueId v = open.back();
    open.pop_back();
    if (!seen.insert(v).second) continue;
    for (NodeId reader : r.consumers(v)) {
      if (is_transpose(r, reader, perm)) return true;
      if (!lets_through(r.node(reader).op)) continue;
      for (ValueId out : r.node(reader).outputs) {
        if (r.value(out).shape.size() == perm.size()) open.push_back(out);
      }
    }
  }
  return false;
}

bool reaches_up(const Rewriter& r, ValueId from, const Perm& perm) {
  std::vector<ValueId> open = {from};
  std::set<ValueId> seen;
  while (!open.empty()) {
    const ValueId v = open.back();
    open.pop_back();
    if (!seen.insert(v).second) continue;
    const NodeId maker = r.producer(v);
    if (maker < 0) continue;
    if (is_transpose(r, maker, perm)) return true;
    if (!lets_through(r.node(maker).op)) continue;
    for (ValueId in : r.node(maker).inputs) {
      if (in != kNoValue && r.value(in).shape.size() == perm.size()) open.push_back(in);
    }
  }
  return false;
}

void rename_in_signatures(Model& model, bool inputs, ValueId from, ValueId to) {
  for (Signature& signature : model.signatures) {
    if (signature.graph != 0) continue;
    for (SignatureTensor& tensor : inputs ? signature.inputs : signature.outputs) {
      if (tensor.value == from) tensor.value = to;
    }
  }
}

bool is_image(const Value& value) {
  return value.has_rank && (value.shape.size() == 4 || value.shape.size() == 5) && !value.quant.quantized();
}

using Exchanged =
    std::vector<std::pair<ValueId, ValueId>>;  // the new value at the border, and the one that it stands for

// The images among a graph's inputs, or its outputs, that a transpose inside is for.
size_t convert_side(Model& model, Graph& graph, bool inputs, Exchanged& exchanged) {
  Rewriter r(graph);
  size_t changes = 0;
  for (ValueId& border : inputs ? graph.inputs : graph.outputs) {
    const ValueId old = border;
    if (!is_image(r.value(old))) continue;
    if (inputs ? r.is_output(old) || r.consumers(old).empty() : r.producer(old) < 0) continue;
    const Perm to_first = last_to_first(r.value(old).shape.size()), to_last = inverse(to_first);
    if (inputs ? !reaches_down(r, old, to_last) : !reaches_up(r, old, to_first)) continue;
    const ValueId fresh = r.add_value(r.value(old), permuted(open_shape(r.value(old)), to_last));
    if (inputs) {
      r.insert_before(transpose_node(r, fresh, old, to_first), graph.order().front());
    } else {
      r.insert_after(transpose_node(r, old, fresh, to_last), graph.order().back());
    }
    border = fresh;
    rename_in_signatures(model, inputs, old, fresh);
    graph.value(old).name += "/channels_first";
    exchanged.emplace_back(fresh, old);
    ++changes;
  }
  return changes;
}

// The transpose that convert_side() put between `fresh` and `old`, where it is still there and all there is: it was for nothing.
NodeId idle_transpose(const Rewriter& r, bool inputs, ValueId fresh, ValueId old) {
  const NodeId id = !inputs ? r.producer(fresh) : r.consumers(fresh).size() == 1 ? r.consumers(fresh)[0] : -1;
  if (id < 0 || r.node(id).op != Op::TRANSPOSE) return -1;
  if (inputs) return r.node(id).outputs[0] == old ? id : -1;
  return r.node(id).inputs[0] == old && r.producer(old) >= 0 ? id : -1;
}

void restore_side(Model& model, Graph& graph, bool inputs, const Exchanged& exchanged) {
  for (const auto& [fresh, old] : exchanged) {
    Rewriter r(graph);
    const NodeId id = idle_transpose(r, inputs, fresh, old);
    if (id < 0) continue;
    r.remove(id);
    for (ValueId& border : inputs ? graph.inputs : graph.outputs) {
      if (border == fresh) border = old;
    }
    rename_in_signatures(model, inputs, fresh, old);
    graph.value(old).name = graph.value(fresh).name;
  }
}

}  // namespace

size_t convert_borders(Model& model, Graph& graph, BorderLayout& layout) {
  const size_t inputs = convert_side(model, graph, true, layout.inputs);
  return inputs + convert_side(model, graph, false, layout.outputs);
}

void restore_borders(Model& model, Graph& graph, const BorderLayout& layout) {
  restore_side(model, graph, true, layout.inputs);
  restore_side(model, graph, false, layout.outputs);
}

}  // namespace fewbits::passes
