// Reads .tflite files into a Model: flatbuffer verification first, then one pass over tables, then the Model's own rules.
#include "formats/tflite/reader.h"

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "formats/tflite/zip_trailer.h"
#include "schema/tflite.h"

namespace fewbits::tflite_format {
namespace {

constexpr uint32_t kSchemaVersion = 3;
constexpr size_t kMaxFlatbuffer = (size_t{1} << 31) - 1;
constexpr flatbuffers::uoffset_t kMaxDepth = 64, kMaxTables = 1u << 24;

std::string text(const flatbuffers::String* string) { return string == nullptr ? std::string() : string->str(); }

template <class T, class V>
std::vector<T> list(const flatbuffers::Vector<V>* vector) {
  return vector == nullptr ? std::vector<T>() : std::vector<T>(vector->begin(), vector->end());
}

class Reader {
 public:
  Reader(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner) : bytes_(bytes), owner_(std::move(owner)) {}

  Result<Model> read() {
    FB_TRY(check_flatbuffer());
    Model model;
    model.description = text(root_->description());
    FB_TRY(read_buffers());
    FB_TRY(read_opcodes());
    FB_TRY(read_graphs(model));
    FB_TRY(read_signatures(model));
    FB_TRY(read_metadata(model));
    read_external(model);
    const uint64_t zip = find_zip(bytes_);
    if (zip < bytes_.size()) {
      model.trailer = ConstData(bytes_.subspan(zip), owner_);
      model.trailer_offset = zip;
    }
    FB_TRY(verify(model));
    return model;
  }

 private:
  Status check_flatbuffer() {
    if (bytes_.size() < 8 || !tflite::ModelBufferHasIdentifier(bytes_.data())) {
      return fail(ErrorCode::kInvalidModel, "this is not a .tflite file: it does not carry the identifier TFL3");
    }
    flatbuffers::Verifier verifier(bytes_.data(), std::min(bytes_.size(), kMaxFlatbuffer), kMaxDepth, kMaxTables);
    if (!tflite::VerifyModelBuffer(verifier)) {
      return fail(ErrorCode::kInvalidModel,
                  "the file is damaged or cut short: its tables point outside it, or to numbers that are not aligned "
                  "({} bytes)",
                  bytes_.size());
    }
    root_ = tflite::GetModel(bytes_.data());
    if (root_->version() != kSchemaVersion) {
      return fail(ErrorCode::kInvalidModel, "schema version {} cannot be read, only {}", root_->version(),
                  kSchemaVersion);
    }
    return {};
  }

  // Bytes at an offset of the whole file: how models past 2 GB keep their data.
  Result<ConstData> outside(uint64_t offset, uint64_t size, const char* what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      return fail(ErrorCode::kInvalidModel, "{} lies at bytes {} to {} of a file of {}", what, offset, offset + size,
                  bytes_.size());
    }
    return ConstData(bytes_.subspan(offset, size), owner_);
  }

  Status read_buffers() {
    if (root_->buffers() == nullptr) return {};
    for (const tflite::Buffer* buffer : *root_->buffers()) {
      if (buffer->offset() > 1 && buffer->size() > 0) {
        FB_ASSIGN(ConstData data, outside(buffer->offset(), buffer->size(), "a buffer"));
        buffers_.push_back(aligned(std::move(data)));
      } else if (buffer->data() != nullptr) {
        buffers_.push_back(aligned(ConstData({buffer->data()->data(), buffer->data()->size()}, owner_)));
      } else {
        buffers_.emplace_back();
      }
    }
    return {};
  }

  // Old writers aligned buffers to 4 bytes; wider elements need a copy then.
  static ConstData aligned(ConstData data) {
    if (data.empty() || reinterpret_cast<uintptr_t>(data.bytes().data()) % 8 == 0) return data;
    std::vector<uint64_t> copy((data.bytes().size() + 7) / 8);
    std::memcpy(copy.data(), data.bytes().data(), data.bytes().size());
    const auto owner = std::make_shared<const std::vector<uint64_t>>(std::move(copy));
    return ConstData({reinterpret_cast<const uint8_t*>(owner->data()), data.bytes().size()}, owner);
  }

  Result<ConstData> buffer(uint32_t index, const std::string& what) const {
    if (index == 0 && buffers_.empty()) return ConstData();
    if (index >= buffers_.size()) {
      return fail(ErrorCode::kInvalidModel, "{} refers to buffer {}, but there are {}", what, index, buffers_.size());
    }
    return buffers_[index];
  }

  Status read_opcodes() {
    if (root_->operator_codes() == nullptr) return {};
    for (const tflite::OperatorCode* code : *root_->operator_codes()) {
      // Old files set only the byte-sized field, new ones both.
      const int32_t builtin =
          std::max<int32_t>(code->deprecated_builtin_code(), static_cast<int32_t>(code->builtin_code()));
      if (builtin < 0 || builtin >= kOpCount) {
        return fail(ErrorCode::kUnsupported,
                    "the model uses builtin operator code {}, and this fewbits knows codes up to {}", builtin,
                    kOpCount - 1);
      }
      Node node;
      node.op = static_cast<Op>(builtin);
      node.version = code->version();
      node.custom_code = text(code->custom_code());
      opcodes_.push_back(std::move(node));
    }
    return {};
  }

  Result<Value> read_tensor(const tflite::Tensor* tensor) const {
    Value value;
    value.name = text(tensor->name());
    value.dtype = static_cast<DType>(tensor->type());
    if (value.dtype < DType::kFloat32 || value.dtype > DType::kFloat8E5M2) {
      return fail(ErrorCode::kInvalidModel, "tensor '{}' has the unknown type {}", value.name,
                  static_cast<int>(value.dtype));
    }
    value.shape = list<int32_t>(tensor->shape());
    value.shape_signature = list<int32_t>(tensor->shape_signature());
    value.has_rank = tensor->has_rank();
    value.is_variable = tensor->is_variable();
    value.external_buffer = tensor->external_buffer();
    FB_ASSIGN(value.data, buffer(tensor->buffer(), fmt::format("tensor '{}'", value.name)));
    value.is_const = !value.data.empty() && !value.is_variable;
    if (const auto* quant = tensor->quantization()) {
      value.quant.min = list<float>(quant->min());
      value.quant.max = list<float>(quant->max());
      value.quant.scale = list<float>(quant->scale());
      value.quant.zero_point = list<int64_t>(quant->zero_point());
      value.quant.axis = quant->quantized_dimension();
      if (quant->details_type() != tflite::QuantizationDetails::NONE && quant->details() != nullptr) {
        auto details = std::make_shared<tflite::QuantizationDetailsUnion>();
        details->type = quant->details_type();
        details->value = tflite::QuantizationDetailsUnion::UnPack(quant->details(), quant->details_type(), nullptr);
        value.quant.details = std::move(details);
      }
    }
    if (const auto* sparsity = tensor->sparsity()) {
      std::shared_ptr<tflite::SparsityParametersT> unpacked(sparsity->UnPack());
      for (auto& dimension : unpacked->dim_metadata) {  // a list's type without the list is no list
        if (dimension->array_segments.value == nullptr) dimension->array_segments.Reset();
        if (dimension->array_indices.value == nullptr) dimension->array_indices.Reset();
      }
      value.sparsity = std::move(unpacked);
    }
    if (const auto* variants = tensor->variant_tensors()) {
      for (const tflite::VariantSubType* variant : *variants) value.variant_tensors.emplace_back(variant->UnPack());
    }
    return value;
  }

  Result<Node> read_operator(const tflite::Operator* op) const {
    if (op->opcode_index() >= opcodes_.size()) {
      return fail(ErrorCode::kInvalidModel, "an operator uses operator code {}, but there are {}", op->opcode_index(),
                  opcodes_.size());
    }
    Node node = opcodes_[op->opcode_index()];
    node.inputs = list<ValueId>(op->inputs());
    node.outputs = list<ValueId>(op->outputs());
    node.intermediates = list<ValueId>(op->intermediates());
    node.mutating_variable_inputs = list<uint8_t>(op->mutating_variable_inputs());
    node.debug_metadata_index = op->debug_metadata_index();
    if (op->builtin_options() != nullptr) {
      auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
      options->type = op->builtin_options_type();
      options->value = tflite::BuiltinOptionsUnion::UnPack(op->builtin_options(), op->builtin_options_type(), nullptr);
      node.options = std::move(options);
    }
    if (op->builtin_options2() != nullptr) {
      auto options = std::make_shared<tflite::BuiltinOptions2Union>();
      options->type = op->builtin_options2_type();
      options->value =
          tflite::BuiltinOptions2Union::UnPack(op->builtin_options2(), op->builtin_options2_type(), nullptr);
      node.options2 = std::move(options);
    }
    if (op->large_custom_options_offset() > 1) {
      FB_ASSIGN(node.custom_options,
                outside(op->large_custom_options_offset(), op->large_custom_options_size(), "custom options"));
    } else if (op->custom_options() != nullptr) {
      node.custom_options = ConstData({op->custom_options()->data(), op->custom_options()->size()}, owner_);
    }
    return node;
  }

  Status read_graphs(Model& model) const {
    if (root_->subgraphs() == nullptr) return {};
    for (const tflite::SubGraph* subgraph : *root_->subgraphs()) {
      Graph graph;
      graph.name = text(subgraph->name());
      graph.inputs = list<ValueId>(subgraph->inputs());
      graph.outputs = list<ValueId>(subgraph->outputs());
      graph.debug_metadata_index = subgraph->debug_metadata_index();
      if (subgraph->tensors() != nullptr) {
        for (const tflite::Tensor* tensor : *subgraph->tensors()) {
          FB_ASSIGN(Value value, read_tensor(tensor));
          graph.add_value(std::move(value));
        }
      }
      if (subgraph->operators() != nullptr) {
        for (const tflite::Operator* op : *subgraph->operators()) {
          FB_ASSIGN(Node node, read_operator(op));
          graph.add_node(std::move(node));
        }
      }
      FB_TRY(mark_empty_constants(graph));
      model.graphs.push_back(std::move(graph));
    }
    return {};
  }

  // A constant without elements, or a sparse one of zeros, has no bytes to show that it is one: it is what nothing makes.
  static Status mark_empty_constants(Graph& graph) {
    for (const auto* ids : {&graph.inputs, &graph.outputs}) {
      for (ValueId id : *ids) {
        if (!graph.valid(id)) return fail(ErrorCode::kInvalidModel, "subgraph '{}' lists tensor {}", graph.name, id);
      }
    }
    const UseMap uses(graph);
    for (size_t i = 0; i < graph.value_count(); ++i) {
      const auto id = static_cast<ValueId>(i);
      Value& value = graph.value(id);
      if (value.data.empty() && !value.is_variable && uses.producer(id) < 0 && !uses.is_graph_input(id) &&
          (value.sparsity != nullptr || std::find(value.shape.begin(), value.shape.end(), 0) != value.shape.end())) {
        value.is_const = true;
      }
    }
    return {};
  }

  Status read_signatures(Model& model) const {
    if (root_->signature_defs() == nullptr) return {};
    for (const tflite::SignatureDef* def : *root_->signature_defs()) {
      Signature signature;
      signature.key = text(def->signature_key());
      signature.graph = static_cast<int32_t>(def->subgraph_index());
      const auto read_map = [](const auto* map, std::vector<SignatureTensor>& out) {
        if (map == nullptr) return;
        for (const tflite::TensorMap* item : *map)
          out.push_back({text(item->name()), static_cast<ValueId>(item->tensor_index())});
      };
      read_map(def->inputs(), signature.inputs);
      read_map(def->outputs(), signature.outputs);
      model.signatures.push_back(std::move(signature));
    }
    return {};
  }

  Status read_metadata(Model& model) const {
    if (root_->metadata() == nullptr) return {};
    for (const tflite::Metadata* item : *root_->metadata()) {
      FB_ASSIGN(ConstData data, buffer(item->buffer(), fmt::format("metadata '{}'", text(item->name()))));
      model.metadata.push_back({text(item->name()), std::move(data)});
    }
    return {};
  }

  void read_external(Model& model) const {
    if (root_->external_buffer_groups() != nullptr) {
      for (const auto* group : *root_->external_buffer_groups())
        model.external_buffer_groups.push_back(text(group->name()));
    }
    if (root_->external_buffers() != nullptr) {
      for (const auto* b : *root_->external_buffers()) {
        model.external_buffers.push_back({b->id(), b->group(), b->offset(), b->length(), text(b->packing())});
      }
    }
  }

  std::span<const uint8_t> bytes_;
  std::shared_ptr<const void> owner_;
  const tflite::Model* root_ = nullptr;
  std::vector<ConstData> buffers_;
  std::vector<Node> opcodes_;
};

}  // namespace

Result<Model> read_bytes(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner, const std::string& name) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 16 != 0) {  // flatbuffers need their own alignment
    auto copy = std::make_shared<std::vector<uint8_t>>(bytes.begin(), bytes.end());
    bytes = *copy;
    owner = std::move(copy);
  }
  auto model = Reader(bytes, std::move(owner)).read();
  if (!model) return with_context(model.error(), name);
  model->path = name;
  return model;
}

Result<Model> read_file(const std::string& path) {
  FB_ASSIGN(const auto file, MappedFile::open(path));
  FB_ASSIGN(Model model, read_bytes(file->bytes(), file, path));
  model.file = file;
  return model;
}

}  // namespace fewbits::tflite_format
