// The entry: checks options, prepares the graph, and hands over to the mode.
#include "quantize/quantize.h"

#include <cstdint>

#include "ops/evaluate.h"
#include "passes/fold_constants.h"
#include "quantize/algorithms/mean_rounding.h"
#include "quantize/internal.h"
#include "schema/tflite.h"

namespace fewbits {

constexpr const char* kModeNames[] = {"weights", "float16", "int8", "int8-only", "int16x8"};

const char* mode_name(QuantizeMode mode) noexcept { return kModeNames[static_cast<int>(mode)]; }

Result<QuantizeMode> mode_from_name(const std::string& name) {
  for (int i = 0; i < 5; ++i) {
    if (name == kModeNames[i]) return static_cast<QuantizeMode>(i);
  }
  return fail(ErrorCode::kInvalidArgument, "there is no mode '{}': weights, float16, int8, int8-only or int16x8", name);
}

const char* treatment_name(Treatment treatment) noexcept {
  switch (treatment) {
    case Treatment::kInteger: return "integer";
    case Treatment::kHybrid: return "hybrid";
    case Treatment::kWeightOnly: return "weight-only";
    default: return "float";
  }
}

}  // namespace fewbits

namespace fewbits::quantize {
namespace {

bool is_integer_mode(Mode mode) { return mode == Mode::kInt8 || mode == Mode::kInt8Only || mode == Mode::kInt16x8; }

Status check_small_weights(const Options& options) {
  if (options.weight_type == DType::kInt8) return {};
  if (options.weight_type != DType::kInt4) {
    return fail(ErrorCode::kInvalidArgument, "weights can be int8 or int4, not {}", dtype_name(options.weight_type));
  }
  if (options.mode != Mode::kWeights) {
    return fail(ErrorCode::kInvalidArgument, "mode {} has int8 weights; int4 ones need mode weights",
                mode_name(options.mode));
  }
  if (options.block_size % 32 != 0 || options.block_size > INT32_MAX) {
    return fail(ErrorCode::kInvalidArgument, "blocks of int4 weights are a multiple of 32 inputs, or 0: not {}",
                options.block_size);
  }
  return {};
}

Result<Options> complete(Options options) {
  const DType unset = options.mode == Mode::kInt8Only ? DType::kInt8 : DType::kFloat32;
  for (DType* type : {&options.input_type, &options.output_type}) {
    if (*type == DType::kVariant) *type = unset;
    if (*type == DType::kFloat32) continue;
    if (!is_integer_mode(options.mode)) {
      return fail(ErrorCode::kInvalidArgument, "mode {} keeps float32 inputs and outputs; {} needs an integer mode",
                  mode_name(options.mode), dtype_name(*type));
    }
    if (*type != DType::kInt8 && *type != DType::kUInt8 && *type != DType::kInt16) {
      return fail(ErrorCode::kInvalidArgument, "inputs and outputs can be float32, int8, uint8 or int16, not {}",
                  dtype_name(*type));
    }
    if (options.mode == Mode::kInt16x8 && *type != DType::kInt16) {
      return fail(ErrorCode::kInvalidArgument, "mode int16x8 has float32 or int16 inputs and outputs, not {}",
                  dtype_name(*type));
    }
  }
  FB_TRY(check_small_weights(options));
  return options;
}

}  // namespace

const OperandRule& operand_rule(const std::vector<OperandRule>& rules, size_t i) {
  static const OperandRule kNone;
  if (rules.empty()) return kNone;
  return rules[std::min(i, rules.size() - 1)];
}

bool is_float_constant(const Value& value) {
  return value.is_const && value.dtype == DType::kFloat32 && !value.sparsity;
}

std::string output_name(const Graph& graph, const Node& node) {
  return node.outputs.empty() || node.outputs[0] == kNoValue ? std::string() : graph.value(node.outputs[0]).name;
}

QuantizedWeights weights_of(const Node& node, const Value& value, int axis, const Options& options,
                            std::span<const float> min_scale) {
  const auto floats = value.data.as<float>();
  QuantizedWeights weights = quantize_weights(floats, value.shape, axis, min_scale);
  const bool filters = node.op == Op::CONV_2D || node.op == Op::DEPTHWISE_CONV_2D;
  if (filters && options.rounding == WeightRounding::kKeepMeans) {
    keep_means(floats, value.shape, weights.quant, weights.values);
  }
  return weights;
}

NodeView::NodeView(const Model& model, int32_t graph, NodeId id) {
  const Graph& g = model.graphs[static_cast<size_t>(graph)];
  const Node& node = g.node(id);
  const auto infos = [&](const std::vector<ValueId>& ids) {
    std::vector<TensorInfo> list;
    for (ValueId value : ids) list.push_back(value == kNoValue ? TensorInfo{} : ops::tensor_info(g.value(value)));
    return list;
  };
  inputs_ = infos(node.inputs);
  outputs_ = infos(node.outputs);
  intermediates_ = infos(node.intermediates);
  context_ = OpContext{&model, &g, id, &node, inputs_, outputs_, intermediates_};
}

void update_version(Model& model, int32_t graph, NodeId id) {
  const NodeView view(model, graph, id);
  Node& node = model.graphs[static_cast<size_t>(graph)].node(id);
  const OpDef* def = find_op(node);
  node.version = def == nullptr || def->version == nullptr ? 1 : def->version(view.context());
}

Node convert_node(Op op, ValueId from, ValueId to) {
  Node node;
  node.op = op;
  node.inputs = {from};
  node.outputs = {to};
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  if (op == Op::QUANTIZE) {
    options->Set(tflite::QuantizeOptionsT());
  } else {
    options->Set(tflite::DequantizeOptionsT());
  }
  node.options = std::move(options);
  return node;
}

Result<Quantized> quantize(const Model& model, const Options& asked, const Statistics* statistics) {
  FB_ASSIGN(const Options options, complete(asked));
  Quantized out;
  out.model = model;
  if (is_integer_mode(options.mode)) {
    if (statistics == nullptr || statistics->samples == 0) {
      return fail(ErrorCode::kInvalidArgument, "mode {} needs calibration: give representative data or its statistics",
                  mode_name(options.mode));
    }
    const std::string fingerprint = model_fingerprint(model);
    if (statistics->fingerprint != fingerprint) {
      return fail(ErrorCode::kInvalidArgument, "the statistics belong to another model (they say {}, this model is {})",
                  statistics->fingerprint, fingerprint);
    }
  }
  FB_TRY(passes::fold_constants(out.model));
  switch (options.mode) {
    case Mode::kWeights: FB_TRY(quantize_weights_mode(out.model, options, out)); break;
    case Mode::kFloat16: FB_TRY(quantize_float16_mode(out.model, options, out)); break;
    default: FB_TRY(quantize_integer_mode(out.model, options, *statistics, out)); break;
  }
  FB_TRY(verify(out.model));
  return out;
}

}  // namespace fewbits::quantize
