// GraphBuilder: names, borders, constants, and what is known of values.
#include "formats/builder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "formats/options.h"
#include "ir/op_def.h"
#include "ops/evaluate.h"

namespace fewbits::formats {
namespace {

constexpr int kTrials = 2;

// The integers in `data`; nothing for other types.
std::optional<std::vector<int64_t>> integers(DType dtype, const ConstData& data) {
  const auto widen = [&](auto example) {
    const auto values = data.as<decltype(example)>();
    return std::optional(std::vector<int64_t>(values.begin(), values.end()));
  };
  switch (dtype) {
    case DType::kInt64: return widen(int64_t{});
    case DType::kInt32: return widen(int32_t{});
    case DType::kInt16: return widen(int16_t{});
    case DType::kInt8: return widen(int8_t{});
    case DType::kUInt8: return widen(uint8_t{});
    case DType::kUInt16: return widen(uint16_t{});
    case DType::kUInt32: return widen(uint32_t{});
    case DType::kBool: return widen(uint8_t{});
    default: return std::nullopt;
  }
}

template <class T>
ConstData one(double value) {
  // A limit that does not fit means "as far as the type goes".
  const auto low = static_cast<double>(std::numeric_limits<T>::lowest());
  const auto high = static_cast<double>(std::numeric_limits<T>::max());
  if (value >= high) return ConstData::own(std::vector<T>{std::numeric_limits<T>::max()});
  return ConstData::own(std::vector<T>{static_cast<T>(std::max(value, low))});
}

}  // namespace

GraphBuilder::GraphBuilder(Model& model, int32_t graph) : model_(&model), index_(static_cast<size_t>(graph)) {
  known_.resize(this->graph().value_count());
  producer_.assign(this->graph().value_count(), -1);
}

ValueId GraphBuilder::error(ErrorCode code, std::string message) {
  if (status_) status_ = tl::unexpected<Error>(Error{code, std::move(message)});
  return new_value(DType::kFloat32, "error");
}

std::string GraphBuilder::unique_name(const std::string& wish) {
  int& count = names_[wish];
  if (count++ == 0) return wish;
  while (true) {
    std::string name = fmt::format("{}/{}", wish, count - 1);
    if (names_.try_emplace(name, 1).second) return name;
    ++count;
  }
}

void GraphBuilder::rename(ValueId id, const std::string& name) {
  Value& value = graph().value(id);
  if (value.name == name) return;
  value.name = reserved_.erase(name) != 0 ? name : unique_name(name);
}

void GraphBuilder::reserve(const std::string& name) {
  if (names_.try_emplace(name, 1).second) reserved_.insert(name);
}

ValueId GraphBuilder::new_value(DType dtype, const std::string& wish) {
  Value value;
  value.dtype = dtype;
  value.has_rank = true;
  value.name = unique_name(wish.empty() ? "value" : wish);
  known_.emplace_back();
  producer_.push_back(-1);
  return graph().add_value(std::move(value));
}

std::array<int32_t, 2> GraphBuilder::fresh_size() {
  // Multiples of 64 keep networks that halve and double their input in step; few of them stay below usual limits (512).
  const int32_t base = 4 + 2 * fresh_++;
  return {64 * base, 64 * (base + 1)};
}

ValueId GraphBuilder::input(const std::string& name, DType dtype, const Shape& shape,
                            std::span<const std::string> symbols) {
  const ValueId id = new_value(dtype, name);
  Known& k = known(id);
  for (size_t i = 0; i < shape.size(); ++i) {
    std::array<int32_t, 2> size = {shape[i], shape[i]};
    if (shape[i] < 0) {
      const std::string symbol = i < symbols.size() ? symbols[i] : std::string();
      const auto found = symbols_.find(symbol);
      if (!symbol.empty() && found != symbols_.end()) {
        size = found->second;
      } else {
        size = i == 0 ? std::array<int32_t, 2>{2 + 2 * fresh_, 3 + 2 * fresh_} : fresh_size();
        if (i == 0) ++fresh_;
        if (!symbol.empty()) symbols_[symbol] = size;
      }
    }
    for (int t = 0; t < kTrials; ++t) k.shape[static_cast<size_t>(t)].push_back(size[static_cast<size_t>(t)]);
  }
  publish_shape(id);
  graph().inputs.push_back(id);
  return id;
}

ValueId GraphBuilder::input_like(const std::string& name, const GraphBuilder& outer, ValueId id) {
  const ValueId made = new_value(outer.dtype(id), name);
  set_shape_like(made, outer, id);
  graph().inputs.push_back(made);
  return made;
}

ValueId GraphBuilder::output(ValueId id, const std::string& name) {
  const auto among = [&](const std::vector<ValueId>& list) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  if (is_const(id) || among(graph().inputs) || among(graph().outputs)) {
    // A reshape to its own shape is the copy that every runtime has.
    Node copy;
    copy.op = Op::RESHAPE;
    const ValueId target = shape_of(id);
    copy.inputs = {id, target};
    copy.options = options(tflite::ReshapeOptionsT());
    const ValueId out = new_value(dtype(id), name);
    rename(out, name);
    known(out) = known(id);
    known(out).has_data = {};
    publish_shape(out);
    copy.outputs = {out};
    producer_[static_cast<size_t>(out)] = graph().add_node(std::move(copy));
    id = out;
  } else {
    rename(id, name);
  }
  graph().outputs.push_back(id);
  return id;
}

Status GraphBuilder::finish() {
  FB_TRY(status_);
  for (NodeId id : graph().order()) {
    Node& node = graph().node(id);
    const OpDef* def = find_op(node);
    if (def == nullptr || def->version == nullptr) continue;
    std::vector<TensorInfo> inputs, outputs;
    for (ValueId v : node.inputs) inputs.push_back(v == kNoValue ? TensorInfo{} : ops::tensor_info(graph().value(v)));
    for (ValueId v : node.outputs) outputs.push_back(v == kNoValue ? TensorInfo{} : ops::tensor_info(graph().value(v)));
    node.version = def->version(OpContext{model_, &graph(), id, &node, inputs, outputs, {}});
  }
  return {};
}

// ---- constants ----

ValueId GraphBuilder::constant(ConstData data, DType dtype, Shape shape, const std::string& name) {
  const ValueId id = new_value(dtype, name.empty() ? scope_ + "/const" : name);
  Value& value = graph().value(id);
  value.data = std::move(data);
  value.is_const = true;
  value.shape = shape;
  known(id).shape = {shape, shape};
  return id;
}

ValueId GraphBuilder::ints(const std::vector<int32_t>& values) {
  const auto found = int_constants_.find(values);
  if (found != int_constants_.end()) return found->second;
  const ValueId id = constant(values, DType::kInt32, {static_cast<int32_t>(values.size())});
  int_constants_[values] = id;
  return id;
}
ValueId GraphBuilder::int_scalar(int32_t value) { return constant(std::vector<int32_t>{value}, DType::kInt32, {}); }
ValueId GraphBuilder::floats(std::vector<float> values) {
  const auto size = static_cast<int32_t>(values.size());
  return constant(std::move(values), DType::kFloat32, {size});
}

ValueId GraphBuilder::scalar(double value, DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return constant(std::vector<float>{static_cast<float>(value)}, dtype, {});
    case DType::kFloat16: return constant(std::vector<uint16_t>{float_to_half(static_cast<float>(value))}, dtype, {});
    case DType::kFloat64: return constant(std::vector<double>{value}, dtype, {});
    case DType::kInt64: return constant(one<int64_t>(value), dtype, {});
    case DType::kInt32: return constant(one<int32_t>(value), dtype, {});
    case DType::kUInt32: return constant(one<uint32_t>(value), dtype, {});
    case DType::kInt16: return constant(one<int16_t>(value), dtype, {});
    case DType::kUInt16: return constant(one<uint16_t>(value), dtype, {});
    case DType::kInt8: return constant(one<int8_t>(value), dtype, {});
    case DType::kUInt8: return constant(one<uint8_t>(value), dtype, {});
    case DType::kBool: return constant(std::vector<uint8_t>{static_cast<uint8_t>(value != 0)}, dtype, {});
    default: return error(ErrorCode::kUnsupported, fmt::format("no constants of type {}", dtype_name(dtype)));
  }
}

// ---- what is known ----

const ConstData* GraphBuilder::data_of(ValueId id, size_t trial) const {
  if (id == kNoValue) return nullptr;
  const Value& v = graph().value(id);
  if (v.is_const) return &v.data;
  return known(id).has_data[trial] ? &known(id).data[trial] : nullptr;
}

const Node* GraphBuilder::producer(ValueId id) const {
  if (id == kNoValue || producer_[static_cast<size_t>(id)] < 0) return nullptr;
  return &graph().node(producer_[static_cast<size_t>(id)]);
}

bool GraphBuilder::has_rank(ValueId id) const { return id != kNoValue && known(id).ranked; }
int GraphBuilder::rank(ValueId id) const { return has_rank(id) ? static_cast<int>(known(id).shape[0].size()) : -1; }

int32_t GraphBuilder::dim(ValueId id, int axis) const {
  if (!has_rank(id)) return -1;
  if (axis < 0) axis += rank(id);
  if (axis < 0 || axis >= rank(id)) return -1;
  const auto& shapes = known(id).shape;
  const auto i = static_cast<size_t>(axis);
  return shapes[0][i] == shapes[1][i] ? shapes[0][i] : -1;
}

Shape GraphBuilder::shape(ValueId id) const {
  Shape result;
  for (int i = 0; i < rank(id); ++i) result.push_back(dim(id, i));
  return result;
}

bool GraphBuilder::is_static(ValueId id) const { return has_rank(id) && known(id).shape[0] == known(id).shape[1]; }

std::optional<std::vector<int64_t>> GraphBuilder::int_values(ValueId id) const {
  const ConstData *a = data_of(id, 0), *b = data_of(id, 1);
  if (a == nullptr || b == nullptr) return std::nullopt;
  auto values = integers(dtype(id), *a);
  if (a != b && values != integers(dtype(id), *b)) return std::nullopt;
  return values;
}

std::optional<std::vector<int64_t>> GraphBuilder::partial_int_values(ValueId id) const {
  const ConstData *a = data_of(id, 0), *b = data_of(id, 1);
  if (a == nullptr || b == nullptr) return std::nullopt;
  auto first = integers(dtype(id), *a);
  const auto second = integers(dtype(id), *b);
  if (!first || !second || first->size() != second->size()) return std::nullopt;
  for (size_t i = 0; i < first->size(); ++i) {
    if ((*first)[i] != (*second)[i]) (*first)[i] = -1;
  }
  return first;
}

std::optional<std::vector<double>> GraphBuilder::number_values(ValueId id) const {
  if (!is_const(id)) return std::nullopt;
  if (dtype(id) == DType::kFloat32) {
    const auto values = value(id).data.as<float>();
    return std::vector<double>(values.begin(), values.end());
  }
  const auto values = int_values(id);
  if (!values) return std::nullopt;
  return std::vector<double>(values->begin(), values->end());
}

bool GraphBuilder::non_negative(ValueId id) const {
  for (int depth = 0; depth < 32; ++depth) {
    const Node* node = producer(id);
    if (node == nullptr) return false;
    switch (node->op) {
      case Op::RELU:
      case Op::RELU6:
      case Op::RELU_0_TO_1:
      case Op::LOGISTIC:
      case Op::ABS:
      case Op::SQUARE:
      case Op::SQRT:
      case Op::EXP:
      case Op::SOFTMAX: return true;
      case Op::TRANSPOSE:
      case Op::RESHAPE:
      case Op::MAX_POOL_2D:
      case Op::AVERAGE_POOL_2D: id = node->inputs[0]; break;
      case Op::CONCATENATION: {
        return std::all_of(node->inputs.begin(), node->inputs.end(), [&](ValueId x) {
          const Node* made = producer(x);
          return made != nullptr && made->op != Op::CONCATENATION && non_negative(x);
        });
      }
      default: return false;
    }
  }
  return false;
}

void GraphBuilder::set_shape(ValueId id, const Shape& shape) {
  Known& k = known(id);
  k.ranked = true;
  k.shape = {shape, shape};
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] >= 0) continue;
    const auto size = fresh_size();
    k.shape[0][i] = size[0];
    k.shape[1][i] = size[1];
  }
  publish_shape(id);
}

void GraphBuilder::set_shape_like(ValueId id, const GraphBuilder& from, ValueId other) {
  const Known& source = from.known(other);
  known(id).ranked = source.ranked;
  known(id).shape = source.shape;
  fresh_ = std::max(fresh_, from.fresh_);  // a new size is neither ours nor theirs
  publish_shape(id);
}

bool GraphBuilder::same_shape(ValueId id, const GraphBuilder& from, ValueId other) const {
  return known(id).ranked == from.known(other).ranked && known(id).shape == from.known(other).shape;
}

void GraphBuilder::release_unread(size_t values, size_t nodes, std::span<const ValueId> kept) {
  std::set<ValueId> read(kept.begin(), kept.end());
  for (NodeId id : graph().order()) {
    if (static_cast<size_t>(id) < nodes) continue;
    const Node& node = graph().node(id);
    read.insert(node.inputs.begin(), node.inputs.end());
  }
  for (const auto& [ints, id] : int_constants_) read.insert(id);
  for (size_t i = values; i < graph().value_count(); ++i) {
    Value& value = graph().value(static_cast<ValueId>(i));
    if (!value.is_const || read.count(static_cast<ValueId>(i)) != 0) continue;
    value.is_const = false;
    value.data = {};
  }
}

void GraphBuilder::publish_shape(ValueId id) {
  const Known& k = known(id);
  Value& value = graph().value(id);
  value.has_rank = k.ranked;
  value.shape.clear();
  value.shape_signature.clear();
  if (!k.ranked) return;
  const Shape now = shape(id);
  for (int32_t size : now) value.shape.push_back(size < 0 ? 1 : size);
  if (value.shape != now) value.shape_signature = now;
}

}  // namespace fewbits::formats
