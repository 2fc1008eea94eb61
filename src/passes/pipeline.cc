// The order of the passes.
#include "passes/pipeline.h"

#include <map>

#include "ir/op_def.h"
#include "ops/evaluate.h"

namespace fewbits::passes {
namespace {

constexpr int kMostRounds = 64;  // each round does something; no graph that ends needs as many

const Pass kPasses[] = {
    {"fold-constants", "operators on constants become their results", fold_constant_nodes},
    {"remove-dead", "operators whose results nothing reads go", remove_dead_nodes},
    {"collapse-movement", "chains of reshapes and transposes that only pick channels become one slice or gather",
     collapse_movement},
    {"recompose-activations", "GELU, HARD_SWISH and error functions from their parts", recompose_activations},
    {"sink-transposes", "transposes move down until they cancel", sink_transposes},
    {"merge-reshapes", "reshapes of reshapes become one", merge_reshapes},
    {"merge-equal", "operators that compute the same become one", merge_equal_nodes},
    {"fold-arithmetic", "arithmetic with constants is simplified", fold_arithmetic},
    {"fuse-scale-and-bias", "batch norms and biases go into the weights before or behind them", fuse_scale_and_bias},
    {"fuse-activations", "activations go into the operator before them", fuse_activations},
    {"fuse-padding", "PAD before a convolution becomes its SAME padding", fuse_padding},
    {"fold-into-products", "orders of elements go into the weights that read them", fold_into_products},
    {"integers-from-qdq", "operators between QUANTIZE and DEQUANTIZE become integer ones", integers_from_qdq},
};

// What would stand in the way of the passes above, once they are done.
const Pass kLast[] = {
    {"lower-erf", "error functions that TFLite has not become ones that it has", lower_erf},
    {"transposes-to-reshapes", "transposes that move only sizes of one become reshapes", transposes_to_reshapes},
    {"merge-reshapes", "", merge_reshapes},
    {"remove-dead", "", remove_dead_nodes},
    {"forget-origins", "", forget_origins},
};

// Once the steps of the loops are clean, and before transposes around them become reshapes.
const Pass kRecurrent[] = {
    {"fuse-recurrent", "loops of LSTM and simple RNN steps become sequence operators that keep their state",
     fuse_recurrent},
};

void set_versions(Model& model) {
  for (Graph& graph : model.graphs) {
    for (NodeId id : graph.order()) {
      Node& node = graph.node(id);
      const OpDef* def = find_op(node);
      if (def == nullptr) continue;
      std::vector<TensorInfo> inputs, outputs;
      for (ValueId v : node.inputs) inputs.push_back(v == kNoValue ? TensorInfo{} : ops::tensor_info(graph.value(v)));
      for (ValueId v : node.outputs) outputs.push_back(v == kNoValue ? TensorInfo{} : ops::tensor_info(graph.value(v)));
      node.version =
          def->version == nullptr ? 1 : def->version(OpContext{&model, &graph, id, &node, inputs, outputs, {}});
    }
  }
}

Result<size_t> run_all(Model& model, std::span<const Pass> passes, std::map<std::string, size_t>& counts) {
  size_t changes = 0;
  for (const Pass& pass : passes) {
    for (Graph& graph : model.graphs) {
      const auto made = pass.run(model, graph);
      if (!made) return with_context(made.error(), fmt::format("pass {}", pass.name));
      counts[pass.name] += *made;
      changes += *made;
    }
  }
  return changes;
}

Status run_to_fixed_point(Model& model, std::map<std::string, size_t>& counts) {
  for (int round = 0; round < kMostRounds; ++round) {
    FB_ASSIGN(const size_t changes, run_all(model, kPasses, counts));
    if (changes == 0) break;
  }
  return {};
}

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

Result<std::vector<Count>> run_pipeline(Model& model, const PipelineOptions& options) {
  std::map<std::string, size_t> counts;
  BorderLayout layout;
  if (!options.keep_layout) counts["border-layout"] = convert_borders(model, model.main(), layout);
  FB_TRY(run_to_fixed_point(model, counts));
  if (options.fuse_recurrent) {
    FB_ASSIGN(const size_t fused, run_all(model, kRecurrent, counts));
    if (fused > 0) FB_TRY(run_to_fixed_point(model, counts));
  }
  restore_borders(model, model.main(), layout);
  FB_TRY(run_all(model, kLast, counts));
  remove_dead_graphs(model);
  compact(model);
  for (Graph& graph : model.graphs) unique_names(graph);
  set_versions(model);
  std::vector<Count> list = {{"border-layout", counts["border-layout"]}};
  for (const Pass& pass : kPasses) list.push_back({pass.name, counts[pass.name]});
  for (const Pass& pass : kRecurrent) list.push_back({pass.name, counts[pass.name]});
  for (const Pass& pass : std::span(kLast).first(2)) list.push_back({pass.name, counts[pass.name]});
  return list;
}

}  // namespace fewbits::passes
