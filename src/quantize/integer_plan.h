// Decides which operators of a graph become integers and under which parameters, without changing anything yet.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ir/op_def.h"
#include "ir/statistics.h"
#include "quantize/quantize.h"

namespace fewbits::quantize {

class IntegerPlan {
 public:
  IntegerPlan(const Model& model, int32_t graph, const Options& options, const Statistics& statistics);

  // Fills decisions, one for each node that touches floats, and groups the values that must share parameters.
  Status make();

  bool is_integer(NodeId id) const { return integer_[static_cast<size_t>(id)] != 0; }
  const std::vector<Decision>& decisions() const { return decisions_; }
  // The parameters of a float value as an integer activation. Values with neither statistics nor fixed parameters have none.
  std::optional<QuantParams> params(ValueId id) const;
  // The parameters that operand i of an integer node wants where they are not the value's own: a constant, or a value whose
  // fixed parameters do not fit its neighbours'.
  std::optional<QuantParams> operand_params(NodeId id, size_t i) const;

  DType activation() const { return options_.mode == Mode::kInt16x8 ? DType::kInt16 : DType::kInt8; }

 private:
  struct Range {
    float min = 0, max = 0;
    bool known = false;
  };
  const Graph& graph() const { return model_.graphs[static_cast<size_t>(graph_)]; }
  const FixedParams& fixed_of(const OperandRule& rule) const;
  bool is_float(ValueId id) const { return id != kNoValue && graph().value(id).dtype == DType::kFloat32; }
  bool is_activation(ValueId id) const { return is_float(id) && !graph().value(id).is_const; }
  void why_float(NodeId id, const OpDef* def, Decision& decision) const;
  std::string custom_problem(const Node& node, const OpDef& def, const OpContext& context) const;
  std::string operand_problem(const Node& node, const OpDef& def, std::string& help) const;
  bool seen(ValueId id) const;
  void leave_islands();
  void leave_refused_scales();
  void cut_ranges();
  void group(NodeId id);
  std::vector<std::pair<size_t, ValueId>> same_inputs(const Node& node, const QuantRule& rule) const;
  ValueId root(ValueId id) const;
  void unite(ValueId a, ValueId b);
  void widen(ValueId id, const Range& range);
  Range range_of(ValueId id) const;
  QuantParams make_params(const Range& range) const;

  const Model& model_;
  int32_t graph_;
  const Options& options_;
  const Statistics& statistics_;
  std::vector<uint8_t> integer_;
  std::vector<Decision> decisions_;
  mutable std::vector<ValueId> parent_;                   // union-find over values that share parameters
  std::map<ValueId, FixedParams> fixed_;                  // by root
  std::map<ValueId, Range> range_;                        // by root
  std::map<std::pair<NodeId, size_t>, ValueId> follows_;  // operand -> value whose parameters it takes
};

}  // namespace fewbits::quantize
