// Operators that compute the same from the same become one; so do small constants with the same bytes.
#include <map>
#include <string>

#include "ir/op_def.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

constexpr size_t kSmall = 4096;  // bytes of constants that are compared

template <class T>
void append(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

std::string options_text(const Node& node) {
  std::string text;
  flatbuffers::FlatBufferBuilder builder;
  append(text, node.options->type);
  if (node.options->type != tflite::BuiltinOptions::NONE) {
    builder.Finish(flatbuffers::Offset<void>(node.options->Pack(builder)));
    text.append(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
  }
  return text;
}

std::string constant_key(const Value& value) {
  std::string key;
  append(key, value.dtype);
  append(key, value.shape.size());
  for (int32_t size : value.shape) append(key, size);
  key.append(reinterpret_cast<const char*>(value.data.bytes().data()), value.data.bytes().size());
  return key;
}

}  // namespace

Result<size_t> merge_equal_nodes(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  std::map<std::string, ValueId> constants;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Value& value = graph.value(id);
    if (!value.is_const || value.quant.quantized() || value.sparsity || value.data.bytes().size() > kSmall ||
        r.consumers(id).empty() || r.is_output(id) || value.external_buffer != 0) {
      continue;
    }
    const auto [first, fresh] = constants.try_emplace(constant_key(value), id);
    if (!fresh) r.replace(id, first->second);  // no change of the graph: not counted
  }
  std::map<std::string, NodeId> nodes;
  for (NodeId id : r.order()) {
    const Node& node = r.node(id);
    const OpDef* def = find_op(node);
    if (def == nullptr || (def->flags & kStateful) || !called_graphs(node).empty() || node.op == Op::CUSTOM) continue;
    std::string key;
    append(key, node.op);
    for (ValueId v : node.inputs) append(key, v);
    key += options_text(node);
    for (ValueId v : node.outputs) append(key, r.value(v).dtype);
    const auto [first, fresh] = nodes.try_emplace(key, id);
    if (fresh) continue;
    const std::vector<ValueId> outputs = node.outputs, kept = r.node(first->second).outputs;
    bool possible = true;
    for (size_t i = 0; i < outputs.size(); ++i) {
      possible = possible && !r.is_output(outputs[i]) && !r.value(outputs[i]).quant.quantized();
    }
    if (!possible) continue;
    for (size_t i = 0; i < outputs.size(); ++i) r.replace(outputs[i], kept[i]);
    r.remove(id);
    ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
