// The ways in and out of a model, by signature.
#include "api/runtime/interface.h"

#include <fmt/ranges.h>

#include "ir/model.h"

namespace fewbits::api {
namespace {

TensorSpec spec_of(const Graph& graph, ValueId id, const std::vector<SignatureTensor>* names) {
  const Value& value = graph.value(id);
  TensorSpec spec;
  spec.name = value.name;
  spec.dtype = value.dtype;
  spec.shape = value.shape_signature.empty() ? value.shape : value.shape_signature;
  if (value.quant.scale.size() == 1) {
    spec.scale = value.quant.scale[0];
    spec.zero_point = value.quant.zero();
  }
  if (names != nullptr) {
    for (const SignatureTensor& tensor : *names) {
      if (tensor.value == id) spec.signature_name = tensor.name;
    }
  }
  return spec;
}

std::string_view plain_name(std::string_view name) {
  constexpr std::string_view kPrefix = "serving_default_", kSuffix = ":0";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  return name;
}

}  // namespace

Result<SignatureDescription> interface_of(const Model& model, const std::string& wanted) {
  SignatureDescription out;
  const Signature* signature = nullptr;
  std::vector<std::string> known;
  for (const Signature& s : model.signatures) {
    if (signature == nullptr && (wanted.empty() || s.key == wanted)) signature = &s;
    known.push_back(s.key);
  }
  if (!wanted.empty() && signature == nullptr) {
    return fail(ErrorCode::kNotFound, "{}: there is no signature '{}'; {}", model.path, wanted,
                known.empty() ? "it has none" : fmt::format("it has {}", fmt::join(known, ", ")));
  }
  if (signature != nullptr) {
    out.key = signature->key;
    out.subgraph = signature->graph;
  }
  const Graph& graph = model.graphs[static_cast<size_t>(out.subgraph)];
  for (ValueId id : graph.inputs) out.inputs.push_back(spec_of(graph, id, signature ? &signature->inputs : nullptr));
  for (ValueId id : graph.outputs) out.outputs.push_back(spec_of(graph, id, signature ? &signature->outputs : nullptr));
  return out;
}

Result<SignatureDescription> interface_of_subgraph(const Model& model, int32_t subgraph) {
  if (subgraph < 0 || static_cast<size_t>(subgraph) >= model.graphs.size()) {
    return fail(ErrorCode::kInvalidArgument, "{}: there is no subgraph {} among {}", model.path, subgraph,
                model.graphs.size());
  }
  SignatureDescription out;
  out.subgraph = subgraph;
  const Graph& graph = model.graphs[static_cast<size_t>(subgraph)];
  for (ValueId id : graph.inputs) out.inputs.push_back(spec_of(graph, id, nullptr));
  for (ValueId id : graph.outputs) out.outputs.push_back(spec_of(graph, id, nullptr));
  return out;
}

Result<size_t> find_spec(const std::vector<TensorSpec>& specs, std::string_view name, const char* what) {
  for (const auto matches :
       {+[](const TensorSpec& spec, std::string_view wanted) { return spec.signature_name == wanted; },
        +[](const TensorSpec& spec, std::string_view wanted) { return spec.name == wanted; },
        +[](const TensorSpec& spec, std::string_view wanted) { return plain_name(spec.name) == plain_name(wanted); }}) {
    for (size_t i = 0; i < specs.size(); ++i) {
      if (!name.empty() && matches(specs[i], name)) return i;
    }
  }
  std::vector<std::string> known;
  for (const TensorSpec& spec : specs) known.push_back(fmt::format("'{}'", spec.label()));
  return fail(ErrorCode::kNotFound, "the model has no {} '{}'; its {}s are {}", what, name, what,
              fmt::join(known, ", "));
}

}  // namespace fewbits::api
