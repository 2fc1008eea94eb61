// The clean-up passes in their order, run over every subgraph until none changes anything.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace fewbits::passes {

struct PipelineOptions {
  bool keep_layout = false;  // channels-first images stay so at the model's inputs and outputs
  // Loops of LSTM and simple RNN steps become UNIDIRECTIONAL_SEQUENCE_LSTM and _RNN, which keep their state between runs.
  bool fuse_recurrent = false;
};

// A pass: never changes a result beyond float rounding. Gives how many changes it made.
struct Pass {
  const char* name;
  const char* what;
  Result<size_t> (*run)(Model& model, Graph& graph);
};
// Those that run to a fixed point, in order; each stands in a file of its own.
std::span<const Pass> all_passes();

struct Count {
  std::string name;
  size_t changes = 0;
};
// Runs them all, then drops what nothing uses and sets operator versions.
Result<std::vector<Count>> run_pipeline(Model& model, const PipelineOptions& options);

// ---- the passes, one a file ----

Result<size_t> fold_constant_nodes(Model& model, Graph& graph);     // fold_constants.cc
Result<size_t> sink_transposes(Model& model, Graph& graph);         // sink_transposes.cc
Result<size_t> merge_reshapes(Model& model, Graph& graph);          // merge_reshapes.cc
Result<size_t> transposes_to_reshapes(Model& model, Graph& graph);  // transposes_to_reshapes.cc
Result<size_t> fuse_scale_and_bias(Model& model, Graph& graph);     // fuse_scale_and_bias.cc
Result<size_t> fuse_activations(Model& model, Graph& graph);        // fuse_activations.cc
Result<size_t> fuse_padding(Model& model, Graph& graph);            // fuse_padding.cc
Result<size_t> merge_equal_nodes(Model& model, Graph& graph);       // merge_equal_nodes.cc
Result<size_t> remove_dead_nodes(Model& model, Graph& graph);       // remove_dead_nodes.cc
Result<size_t> fold_arithmetic(Model& model, Graph& graph);         // fold_arithmetic.cc
Result<size_t> recompose_activations(Model& model, Graph& graph);   // recompose_activations.cc
Result<size_t> collapse_movement(Model& model, Graph& graph);       // collapse_movement.cc
Result<size_t> fold_into_products(Model& model, Graph& graph);      // fold_into_products.cc
Result<size_t> lower_erf(Model& model, Graph& graph);               // lower_erf.cc
Result<size_t> integers_from_qdq(Model& model, Graph& graph);       // integers_from_qdq.cc
Result<size_t> forget_origins(Model& model, Graph& graph);          // integers_from_qdq.cc
Result<size_t> fuse_recurrent(Model& model, Graph& graph);          // fuse_recurrent.cc; only where asked for

// Makes channels-first images channels-last at the borders: before the passes it wraps them in transposes, after them it takes
// back what did not cancel. (border_layout.cc)
struct BorderLayout {
  std::vector<std::pair<ValueId, ValueId>> inputs, outputs;  // the new value, the one that the graph knew
};
size_t convert_borders(Model& model, Graph& graph, BorderLayout& layout);
void restore_borders(Model& model, Graph& graph, const BorderLayout& layout);
// Drops values and constants that nothing refers to, and renumbers the rest. (compact.cc)
void compact(Model& model);
// Drops subgraphs that no signature and no operator can reach; how many. (remove_dead_graphs.cc)
size_t remove_dead_graphs(Model& model);
// Numbers the later ones of values with equal names. (unique_names.cc)
void unique_names(Graph& graph);

}  // namespace fewbits::passes
