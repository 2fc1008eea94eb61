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

}  // namespace

size_t convert_borders(Model& model, Graph& graph, BorderLayout& layout) {
  Rewriter r(graph);
  size_t changes = 0;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const ValueId old = graph.inputs[i];
    if (!is_image(r.value(old)) || r.is_output(old) || r.consumers(old).empty()) continue;
    const Perm to_first = last_to_first(r.value(old).shape.size()), to_last = inverse(to_first);
    if (!reaches_down(r, old, to_last)) continue;
    const ValueId fresh = r.add_value(r.value(old), permuted(open_shape(r.value(old)), to_last));
    r.insert_before(transpose_node(r, fresh, old, to_first), graph.order().front());
    graph.inputs[i] = fresh;
    rename_in_signatures(model, true, old, fresh);
    graph.value(old).name += "/channels_first";
    layout.inputs.emplace_back(fresh, old);
    ++changes;
  }
  Rewriter after(graph);
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId old = graph.outputs[i];
    if (!is_image(after.value(old)) || after.producer(old) < 0) continue;
    const Perm to_first = last_to_first(after.value(old).shape.size()), to_last = inverse(to_first);
    if (!reaches_up(after, old, to_first)) continue;
    const ValueId fresh = after.add_value(after.value(old), permuted(open_shape(after.value(old)), to_last));
    after.insert_after(transpose_node(after, old, fresh, to_last), graph.order().back());
    graph.outputs[i] = fresh;
    rename_in_signatures(model, false, old, fresh);
    graph.value(old).name += "/channels_first";
    layout.outputs.emplace_back(fresh, old);
    ++changes;
  }
  return changes;
}

void restore_borders(Model& model, Graph& graph, const BorderLayout& layout) {
  for (const auto& [fresh, old] : layout.inputs) {
    Rewriter r(graph);
    // Still read through the transpose that was put there, and through nothing else: it was for nothing.
    const auto& readers = r.consumers(fresh);
    if (readers.size() != 1 || r.node(readers[0]).op != Op::TRANSPOSE || r.node(readers[0]).outputs[0] != old) continue;
    r.remove(readers[0]);
    for (ValueId& input : graph.inputs) {
      if (input == fresh) input = old;
    }
    rename_in_signatures(model, true, fresh, old);
    graph.value(old).name = graph.value(fresh).name;
  }
  for (const auto& [fresh, old] : layout.outputs) {
    Rewriter r(graph);
    const NodeId maker = r.producer(fresh);
    if (maker < 0 || r.node(maker).op != Op::TRANSPOSE || r.node(maker).inputs[0] != old || r.producer(old) < 0)
      continue;
    r.remove(maker);
    for (ValueId& output : graph.outputs) {
      if (output == fresh) output = old;
    }
    rename_in_signatures(model, false, fresh, old);
    graph.value(old).name = graph.value(fresh).name;
  }
}

}  // namespace fewbits::passes
