// Mode weights (dynamic range): int8 constants under float activations. Operators with a hybrid kernel take them as they are
// and quantize activations on the fly; others get them through a DEQUANTIZE; tables of GATHER are looked up in int8.
#include <algorithm>
#include <map>
#include <tuple>

#include "base/half.h"
#include "quantize/algorithms/small_blocks.h"
#include "quantize/internal.h"
#include "quantize/params.h"
#include "quantize/select.h"
#include "schema/tflite.h"

namespace fewbits::quantize {
namespace {

class WeightsMode {
 public:
  WeightsMode(Model& model, const Options& options, Quantized& out) : model_(model), options_(options), out_(out) {}

  Status run() {
    for (size_t g = 0; g < model_.graphs.size(); ++g) {
      dequantized_.clear();
      stored_.clear();
      stored_small_.clear();
      const std::vector<NodeId> order = model_.graphs[g].order();
      for (NodeId id : order) FB_TRY(decide(static_cast<int32_t>(g), id));
    }
    return {};
  }

 private:
  Graph& graph(int32_t g) { return model_.graphs[static_cast<size_t>(g)]; }

  Status decide(int32_t g, NodeId id) {
    const Node& node = graph(g).node(id);
    const bool has_float = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId v) {
      return v != kNoValue && graph(g).value(v).dtype == DType::kFloat32;
    });
    if (!has_float) return {};
    Decision decision{g, id, node.type_name(), output_name(graph(g), node), Treatment::kFloat, {}, {}};
    decision.reason = not_selected(options_, decision.type, decision.output);
    const OpDef* def = find_op(node);
    if (decision.reason.empty() && def == nullptr) {
      decision.reason = "fewbits does not know this operator, so it stays as it is";
    }
    if (decision.reason.empty()) FB_TRY(quantize_node(g, id, *def, decision));
    out_.decisions.push_back(std::move(decision));
    return {};
  }

  // The operands that are weights large enough to be worth it.
  std::vector<size_t> large_weights(const Graph& g, const Node& node, const OpDef& def, std::string& reason) const {
    std::vector<size_t> large;
    size_t small = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || !is_float_constant(g.value(id))) continue;
      const bool hybrid = std::find(def.quant.hybrid_weights.begin(), def.quant.hybrid_weights.end(),
                                    static_cast<int8_t>(i)) != def.quant.hybrid_weights.end();
      const bool table = (def.flags & kTable) && i == 0;
      if (!hybrid && !table && operand_rule(def.quant.inputs, i).kind != OperandQuant::kWeights) continue;
      if (element_count(g.value(id).shape) >= options_.min_elements) {
        large.push_back(i);
      } else {
        small = std::max(small, element_count(g.value(id).shape));
      }
    }
    if (small > 0) {
      reason = fmt::format("its weights have {} elements, fewer than {}", small, options_.min_elements);
      if (def.quant.hybrid_all_or_none && !large.empty()) {
        reason = "some of " + reason + ", and its kernel takes all or none";
        large.clear();
      }
    } else if (large.empty()) {
      reason = "has no weights";
    }
    return large;
  }

  Status quantize_node(int32_t g, NodeId id, const OpDef& def, Decision& decision) {
    const Node node = graph(g).node(id);
    const std::vector<size_t> weights = large_weights(graph(g), node, def, decision.reason);
    if (weights.empty()) {
      if (decision.reason.find("elements") != std::string::npos) decision.help = "--min-elements lowers the limit";
      return {};
    }
    decision.reason.clear();
    for (size_t i : weights) {
      const Value& value = graph(g).value(node.inputs[i]);
      FB_TRY(check_finite(value.data.as<float>(), value.name));
    }
    const bool hybrid = !def.quant.hybrid_weights.empty();
    for (size_t i : weights) {
      const ValueId source = node.inputs[i];
      const int axis = scale_axis(def, i, hybrid, graph(g).value(source));
      const bool small = options_.weight_type == DType::kInt4 && fits_int4(g, node, i, decision);
      const ValueId stored = small ? stored_as_int4(g, source) : stored_as_int8(g, node, source, axis);
      graph(g).node(id).inputs[i] = hybrid || (def.flags & kTable) ? stored : dequantized(g, stored, source, id);
    }
    if (!hybrid && (def.flags & kTable)) return gather_in_int8(g, id, decision);
    decision.treatment = hybrid ? Treatment::kHybrid : Treatment::kWeightOnly;
    if (!hybrid) decision.reason = "its weights are stored in int8 and computed in float";
    if (hybrid) {
      set_asymmetric(graph(g).node(id));
      update_version(model_, g, id);
    }
    return {};
  }

  // Whether operand i can be int4; if not, the decision gets the reason.
  bool fits_int4(int32_t g, const Node& node, size_t i, Decision& decision) {
    if (node.op != Op::FULLY_CONNECTED) {
      decision.reason = "only FULLY_CONNECTED has int4 weights: its own are int8";
      return false;
    }
    const Shape& shape = graph(g).value(node.inputs[i]).shape;
    const auto depth = static_cast<size_t>(shape.back());
    if (options_.block_size == 0 || depth % options_.block_size == 0) return true;
    decision.reason =
        fmt::format("blocks of {} do not divide its {} inputs: its weights are int8", options_.block_size, depth);
    return false;
  }

  ValueId stored_as_int4(int32_t g, ValueId source) {
    const auto known = stored_small_.find(source);
    if (known != stored_small_.end()) return known->second;
    Value value = graph(g).value(source);
    const size_t block = options_.block_size, depth = static_cast<size_t>(value.shape.back());
    SmallData& kept = shared_small_[value.data.identity()];
    if (kept.packed.empty()) {
      const auto floats = value.data.as<float>();
      const size_t its_block = block > 0 ? block : options_.per_channel ? depth : floats.size();
      SmallWeights weights = quantize_int4(floats, its_block);
      kept = {ConstData::own(std::move(weights.packed)), {}, std::move(weights.scales)};
      std::vector<uint16_t> halves(kept.scales.size());
      float_to_half(kept.scales.data(), halves.data(), halves.size());
      kept.halves = ConstData::own(std::move(halves));
    }
    value.quant = {};
    if (block == 0) {
      value.quant = {.scale = kept.scales, .zero_point = std::vector<int64_t>(kept.scales.size(), 0)};
    } else {
      value.quant.details = blocks_of(g, value, kept.halves);
    }
    value.dtype = DType::kInt4;
    value.data = kept.packed;
    return stored_small_[source] = graph(g).add_value(std::move(value));
  }

  // Details that name a new tensor of scales, [units, depth / block].
  std::shared_ptr<const tflite::QuantizationDetailsUnion> blocks_of(int32_t g, const Value& weights,
                                                                    const ConstData& halves) {
    const auto block = static_cast<int32_t>(options_.block_size);
    const int32_t depth = weights.shape.back();
    Value scales{.name = weights.name + "_scales", .dtype = DType::kFloat16, .has_rank = true, .is_const = true};
    scales.shape = {static_cast<int32_t>(element_count(weights.shape)) / depth, depth / block};
    scales.data = halves;
    tflite::BlockwiseQuantizationT table;
    table.scales = graph(g).add_value(std::move(scales));
    table.zero_points = -1;
    table.block_size = block;
    auto details = std::make_shared<tflite::QuantizationDetailsUnion>();
    details->Set(table);
    return details;
  }

  int scale_axis(const OpDef& def, size_t i, bool hybrid, const Value& value) const {
    if (!options_.per_channel || (hybrid && !def.quant.hybrid_per_axis)) return -1;
    const int axis = operand_rule(def.quant.inputs, i).axis;
    return axis < static_cast<int>(value.shape.size()) ? axis : -1;
  }

  ValueId stored_as_int8(int32_t g, const Node& node, ValueId source, int axis) {
    const auto key = std::make_pair(source, axis);
    const auto known = stored_.find(key);
    if (known != stored_.end()) return known->second;
    Value value = graph(g).value(source);
    auto& kept = shared_[{value.data.identity(), axis}];
    if (kept.second.empty()) {
      QuantizedWeights weights = weights_of(node, value, axis, options_);
      kept = {std::move(weights.quant), ConstData::own(std::move(weights.values))};
    }
    value.dtype = DType::kInt8;
    value.quant = kept.first;
    value.data = kept.second;
    return stored_[key] = graph(g).add_value(std::move(value));
  }

  ValueId dequantized(int32_t g, ValueId stored, ValueId source, NodeId before) {
    const auto known = dequantized_.find(stored);
    if (known != dequantized_.end()) return known->second;
    Value wide = graph(g).value(source);
    wide.name += "_dequantized";
    wide.data = {};
    wide.is_const = false;
    const ValueId to = graph(g).add_value(std::move(wide));
    update_version(model_, g, graph(g).insert_node(convert_node(Op::DEQUANTIZE, stored, to), before));
    return dequantized_[stored] = to;
  }

  // A table operator moves bytes: it runs on the int8 table, and what it took becomes float behind it.
  Status gather_in_int8(int32_t g, NodeId id, Decision& decision) {
    Graph& graph_ = graph(g);
    const ValueId output = graph_.node(id).outputs[0];
    Value small = graph_.value(output);
    small.name += "_int8";
    small.dtype = DType::kInt8;
    small.quant = graph_.value(graph_.node(id).inputs[0]).quant;
    const ValueId middle = graph_.add_value(std::move(small));
    graph_.node(id).outputs[0] = middle;
    update_version(model_, g, id);
    update_version(model_, g, graph_.insert_node_after(convert_node(Op::DEQUANTIZE, middle, output), id));
    decision.treatment = Treatment::kHybrid;
    return {};
  }

  static void set_asymmetric(Node& node) {
    auto options = std::make_shared<tflite::BuiltinOptionsUnion>(*node.options);
    if (auto* o = options->AsFullyConnectedOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsBatchMatMulOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsSVDFOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsRNNOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsSequenceRNNOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsBidirectionalSequenceRNNOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsLSTMOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsUnidirectionalSequenceLSTMOptions()) o->asymmetric_quantize_inputs = true;
    if (auto* o = options->AsBidirectionalSequenceLSTMOptions()) o->asymmetric_quantize_inputs = true;
    node.options = std::move(options);
  }

  Model& model_;
  const Options& options_;
  Quantized& out_;
  std::map<std::pair<ValueId, int>, ValueId> stored_;  // of the graph at hand
  std::map<ValueId, ValueId> dequantized_;
  std::map<std::pair<const void*, int>, std::pair<QuantParams, ConstData>> shared_;
  struct SmallData {
    ConstData packed, halves;  // halves: the scales in float16
    std::vector<float> scales;
  };
  std::map<ValueId, ValueId> stored_small_;  // of the graph at hand
  std::map<const void*, SmallData> shared_small_;
};

}  // namespace

Status quantize_weights_mode(Model& model, const Options& options, Quantized& out) {
  return WeightsMode(model, options, out).run();
}

}  // namespace fewbits::quantize
