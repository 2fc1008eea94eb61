// Chains of pointwise operators between two bytes, such as LOGISTIC and MUL for a swish, or RELU after QUANTIZE: whatever
// they compute is a function of one byte, so a plan runs them as one table. The table is made by running the chain's own
// kernels on all 256 bytes, which makes it exact whatever the operators are.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "ir/op_def.h"
#include "kernels/lut.h"

namespace fewbits::runtime {

// Nodes that together make the output of the last one from one value; in execution order.
struct ByteChain {
  ValueId source = kNoValue;
  std::vector<NodeId> nodes;
};

class ByteChains {
 public:
  ByteChains(const Model& model, const Graph& graph) : model_(model), graph_(graph), uses_(graph) {}

  // To be called for every node in execution order, with what is known of the graph's values by then (`infos`, by value
  // id; shapes and constants). Says whether the node ends a chain of at least two nodes that can run as one: from bytes
  // to bytes of one shape, its values in between used by nobody else. A later node may end a longer chain that contains it.
  std::optional<ByteChain> add(NodeId id, std::span<const TensorInfo> infos);

  // The table of a chain that add() returned.
  Result<ByteTable> table(const ByteChain& chain, std::span<const TensorInfo> infos) const;

  // "LOGISTIC, MUL".
  std::string describe(const ByteChain& chain) const;

 private:
  std::optional<ByteChain> trace(const Node& node, std::span<const TensorInfo> infos, bool through) const;
  bool hidden(const ByteChain& chain) const;

  const Model& model_;
  const Graph& graph_;
  UseMap uses_;
  std::map<ValueId, ByteChain> made_by_;  // of every value that is a function of one other
};

}  // namespace fewbits::runtime
