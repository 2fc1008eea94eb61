// Transposes that move only dimensions of size one: a reshape costs nothing. Runs last, since transposes cancel and reshapes do
// not.
#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"

namespace fewbits::passes {

Result<size_t> transposes_to_reshapes(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    const auto perm = perm_of(graph, r.node(id));
    if (!perm) continue;
    const ValueId x = r.node(id).inputs[0], y = r.node(id).outputs[0];
    const Shape shape = open_shape(r.value(x));
    if (!is_reshape_target(r.value(x)) || !moves_only_ones(shape, *perm)) continue;
    r.insert_before(reshape_node(r, x, y, permuted(shape, *perm)), id);
    r.remove(id);
    ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
