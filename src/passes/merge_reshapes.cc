// Reshapes of reshapes, and reshapes that change nothing. SQUEEZE and EXPAND_DIMS of sizes of which at most one is open become
// reshapes.
#include "passes/permute.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"

namespace fewbits::passes {
namespace {

bool is_reshape(const Node& node) {
  return node.op == Op::RESHAPE || node.op == Op::SQUEEZE || node.op == Op::EXPAND_DIMS;
}

bool merge(Rewriter& r, NodeId id) {
  const ValueId x = r.node(id).inputs[0], y = r.node(id).outputs[0];
  const Value& out = r.value(y);
  if (!is_reshape_target(out)) return false;
  const Shape target = open_shape(out);
  // With one open size on either side, at the same place, the rest says that it is the same.
  if (r.value(x).has_rank && open_shape(r.value(x)) == target && r.value(x).dtype == out.dtype) {
    if (r.replace(y, x)) {
      if (r.live(id)) r.remove(id);
      return true;
    }
    return false;
  }
  const NodeId before = r.producer(x);
  const bool chained = before >= 0 && is_reshape(r.node(before));
  if (!chained && r.node(id).op == Op::RESHAPE) return false;
  const ValueId source = chained ? r.node(before).inputs[0] : x;
  r.insert_before(reshape_node(r, source, y, target), id);
  r.remove(id);
  return true;
}

}  // namespace

Result<size_t> merge_reshapes(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    if (r.live(id) && is_reshape(r.node(id)) && merge(r, id)) ++changes;
  }
  return changes;
}

}  // namespace fewbits::passes
