// Loading, saving and describing models.
#include "fewbits/model.h"

#include <algorithm>
#include <set>

#include "api/runtime/guard.h"
#include "api/runtime/interface.h"
#include "formats/tflite/reader.h"
#include "formats/tflite/writer.h"
#include "ir/op_def.h"

namespace fewbits {

namespace {

ModelPtr share(Model model) { return std::make_shared<const Model>(std::move(model)); }

TensorDescription describe_value(const Value& value) {
  TensorDescription tensor;
  tensor.name = value.name;
  tensor.dtype = value.dtype;
  tensor.shape = value.shape_signature.empty() ? value.shape : value.shape_signature;
  tensor.file_shape = value.shape;
  tensor.constant = value.is_const;
  tensor.variable = value.is_variable;
  tensor.sparse = value.sparsity != nullptr;
  tensor.bytes = value.data.bytes().size();
  tensor.scale = value.quant.scale;
  tensor.zero_point = value.quant.zero_point;
  tensor.axis = value.quant.axis;
  return tensor;
}

SubgraphDescription describe_graph(const Graph& graph, std::set<const void*>& counted) {
  const auto new_bytes = [&](const Value& value) {
    return value.is_const && counted.insert(value.data.identity()).second ? value.data.bytes().size() : size_t{0};
  };
  SubgraphDescription out;
  out.name = graph.name;
  out.inputs = graph.inputs;
  out.outputs = graph.outputs;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    out.tensors.push_back(describe_value(graph.value(static_cast<ValueId>(i))));
  }
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    OperatorDescription op{id, node.type_name(), node.version, node.inputs, node.outputs, 0};
    for (ValueId input : node.inputs) {
      if (graph.valid(input)) op.constant_bytes += new_bytes(graph.value(input));
    }
    out.operators.push_back(std::move(op));
  }
  return out;
}

}  // namespace

Result<ModelPtr> load_model(const std::string& path) {
  return api::guarded([&]() -> Result<ModelPtr> {
    FB_ASSIGN(Model model, tflite_format::read_file(path));
    return share(std::move(model));
  });
}

Result<ModelPtr> load_model_bytes(std::span<const uint8_t> bytes, const std::string& name) {
  return api::guarded([&]() -> Result<ModelPtr> {
    auto copy = std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end());
    FB_ASSIGN(Model model, tflite_format::read_bytes(*copy, copy, name));
    return share(std::move(model));
  });
}

Status save_model(const Model& model, const std::string& path) {
  return api::guarded([&] { return tflite_format::write_file(model, path); });
}

Result<std::vector<uint8_t>> model_bytes(const Model& model) {
  return api::guarded([&] { return tflite_format::write_bytes(model); });
}

ModelDescription describe_model(const Model& model) {
  ModelDescription out;
  out.path = model.path;
  out.description = model.description;
  std::set<const void*> counted, all;
  for (const Graph& graph : model.graphs) {
    out.subgraphs.push_back(describe_graph(graph, counted));
    for (size_t i = 0; i < graph.value_count(); ++i) {
      const Value& value = graph.value(static_cast<ValueId>(i));
      if (value.is_const && all.insert(value.data.identity()).second) out.constant_bytes += value.data.bytes().size();
    }
  }
  for (const Signature& signature : model.signatures) {
    if (auto described = api::interface_of(model, signature.key)) out.signatures.push_back(*std::move(described));
  }
  for (const Metadata& item : model.metadata) out.metadata.push_back({item.name, item.data.bytes().size()});
  out.trailer_bytes = model.trailer.bytes().size();
  return out;
}

std::vector<OperatorSupport> describe_operators() {
  using Weights = OperatorSupport::Weights;
  std::vector<OperatorSupport> out;
  for (const OpDef* def : all_ops()) {
    OperatorSupport support;
    support.custom = def->op == Op::CUSTOM;
    support.type = support.custom ? def->custom : op_name(def->op);
    support.min_inputs = def->inputs.min;
    support.max_inputs = def->inputs.max;
    support.int8 = def->quant.int8;
    support.int16 = def->quant.int16;
    const auto& rules = def->quant.inputs;
    const bool has_weights = std::any_of(rules.begin(), rules.end(),
                                         [](const OperandRule& rule) { return rule.kind == OperandQuant::kWeights; });
    if (!def->quant.hybrid_weights.empty()) {
      support.weights = Weights::kHybrid;
    } else if (has_weights || (def->flags & kTable) != 0) {
      support.weights = Weights::kStored;
    }
    out.push_back(std::move(support));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.type < b.type; });
  return out;
}

Result<Array> constant_array(const Model& model, int32_t subgraph, int32_t tensor) {
  return api::guarded([&]() -> Result<Array> {
    if (subgraph < 0 || static_cast<size_t>(subgraph) >= model.graphs.size() ||
        !model.graphs[static_cast<size_t>(subgraph)].valid(tensor)) {
      return fail(ErrorCode::kInvalidArgument, "{}: there is no tensor {} in subgraph {}", model.path, tensor,
                  subgraph);
    }
    const Value& value = model.graphs[static_cast<size_t>(subgraph)].value(tensor);
    if (!value.is_const) {
      return fail(ErrorCode::kInvalidArgument, "{}: tensor '{}' is no constant: it has values when the model runs",
                  model.path, value.name);
    }
    if (value.sparsity != nullptr) {
      return fail(ErrorCode::kUnsupported, "{}: tensor '{}' is stored sparse", model.path, value.name);
    }
    const auto bytes = std::as_bytes(value.data.bytes());
    return Array{value.name, value.dtype, value.shape, {bytes.begin(), bytes.end()}};
  });
}

Result<SignatureDescription> describe_signature(const Model& model, const std::string& signature) {
  return api::guarded([&] { return api::interface_of(model, signature); });
}

}  // namespace fewbits
