// GraphBuilder: operators of any kind, shape inference under two trial sizes, constants folded on the spot.
#include <algorithm>

#include "formats/builder.h"
#include "formats/options.h"
#include "ir/op_def.h"
#include "ops/evaluate.h"

namespace fewbits::formats {
namespace {

// Values that follow from sizes and have more elements are not followed.
constexpr size_t kMaxFollowed = 4096;
// Operators that only passes/ know, and replace.
constexpr std::string_view kInternalPrefix = "fewbits.";

DType from_schema(tflite::TensorType type) { return static_cast<DType>(type); }

}  // namespace

std::vector<DType> output_types(const Graph& graph, const Node& node, size_t outputs) {
  const auto type_of = [&](size_t i) {
    return i < node.inputs.size() && node.inputs[i] != kNoValue ? graph.value(node.inputs[i]).dtype : DType::kFloat32;
  };
  const auto all = [&](DType type) { return std::vector<DType>(outputs, type); };
  switch (node.op) {
    case Op::EQUAL:
    case Op::NOT_EQUAL:
    case Op::LESS:
    case Op::LESS_EQUAL:
    case Op::GREATER:
    case Op::GREATER_EQUAL:
    case Op::LOGICAL_AND:
    case Op::LOGICAL_OR:
    case Op::LOGICAL_NOT:
    case Op::REDUCE_ANY:
    case Op::REDUCE_ALL: return all(DType::kBool);
    case Op::SHAPE: return all(from_schema(node.options->AsShapeOptions()->out_type));
    case Op::CAST: return all(from_schema(node.options->AsCastOptions()->out_data_type));
    case Op::ARG_MAX: return all(from_schema(node.options->AsArgMaxOptions()->output_type));
    case Op::ARG_MIN: return all(from_schema(node.options->AsArgMinOptions()->output_type));
    case Op::RANK:
    case Op::BUCKETIZE: return all(DType::kInt32);
    case Op::WHERE: return all(DType::kInt64);
    case Op::TOPK_V2: return {type_of(0), DType::kInt32};
    case Op::UNIQUE: return {type_of(0), from_schema(node.options->AsUniqueOptions()->idx_out_type)};
    case Op::SELECT:
    case Op::SELECT_V2:
    case Op::FILL:
    case Op::SCATTER_ND:
    case Op::SPLIT:
    case Op::EMBEDDING_LOOKUP: return all(type_of(1));
    case Op::TRANSPOSE_CONV:
    case Op::CONV_3D_TRANSPOSE:
    case Op::ONE_HOT:
    case Op::SPARSE_TO_DENSE: return all(type_of(2));
    case Op::DEQUANTIZE:
    case Op::COMPLEX_ABS:
    case Op::REAL:
    case Op::IMAG: return all(DType::kFloat32);
    case Op::RFFT2D: return all(DType::kComplex64);
    case Op::NON_MAX_SUPPRESSION_V4: return {DType::kInt32, DType::kInt32};
    case Op::NON_MAX_SUPPRESSION_V5: return {DType::kInt32, DType::kFloat32, DType::kInt32};
    default: return all(type_of(0));
  }
}

ValueId GraphBuilder::node(Op op, std::vector<ValueId> inputs, OptionsPtr options) {
  return nodes(op, std::move(inputs), 1, std::move(options))[0];
}

std::vector<ValueId> GraphBuilder::nodes(Op op, std::vector<ValueId> inputs, size_t outputs, OptionsPtr options) {
  Node node;
  node.op = op;
  node.inputs = std::move(inputs);
  if (options != nullptr) node.options = std::move(options);
  const std::vector<DType> types = output_types(graph(), node, outputs);
  return typed_nodes(std::move(node), types);
}

std::vector<ValueId> GraphBuilder::typed_nodes(Node node, const std::vector<DType>& types) {
  std::vector<ValueId> outputs;
  for (DType type : types) outputs.push_back(new_value(type, scope_));
  if (!ok()) return outputs;
  node.outputs = outputs;
  const NodeId id = graph().add_node(std::move(node));
  for (ValueId output : outputs) producer_[static_cast<size_t>(output)] = id;
  const Status inferred = infer(id);
  if (!inferred) {
    status_ = inferred;
    return outputs;
  }
  if (fold(id)) return outputs;
  keep_parameters(graph().node(id));
  for (ValueId output : outputs) publish_shape(output);
  return outputs;
}

// Operators that only move quantized elements give them on under the same scale and zero point.
void GraphBuilder::keep_parameters(const Node& node) {
  const OpDef* def = find_op(node);
  if (def == nullptr || def->quant.outputs.empty() || def->quant.outputs[0].kind != OperandQuant::kSame) return;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const auto& rules = def->quant.inputs;
    if (rules.empty() || rules[std::min(i, rules.size() - 1)].kind != OperandQuant::kSame || node.inputs[i] == kNoValue)
      continue;
    const QuantParams quant = graph().value(node.inputs[i]).quant;
    if (!quant.quantized() || quant.per_axis() || dtype(node.inputs[i]) == DType::kFloat32) continue;
    for (ValueId output : node.outputs) {
      if (dtype(output) == dtype(node.inputs[i])) graph().value(output).quant = quant;
    }
    return;
  }
}

// When every output is the same under both trials, the node is a constant.
bool GraphBuilder::fold(NodeId id) {
  const std::vector<ValueId> outputs = graph().node(id).outputs;
  for (ValueId output : outputs) {
    const Known& k = known(output);
    if (!k.has_data[0] || !k.has_data[1] || k.shape[0] != k.shape[1]) return false;
    const auto a = k.data[0].bytes(), b = k.data[1].bytes();
    if (a.data() != b.data() && !std::equal(a.begin(), a.end(), b.begin(), b.end())) return false;
  }
  // The parameters that a dequantized constant came with go where its elements go.
  const Node& node = graph().node(id);
  const QuantParams quant =
      node.inputs.empty() || node.inputs[0] == kNoValue ? QuantParams() : graph().value(node.inputs[0]).quant;
  if (quant.quantized() && node.op == Op::TRANSPOSE) {
    Value& value = graph().value(outputs[0]);
    value.quant = quant;
    const auto perm = int_values(node.inputs[1]);
    for (size_t i = 0; quant.per_axis() && perm && i < perm->size(); ++i) {
      if ((*perm)[i] == quant.axis) value.quant.axis = static_cast<int32_t>(i);
    }
  } else if (quant.quantized() && node.op == Op::RESHAPE && !quant.per_axis()) {
    graph().value(outputs[0]).quant = quant;
  }
  for (ValueId output : outputs) {
    Known& k = known(output);
    Value& value = graph().value(output);
    value.is_const = true;
    value.data = k.data[0];
    value.shape = k.shape[0];
    k.data = {};
    k.has_data = {};
    producer_[static_cast<size_t>(output)] = -1;
  }
  graph().remove_node(id);
  return true;
}

Status GraphBuilder::infer(NodeId id) {
  const Node& node = graph().node(id);
  if (node.op == Op::CUSTOM && node.custom_code.starts_with(kInternalPrefix)) {
    const Known x = known(node.inputs[0]);
    Known& y = known(node.outputs[0]);
    y.ranked = x.ranked;
    y.shape = x.shape;
    return {};
  }
  const OpDef* def = find_op(node);
  if (def == nullptr || def->infer == nullptr) {
    return fail(ErrorCode::kUnsupported, "{}: fewbits does not know this operator", describe_node(graph(), id));
  }
  FB_TRY(ops::check_operands(graph(), id, *def));
  bool same = true;
  for (ValueId input : node.inputs) {
    if (input == kNoValue) continue;
    same = same && known(input).shape[0] == known(input).shape[1] && !known(input).has_data[0];
  }
  FB_TRY(infer_trial(id, 0, false));
  return infer_trial(id, 1, same);
}

bool GraphBuilder::infer_shape_of(const Node& node, size_t trial) {
  if ((node.op != Op::SHAPE && node.op != Op::RANK) || !has_rank(node.inputs[0])) return false;
  const Shape& shape = known(node.inputs[0]).shape[trial];
  Known& out = known(node.outputs[0]);
  const auto rank = static_cast<int32_t>(shape.size());
  if (node.op == Op::RANK) {
    out.data[trial] = ConstData::own(std::vector<int32_t>{rank});
  } else if (dtype(node.outputs[0]) == DType::kInt64) {
    out.data[trial] = ConstData::own(std::vector<int64_t>(shape.begin(), shape.end()));
  } else {
    out.data[trial] = ConstData::own(shape);
  }
  out.shape[trial] = node.op == Op::RANK ? Shape{} : Shape{rank};
  out.has_data[trial] = true;
  return true;
}

// What an operator whose sizes depend on values gives: its rank where that is known.
void GraphBuilder::set_unknown(const Node& node, size_t output, size_t trial, const std::array<int32_t, 2>& fresh) {
  Known& k = known(node.outputs[output]);
  switch (node.op) {
    case Op::WHERE:
      if (!has_rank(node.inputs[0])) break;
      k.shape[trial] = {fresh[trial], rank(node.inputs[0])};
      return;
    case Op::RANGE: k.shape[trial] = {fresh[trial]}; return;
    case Op::UNIQUE: k.shape[trial] = output == 0 ? Shape{fresh[trial]} : known(node.inputs[0]).shape[trial]; return;
    case Op::RESHAPE:
    case Op::BROADCAST_TO:
    case Op::FILL: {  // only the length of the target is known
      const ValueId target = node.op == Op::FILL ? node.inputs[0] : node.inputs.size() > 1 ? node.inputs[1] : kNoValue;
      if (rank(target) != 1 || dim(target, 0) < 0) break;
      k.shape[trial].assign(static_cast<size_t>(dim(target, 0)), 0);
      for (size_t i = 0; i < k.shape[trial].size(); ++i) {
        k.shape[trial][i] = fresh[trial] + 64 * static_cast<int32_t>(i);
      }
      return;
    }
    case Op::SLICE:
    case Op::STRIDED_SLICE:
    case Op::PAD:
    case Op::PADV2:
    case Op::TILE: {
      const auto* options = node.options->AsStridedSliceOptions();
      if (!has_rank(node.inputs[0]) ||
          (options != nullptr && (options->shrink_axis_mask != 0 || options->new_axis_mask != 0))) {
        break;
      }
      k.shape[trial].assign(known(node.inputs[0]).shape[trial].size(), 0);
      for (size_t i = 0; i < k.shape[trial].size(); ++i) {
        k.shape[trial][i] = fresh[trial] + 64 * static_cast<int32_t>(i);
      }
      return;
    }
    case Op::TOPK_V2:
      if (!has_rank(node.inputs[0])) break;
      k.shape[trial] = known(node.inputs[0]).shape[trial];
      if (!k.shape[trial].empty()) k.shape[trial].back() = fresh[trial];
      return;
    case Op::RESIZE_BILINEAR:
    case Op::RESIZE_NEAREST_NEIGHBOR:
      if (rank(node.inputs[0]) != 4) break;
      k.shape[trial] = known(node.inputs[0]).shape[trial];
      k.shape[trial][1] = fresh[trial];
      k.shape[trial][2] = fresh[trial] + 64;
      return;
    default: break;
  }
  k.ranked = false;
}

Status GraphBuilder::infer_trial(NodeId id, size_t trial, bool same_as_first) {
  const Node& node = graph().node(id);
  if (same_as_first) {
    for (ValueId output : node.outputs) {
      Known& k = known(output);
      if (!k.shape[1].empty()) continue;  // depends on values: set_unknown() gave both
      k.shape[1] = k.shape[0];
      k.data[1] = k.data[0];
      k.has_data[1] = k.has_data[0];
    }
    return {};
  }
  if (infer_shape_of(node, trial)) return {};
  std::vector<TensorInfo> inputs;
  bool all_data = true, small = true;
  for (ValueId input : node.inputs) {
    if (input == kNoValue) {
      inputs.emplace_back();
      continue;
    }
    TensorInfo info = ops::tensor_info(graph().value(input));
    info.shape = known(input).shape[trial];
    info.dynamic = !known(input).ranked;
    const ConstData* data = data_of(input, trial);
    info.data = data == nullptr ? nullptr : data->bytes().data();
    info.is_const = data != nullptr;
    all_data = all_data && data != nullptr;
    small = small && (graph().value(input).is_const || element_count(info.shape) <= kMaxFollowed);
    inputs.push_back(info);
  }
  if (all_data && small) {
    FB_ASSIGN(auto folded, ops::fold_node(*model_, graph(), id, inputs));
    if (folded) {
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        Known& k = known(node.outputs[i]);
        k.shape[trial] = (*folded)[i].shape;
        k.data[trial] = ConstData::own(std::move((*folded)[i].bytes));
        k.has_data[trial] = true;
      }
      return {};
    }
  }
  std::vector<TensorInfo> outputs;
  for (ValueId output : node.outputs) {
    outputs.push_back(ops::tensor_info(graph().value(output)));
    outputs.back().shape.clear();
  }
  OpContext context{model_, &graph(), id, &node, inputs, outputs, {}};
  FB_TRY(find_op(node)->infer(context));
  std::array<int32_t, 2> fresh{};
  for (size_t i = 0; i < outputs.size(); ++i) {
    Known& k = known(node.outputs[i]);
    if (!outputs[i].dynamic) {
      k.shape[trial] = outputs[i].shape;
    } else if (trial == 0) {
      if (fresh[0] == 0) fresh = fresh_size();
      set_unknown(node, i, 0, fresh);
      if (k.ranked) set_unknown(node, i, 1, fresh);
    }
  }
  return {};
}

}  // namespace fewbits::formats
