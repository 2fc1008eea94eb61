// The operators of the model that a report draws.
#include "report/operators.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/half.h"
#include "report/layout.h"

namespace fewbits::report {
namespace {

// What the quantizer puts behind the name of a tensor's integer twin.
constexpr const char* kTwins[] = {"_int8", "_int16", "_uint8"};

bool is_integer_code(DType type) {
  return type == DType::kInt8 || type == DType::kUInt8 || type == DType::kInt16 || type == DType::kInt4 ||
         type == DType::kInt2;
}

const TensorDescription* tensor_at(const SubgraphDescription& graph, int32_t index) {
  const bool there = index >= 0 && static_cast<size_t>(index) < graph.tensors.size();
  return there ? &graph.tensors[static_cast<size_t>(index)] : nullptr;
}

std::string output_name(const SubgraphDescription& graph, const OperatorDescription& op) {
  const TensorDescription* tensor = op.outputs.empty() ? nullptr : tensor_at(graph, op.outputs[0]);
  return tensor == nullptr ? std::string() : tensor->name;
}

// The largest constant of two dimensions or more, -1 where there is none: what users call the weights.
int32_t weight_operand(const SubgraphDescription& graph, const OperatorDescription& op) {
  int32_t best = -1;
  size_t most = 1;
  for (const int32_t input : op.inputs) {
    const TensorDescription* tensor = tensor_at(graph, input);
    if (tensor == nullptr || !tensor->constant || tensor->sparse || tensor->shape.size() < 2) continue;
    const size_t count = element_count(tensor->shape);
    if (count <= most) continue;
    most = count;
    best = input;
  }
  return best;
}

std::vector<float> floats_of(const Model& model, int32_t tensor) {
  const auto array = constant_array(model, 0, tensor);
  if (!array) return {};
  if (array->dtype == DType::kFloat32) return {array->as<float>().begin(), array->as<float>().end()};
  if (array->dtype != DType::kFloat16) return {};
  std::vector<float> out;
  for (const uint16_t half : array->as<uint16_t>()) out.push_back(half_to_float(half));
  return out;
}

// Of integers with one scale, or one a channel: what they stand for.
std::vector<float> real_values(const Model& model, int32_t index, const TensorDescription& tensor) {
  const auto array = constant_array(model, 0, index);
  if (!array || array->dtype != DType::kInt8 || tensor.scale.empty()) return {};
  const auto axis = static_cast<size_t>(std::max(tensor.axis, 0));
  size_t inner = 1;
  for (size_t d = axis + 1; d < array->shape.size(); ++d) inner *= static_cast<size_t>(array->shape[d]);
  const auto codes = array->as<int8_t>();
  std::vector<float> out(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    const size_t channel = tensor.scale.size() == 1 ? 0 : i / std::max<size_t>(inner, 1) % tensor.scale.size();
    const int64_t zero = tensor.zero_point.size() == tensor.scale.size() ? tensor.zero_point[channel] : 0;
    out[i] = tensor.scale[channel] * static_cast<float>(codes[i] - zero);
  }
  return out;
}

}  // namespace

const char* precision_name(Precision precision) noexcept {
  switch (precision) {
    case Precision::kFloat32: return "float32";
    case Precision::kFloat16: return "float16";
    case Precision::kHybrid: return "hybrid";
    case Precision::kInt8: return "int8";
    case Precision::kInt16: return "int16";
    case Precision::kConvert: return "convert";
    default: return "other";
  }
}

std::string without_twin(const std::string& name) {
  for (const char* twin : kTwins) {
    if (name.ends_with(twin)) return name.substr(0, name.size() - std::string_view(twin).size());
  }
  return name;
}

std::optional<Range> range_of(const TensorDescription& tensor) {
  if (tensor.scale.size() != 1 || !is_integer_code(tensor.dtype)) return std::nullopt;
  const double zero = tensor.zero_point.empty() ? 0.0 : static_cast<double>(tensor.zero_point[0]);
  const double codes = std::exp2(dtype_bits(tensor.dtype));
  const double low = tensor.dtype == DType::kUInt8 ? 0 : -codes / 2, high = low + codes - 1;
  return Range{(low - zero) * double{tensor.scale[0]}, (high - zero) * double{tensor.scale[0]}};
}

Operators::Operators(const Model* reference, const Model& model)
    : reference_model_(reference), quantized_model_(model) {
  model_ = describe_model(model).subgraphs.front();
  if (reference != nullptr) reference_ = describe_model(*reference).subgraphs.front();
  std::map<std::string, int> by_name;
  for (size_t i = 0; i < reference_.operators.size(); ++i) {
    const std::string name = output_name(reference_, reference_.operators[i]);
    by_name.try_emplace(name, static_cast<int>(i));
    for (const char* twin : kTwins) by_name.try_emplace(name + twin, static_cast<int>(i));
  }
  for (const OperatorDescription& op : model_.operators) {
    const auto found = by_name.find(output_name(model_, op));
    const bool converts = op.type == "QUANTIZE" || op.type == "DEQUANTIZE";
    const bool same = found != by_name.end() &&
                      (!converts || reference_.operators[static_cast<size_t>(found->second)].type == op.type);
    counterparts_.push_back(same ? found->second : -1);
  }
}

Precision Operators::precision_of(const OperatorDescription& op) const {
  if (op.type == "QUANTIZE" || op.type == "DEQUANTIZE") return Precision::kConvert;
  const TensorDescription* output = op.outputs.empty() ? nullptr : tensor_at(model_, op.outputs[0]);
  if (output == nullptr) return Precision::kOther;
  switch (output->dtype) {
    case DType::kInt8:
    case DType::kUInt8: return output->scale.empty() ? Precision::kOther : Precision::kInt8;
    case DType::kInt16: return output->scale.empty() ? Precision::kOther : Precision::kInt16;
    case DType::kFloat16: return Precision::kFloat16;
    case DType::kFloat32: break;
    default: return Precision::kOther;
  }
  for (const int32_t input : op.inputs) {
    const TensorDescription* tensor = tensor_at(model_, input);
    if (tensor != nullptr && is_integer_code(tensor->dtype) && !tensor->scale.empty()) {
      return tensor->constant ? Precision::kHybrid : Precision::kInt8;
    }
  }
  return Precision::kFloat32;
}

std::optional<Weights> Operators::weights_of(size_t place) const {
  const int32_t operand = weight_operand(model_, model_.operators[place]);
  if (operand < 0) return std::nullopt;
  const TensorDescription& tensor = *tensor_at(model_, operand);
  Weights out;
  out.dtype = dtype_name(tensor.dtype);
  out.bytes = tensor.bytes;
  out.scales = tensor.scale;
  std::vector<float> values;
  if (counterparts_[place] >= 0) {
    const int32_t theirs = weight_operand(reference_, reference_.operators[static_cast<size_t>(counterparts_[place])]);
    if (theirs >= 0) values = floats_of(*reference_model_, theirs);
  }
  if (values.empty()) values = floats_of(quantized_model_, operand);
  if (values.empty()) values = real_values(quantized_model_, operand, tensor);
  out.values = histogram_of(values);
  return out;
}

void Operators::describe(Data& data) const {
  std::map<int32_t, size_t> producer;
  for (size_t i = 0; i < model_.operators.size(); ++i) {
    const OperatorDescription& op = model_.operators[i];
    OperatorView view;
    view.index = op.index;
    view.type = op.type;
    view.output = output_name(model_, op);
    if (const auto* tensor = op.outputs.empty() ? nullptr : tensor_at(model_, op.outputs[0])) {
      view.dtype = dtype_name(tensor->dtype);
      view.shape = tensor->shape;
    }
    view.precision = precision_of(op);
    view.constant_bytes = op.constant_bytes;
    view.weights = weights_of(i);
    data.operators.push_back(std::move(view));
    for (const int32_t output : op.outputs) producer[output] = i;
  }
  std::vector<std::pair<size_t, size_t>> edges;
  for (size_t i = 0; i < model_.operators.size(); ++i) {
    std::set<size_t> sources;
    for (const int32_t input : model_.operators[i].inputs) {
      const auto from = producer.find(input);
      if (from != producer.end() && from->second < i) sources.insert(from->second);
    }
    for (const size_t source : sources) edges.emplace_back(source, i);
  }
  const Layout layout = lay_out(data.operators.size(), edges);
  for (size_t i = 0; i < data.operators.size(); ++i) {
    std::tie(data.operators[i].x, data.operators[i].y) = layout.places[i];
  }
  for (const LayoutEdge& edge : layout.edges) data.edges.push_back({edge.from, edge.to, edge.points});
}

std::map<int32_t, HistogramBuilder> Operators::watched() const {
  std::map<int32_t, HistogramBuilder> out;
  for (size_t i = 0; i < counterparts_.size(); ++i) {
    if (counterparts_[i] < 0) continue;
    const OperatorDescription& theirs = reference_.operators[static_cast<size_t>(counterparts_[i])];
    const TensorDescription* tensor = tensor_at(reference_, theirs.outputs.empty() ? -1 : theirs.outputs[0]);
    const TensorDescription* mine = tensor_at(model_, model_.operators[i].outputs[0]);
    if (tensor == nullptr || mine == nullptr || tensor->dtype != DType::kFloat32) continue;
    out.try_emplace(theirs.outputs[0], range_of(*mine));
  }
  return out;
}

}  // namespace fewbits::report
