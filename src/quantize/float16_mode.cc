// Mode float16: every float32 constant in half precision behind a DEQUANTIZE, which runtimes fold and GPU delegates take
// as it is.
#include <algorithm>
#include <map>

#include "quantize/internal.h"
#include "quantize/params.h"
#include "quantize/select.h"

namespace fewbits::quantize {
namespace {

class Float16Mode {
 public:
  Float16Mode(Model& model, const Options& options, Quantized& out) : model_(model), options_(options), out_(out) {}

  void run() {
    for (size_t g = 0; g < model_.graphs.size(); ++g) run_graph(static_cast<int32_t>(g));
    if (clamped_ > 0) {
      out_.warnings.push_back(
          fmt::format("{} weights beyond +-65504, the range of float16, were clamped to it", clamped_));
    }
  }

 private:
  void run_graph(int32_t g) {
    Graph& graph = model_.graphs[static_cast<size_t>(g)];
    std::map<ValueId, ValueId> halves;
    const std::vector<NodeId> order = graph.order();
    for (NodeId id : order) decide(g, graph, id, halves);
    // A constant that is an output of the graph, or that a control-flow operator takes, is left as it is by decide().
  }

  void decide(int32_t g, Graph& graph, NodeId id, std::map<ValueId, ValueId>& halves) {
    const Node node = graph.node(id);
    const bool has_float = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId v) {
      return v != kNoValue && graph.value(v).dtype == DType::kFloat32;
    });
    if (!has_float) return;
    Decision decision{g, id, node.type_name(), output_name(graph, node), Treatment::kFloat, {}, {}};
    decision.reason = not_selected(options_, decision.type, decision.output);
    if (decision.reason.empty() && find_op(node) == nullptr) {
      decision.reason = "fewbits does not know this operator, so it stays as it is";
    }
    if (decision.reason.empty()) {
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId value = node.inputs[i];
        if (value == kNoValue || !is_float_constant(graph.value(value)) || graph.value(value).data.empty()) continue;
        graph.node(id).inputs[i] = half_of(g, graph, value, id, halves);
        decision.treatment = Treatment::kWeightOnly;
      }
      if (decision.treatment == Treatment::kFloat) decision.reason = "has no float constants";
    }
    out_.decisions.push_back(std::move(decision));
  }

  // The float32 value that a DEQUANTIZE makes of the constant's half-precision copy.
  ValueId half_of(int32_t g, Graph& graph, ValueId source, NodeId before, std::map<ValueId, ValueId>& halves) {
    const auto known = halves.find(source);
    if (known != halves.end()) return known->second;
    Value small = graph.value(source);
    size_t clamped = 0;
    auto& data = shared_[graph.value(source).data.identity()];
    if (data.empty()) data = ConstData::own(to_float16(graph.value(source).data.as<float>(), &clamped));
    clamped_ += clamped;
    small.dtype = DType::kFloat16;
    small.data = data;
    small.quant = {};
    Value wide = graph.value(source);
    wide.name += "_dequantized";
    wide.data = {};
    wide.is_const = false;
    const ValueId from = graph.add_value(std::move(small)), to = graph.add_value(std::move(wide));
    update_version(model_, g, graph.insert_node(convert_node(Op::DEQUANTIZE, from, to), before));
    halves[source] = to;
    return to;
  }

  Model& model_;
  const Options& options_;
  Quantized& out_;
  std::map<const void*, ConstData> shared_;
  size_t clamped_ = 0;
};

}  // namespace

Status quantize_float16_mode(Model& model, const Options& options, Quantized& out) {
  Float16Mode(model, options, out).run();
  return {};
}

}  // namespace fewbits::quantize
