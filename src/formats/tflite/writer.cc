// Writes a Model as .tflite: constants that share their bytes share a buffer, operator codes are made anew, values that
// nothing refers to are left out.
#include "formats/tflite/writer.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "formats/tflite/zip_trailer.h"
#include "schema/tflite.h"

namespace fewbits::tflite_format {
namespace {

template <class T>
using Offset = flatbuffers::Offset<T>;

constexpr size_t kAlignment = 16;
size_t align_up(size_t at) { return (at + kAlignment - 1) / kAlignment * kAlignment; }

// The buffers of the file: number 0 is the empty one.
class BufferTable {
 public:
  BufferTable() { data_.emplace_back(); }
  uint32_t index_of(const ConstData& data) {
    if (data.empty()) return 0;
    const auto key = std::make_pair(data.identity(), data.bytes().size());
    const auto [at, is_new] = index_.try_emplace(key, static_cast<uint32_t>(data_.size()));
    if (is_new) data_.push_back(data);
    return at->second;
  }
  const std::vector<ConstData>& all() const { return data_; }
  size_t total_bytes() const {
    size_t total = 0;
    for (const ConstData& data : data_) total += align_up(data.bytes().size()) + 64;
    return total;
  }

 private:
  std::vector<ConstData> data_;
  std::map<std::pair<const void*, size_t>, uint32_t> index_;
};

// The fields of quantization details that are numbers of tensors.
std::vector<int32_t*> tensor_fields(tflite::QuantizationDetailsUnion& details) {
  if (auto* blocks = details.AsBlockwiseQuantization()) return {&blocks->scales, &blocks->zero_points};
  if (auto* axes = details.AsMultiAxisQuantization()) return {&axes->scales, &axes->zero_points};
  return {};
}

// Details as they are written: tensors go by other numbers there.
tflite::QuantizationDetailsUnion renumbered(const tflite::QuantizationDetailsUnion& details,
                                            const std::vector<ValueId>& numbers) {
  tflite::QuantizationDetailsUnion copy = details;
  for (int32_t* field : tensor_fields(copy)) {
    const bool known = *field >= 0 && static_cast<size_t>(*field) < numbers.size();
    if (known) *field = numbers[static_cast<size_t>(*field)];
  }
  return copy;
}

// The values that a tensor's parameters name.
std::vector<ValueId> named_by(const QuantParams& quant) {
  std::vector<ValueId> ids;
  if (quant.details == nullptr) return ids;
  tflite::QuantizationDetailsUnion copy = *quant.details;
  for (const int32_t* field : tensor_fields(copy)) ids.push_back(*field);
  return ids;
}

// Which values of a graph are written, and under which number.
std::vector<ValueId> number_values(const Model& model, size_t graph_index) {
  const Graph& graph = model.graphs[graph_index];
  std::vector<ValueId> number(graph.value_count(), kNoValue);
  const auto use = [&](const std::vector<ValueId>& ids) {
    for (ValueId id : ids) {
      if (id != kNoValue) number[static_cast<size_t>(id)] = 0;
    }
  };
  use(graph.inputs);
  use(graph.outputs);
  for (NodeId id : graph.order()) {
    use(graph.node(id).inputs);
    use(graph.node(id).outputs);
    use(graph.node(id).intermediates);
  }
  for (const Signature& signature : model.signatures) {
    if (static_cast<size_t>(signature.graph) != graph_index) continue;
    for (const SignatureTensor& tensor : signature.inputs) number[static_cast<size_t>(tensor.value)] = 0;
    for (const SignatureTensor& tensor : signature.outputs) number[static_cast<size_t>(tensor.value)] = 0;
  }
  // Scales and zero points of weights in blocks are tensors that nothing but the weights' parameters names.
  for (size_t i = 0; i < number.size(); ++i) {
    if (number[i] == kNoValue) continue;
    const Value& value = graph.value(static_cast<ValueId>(i));
    for (ValueId id : named_by(value.quant)) {
      if (graph.valid(id)) number[static_cast<size_t>(id)] = 0;
    }
  }
  ValueId next = 0;
  for (ValueId& n : number) {
    if (n == 0) n = next++;
  }
  return number;
}

class Writer {
 public:
  Writer(const Model& model, const WriteOptions& options) : model_(model), options_(options) {}

  // Builds the flatbuffer; outside() then says what belongs behind it.
  void build() {
    collect();
    external_ = buffers_.total_bytes() + structure_estimate() > options_.max_flatbuffer;
    // Buffers behind the file are found by offsets of fixed width, so building twice gives the same layout with known offsets.
    build_once(0);
    if (external_) build_once(builder_.GetSize());
  }

  Status write(const ByteSink& sink) {
    FB_TRY(write_flatbuffer(sink));
    size_t at = builder_.GetSize();
    static constexpr uint8_t kZeros[kAlignment] = {};
    if (external_) {
      for (const ConstData& data : buffers_.all()) {
        if (data.empty()) continue;
        FB_TRY(sink({kZeros, align_up(at) - at}));
        FB_TRY(sink(data.bytes()));
        at = align_up(at) + data.bytes().size();
      }
    }
    if (model_.trailer.empty()) return {};
    const auto zip = move_zip(model_.trailer.bytes(), model_.trailer_offset,
                              static_cast<int64_t>(at) - static_cast<int64_t>(model_.trailer_offset));
    return sink(zip);
  }

 private:
  // The flatbuffer with every constant in its place. The builder has only left room for them: nobody holds them twice.
  Status write_flatbuffer(const ByteSink& sink) const {
    const std::span<const uint8_t> all(builder_.GetBufferPointer(), builder_.GetSize());
    size_t at = 0;
    // What is built first lies last.
    for (auto hole = holes_.rbegin(); hole != holes_.rend(); ++hole) {
      const size_t begin = all.size() - hole->from_end;
      FB_TRY(sink(all.subspan(at, begin - at)));
      FB_TRY(sink(hole->data.bytes()));
      at = begin + hole->data.bytes().size();
    }
    return sink(all.subspan(at));
  }

  using CodeKey = std::tuple<Op, std::string, int32_t>;

  static CodeKey code_key(const Node& node) { return {node.op, node.custom_code, node.version}; }

  void collect() {
    for (size_t g = 0; g < model_.graphs.size(); ++g) {
      const Graph& graph = model_.graphs[g];
      numbers_.push_back(number_values(model_, g));
      for (size_t i = 0; i < graph.value_count(); ++i) {
        if (numbers_[g][i] != kNoValue) buffers_.index_of(graph.value(static_cast<ValueId>(i)).data);
      }
      for (NodeId id : graph.order()) {
        const auto [at, is_new] =
            codes_.try_emplace(code_key(graph.node(id)), static_cast<uint32_t>(code_order_.size()));
        if (is_new) code_order_.push_back(at->first);
      }
    }
    for (const Metadata& item : model_.metadata) buffers_.index_of(item.data);
  }

  size_t structure_estimate() const {
    size_t estimate = 1 << 16;
    for (const Graph& graph : model_.graphs) estimate += graph.value_count() * 256 + graph.node_count() * 256;
    return estimate;
  }

  void build_once(size_t flatbuffer_size) {
    const size_t expected = structure_estimate() + (external_ ? 0 : buffers_.total_bytes());
    builder_ = flatbuffers::FlatBufferBuilder(expected);
    builder_.ForceDefaults(false);
    zero_points_.clear();
    holes_.clear();
    const auto buffers = write_buffers(flatbuffer_size);
    const auto codes = write_codes();
    std::vector<Offset<tflite::SubGraph>> graphs;
    for (size_t g = 0; g < model_.graphs.size(); ++g) graphs.push_back(write_graph(g));
    const auto graph_list = builder_.CreateVector(graphs);
    const auto metadata = write_metadata();
    const auto signatures = write_signatures();
    const auto description = builder_.CreateString(model_.description);
    const auto groups = write_external_groups();
    const auto externals = write_external_buffers();
    const auto root = tflite::CreateModel(builder_, 3, codes, graph_list, description, buffers, 0, metadata, signatures,
                                          groups, externals);
    tflite::FinishModelBuffer(builder_, root);
  }

  Offset<flatbuffers::Vector<Offset<tflite::Buffer>>> write_buffers(size_t flatbuffer_size) {
    std::vector<Offset<tflite::Buffer>> list;
    size_t at = flatbuffer_size;
    for (const ConstData& data : buffers_.all()) {
      const auto bytes = data.bytes();
      if (bytes.empty()) {
        list.push_back(tflite::CreateBuffer(builder_));
      } else if (external_) {
        at = align_up(at);
        builder_.ForceDefaults(true);  // both fields take their room whatever the numbers
        list.push_back(tflite::CreateBuffer(builder_, 0, at, bytes.size()));
        builder_.ForceDefaults(false);
        at += bytes.size();
      } else {
        builder_.ForceVectorAlignment(bytes.size(), 1, kAlignment);
        uint8_t* room = nullptr;
        const Offset<flatbuffers::Vector<uint8_t>> vector = builder_.CreateUninitializedVector(bytes.size(), &room);
        holes_.push_back({vector.o - sizeof(flatbuffers::uoffset_t), data});
        list.push_back(tflite::CreateBuffer(builder_, vector));
      }
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<tflite::OperatorCode>>> write_codes() {
    std::vector<Offset<tflite::OperatorCode>> list;
    for (const auto& [op, custom, version] : code_order_) {
      const auto code = static_cast<int32_t>(op);
      const auto name = custom.empty() ? 0 : builder_.CreateString(custom);
      list.push_back(tflite::CreateOperatorCode(builder_, static_cast<int8_t>(std::min(code, 127)), name, version,
                                                static_cast<tflite::BuiltinOperator>(code)));
    }
    return builder_.CreateVector(list);
  }

  Offset<tflite::QuantizationParameters> write_quantization(const QuantParams& quant,
                                                            const std::vector<ValueId>& numbers) {
    if (quant.scale.empty() && quant.min.empty() && quant.max.empty() && quant.details == nullptr) return 0;
    const auto floats = [&](const std::vector<float>& values) {
      return values.empty() ? 0 : builder_.CreateVector(values);
    };
    const auto min = floats(quant.min);
    const auto max = floats(quant.max);
    const auto scale = floats(quant.scale);
    std::vector<int64_t> zeros = quant.zero_point;
    if (!quant.scale.empty() && zeros.size() < quant.scale.size()) {  // LiteRT wants one zero point a scale
      zeros.resize(quant.scale.size(), zeros.empty() ? 0 : zeros[0]);
    }
    // Per-axis weights all have zeros: one vector of each length serves every tensor of the file.
    auto& zero_point = zero_points_[zeros];
    if (zero_point.IsNull() && !zeros.empty()) zero_point = builder_.CreateVector(zeros);
    auto type = tflite::QuantizationDetails::NONE;
    Offset<void> details = 0;
    if (quant.details != nullptr) {
      type = quant.details->type;
      details = renumbered(*quant.details, numbers).Pack(builder_);
    }
    return tflite::CreateQuantizationParameters(builder_, min, max, scale, zero_point, type, details, quant.axis);
  }

  Offset<tflite::Tensor> write_tensor(const Value& value, const std::vector<ValueId>& numbers) {
    const auto shape = builder_.CreateVector(value.shape);
    const auto name = builder_.CreateString(value.name);
    const auto quantization = write_quantization(value.quant, numbers);
    const auto sparsity = value.sparsity ? tflite::CreateSparsityParameters(builder_, value.sparsity.get()) : 0;
    const auto signature = value.shape_signature.empty() ? 0 : builder_.CreateVector(value.shape_signature);
    std::vector<Offset<tflite::VariantSubType>> variants;
    for (const auto& variant : value.variant_tensors)
      variants.push_back(tflite::CreateVariantSubType(builder_, variant.get()));
    const auto variant_list = variants.empty() ? 0 : builder_.CreateVector(variants);
    return tflite::CreateTensor(builder_, shape, static_cast<tflite::TensorType>(value.dtype),
                                buffers_.index_of(value.data), name, quantization, value.is_variable, sparsity,
                                signature, value.has_rank, variant_list, value.external_buffer);
  }

  Offset<flatbuffers::Vector<int32_t>> write_ids(const std::vector<ValueId>& ids, const std::vector<ValueId>& numbers) {
    std::vector<int32_t> list;
    for (ValueId id : ids) list.push_back(id == kNoValue ? -1 : numbers[static_cast<size_t>(id)]);
    return builder_.CreateVector(list);
  }

  Offset<tflite::Operator> write_operator(const Node& node, const std::vector<ValueId>& numbers) {
    const auto inputs = write_ids(node.inputs, numbers);
    const auto outputs = write_ids(node.outputs, numbers);
    const auto options = node.options->value == nullptr ? Offset<void>(0) : node.options->Pack(builder_);
    const auto options2 = node.options2->value == nullptr ? Offset<void>(0) : node.options2->Pack(builder_);
    const auto bytes = node.custom_options.bytes();
    const auto custom = bytes.empty() ? 0 : builder_.CreateVector(bytes.data(), bytes.size());
    const auto mutating =
        node.mutating_variable_inputs.empty() ? 0 : builder_.CreateVector(node.mutating_variable_inputs);
    const auto intermediates = node.intermediates.empty() ? 0 : write_ids(node.intermediates, numbers);
    return tflite::CreateOperator(builder_, codes_.at(code_key(node)), inputs, outputs,
                                  options.IsNull() ? tflite::BuiltinOptions::NONE : node.options->type, options, custom,
                                  tflite::CustomOptionsFormat::FLEXBUFFERS, mutating, intermediates, 0, 0,
                                  options2.IsNull() ? tflite::BuiltinOptions2::NONE : node.options2->type, options2,
                                  node.debug_metadata_index);
  }

  Offset<tflite::SubGraph> write_graph(size_t g) {
    const Graph& graph = model_.graphs[g];
    std::vector<Offset<tflite::Tensor>> tensors;
    for (size_t i = 0; i < graph.value_count(); ++i) {
      if (numbers_[g][i] != kNoValue)
        tensors.push_back(write_tensor(graph.value(static_cast<ValueId>(i)), numbers_[g]));
    }
    std::vector<Offset<tflite::Operator>> operators;
    for (NodeId id : graph.order()) operators.push_back(write_operator(graph.node(id), numbers_[g]));
    const auto tensor_list = builder_.CreateVector(tensors);
    const auto inputs = write_ids(graph.inputs, numbers_[g]);
    const auto outputs = write_ids(graph.outputs, numbers_[g]);
    const auto operator_list = builder_.CreateVector(operators);
    const auto name = builder_.CreateString(graph.name);
    return tflite::CreateSubGraph(builder_, tensor_list, inputs, outputs, operator_list, name,
                                  graph.debug_metadata_index);
  }

  Offset<flatbuffers::Vector<Offset<tflite::Metadata>>> write_metadata() {
    if (model_.metadata.empty()) return 0;
    std::vector<Offset<tflite::Metadata>> list;
    for (const Metadata& item : model_.metadata) {
      list.push_back(tflite::CreateMetadata(builder_, builder_.CreateString(item.name), buffers_.index_of(item.data)));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<tflite::SignatureDef>>> write_signatures() {
    if (model_.signatures.empty()) return 0;
    std::vector<Offset<tflite::SignatureDef>> list;
    for (const Signature& signature : model_.signatures) {
      const auto& numbers = numbers_[static_cast<size_t>(signature.graph)];
      const auto map = [&](const std::vector<SignatureTensor>& tensors) {
        std::vector<Offset<tflite::TensorMap>> entries;
        for (const SignatureTensor& tensor : tensors) {
          entries.push_back(tflite::CreateTensorMap(builder_, builder_.CreateString(tensor.name),
                                                    static_cast<uint32_t>(numbers[static_cast<size_t>(tensor.value)])));
        }
        return builder_.CreateVector(entries);
      };
      const auto inputs = map(signature.inputs);
      const auto outputs = map(signature.outputs);
      const auto key = builder_.CreateString(signature.key);
      list.push_back(
          tflite::CreateSignatureDef(builder_, inputs, outputs, key, static_cast<uint32_t>(signature.graph)));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<tflite::ExternalBufferGroup>>> write_external_groups() {
    if (model_.external_buffer_groups.empty()) return 0;
    std::vector<Offset<tflite::ExternalBufferGroup>> list;
    for (const auto& name : model_.external_buffer_groups) {
      list.push_back(tflite::CreateExternalBufferGroup(builder_, builder_.CreateString(name)));
    }
    return builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<tflite::ExternalBuffer>>> write_external_buffers() {
    if (model_.external_buffers.empty()) return 0;
    std::vector<Offset<tflite::ExternalBuffer>> list;
    for (const ExternalBuffer& b : model_.external_buffers) {
      list.push_back(
          tflite::CreateExternalBuffer(builder_, b.id, b.group, b.offset, b.length, builder_.CreateString(b.packing)));
    }
    return builder_.CreateVector(list);
  }

  const Model& model_;
  const WriteOptions& options_;
  struct Hole {
    size_t from_end;  // of the flatbuffer, where the constant's first byte lies
    ConstData data;
  };

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<Hole> holes_;  // as they were built
  BufferTable buffers_;
  std::map<std::vector<int64_t>, Offset<flatbuffers::Vector<int64_t>>> zero_points_;
  std::map<CodeKey, uint32_t> codes_;
  std::vector<CodeKey> code_order_;
  std::vector<std::vector<ValueId>> numbers_;
  bool external_ = false;
};

}  // namespace

Status write_file(const Model& model, const std::string& path, const WriteOptions& options) {
  FB_TRY(verify(model));
  Writer writer(model, options);
  writer.build();
  return write_file_atomically(path, [&](const ByteSink& sink) { return writer.write(sink); });
}

Result<std::vector<uint8_t>> write_bytes(const Model& model, const WriteOptions& options) {
  FB_TRY(verify(model));
  Writer writer(model, options);
  writer.build();
  std::vector<uint8_t> out;
  FB_TRY(writer.write([&](std::span<const uint8_t> bytes) -> Status {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return {};
  }));
  return out;
}

}  // namespace fewbits::tflite_format
