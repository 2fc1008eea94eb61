// The walk over an ONNX graph.
#include "formats/onnx/importer.h"

#include <algorithm>

namespace fewbits::onnx {
namespace {

constexpr int64_t kOldestOpset = 7;
constexpr int kMaxFunctionDepth = 32;
constexpr size_t kMostNodes = 250'000;
constexpr size_t kMostNamed = 5;  // nodes named for each unknown operator

std::string node_label(const proto::Node& node) {
  if (!node.name().empty()) return fmt::format("'{}'", node.name());
  return node.output_size() > 0 ? fmt::format("the one that makes '{}'", node.output(0))
                                : std::string("without a name");
}

bool is_default_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

// Copies of nodes in a function body read their attributes from the node that calls it.
void bind_attributes(proto::Node& body, const proto::Function& function, const proto::Node& call) {
  for (int i = body.attribute_size() - 1; i >= 0; --i) {
    proto::Attribute* attribute = body.mutable_attribute(i);
    if (attribute->ref_attr_name().empty()) continue;
    const auto matches = [&](const proto::Attribute& a) { return a.name() == attribute->ref_attr_name(); };
    const auto& given = call.attribute();
    const auto& defaults = function.attribute_proto();
    const auto found = std::find_if(given.begin(), given.end(), matches);
    const auto otherwise = std::find_if(defaults.begin(), defaults.end(), matches);
    if (found == given.end() && otherwise == defaults.end()) {
      body.mutable_attribute()->DeleteSubrange(i, 1);
      continue;
    }
    const std::string name = attribute->name();
    *attribute = found != given.end() ? *found : *otherwise;
    attribute->set_name(name);
  }
}

}  // namespace

const OpEntry* find_entry(const std::string& domain, const std::string& op) {
  using Table = std::map<std::string, const OpEntry*>;
  struct Tables {
    Table standard, contrib, brevitas;
  };
  static const Tables kTables = [] {
    const auto add = [](Table& table, std::span<const OpEntry> entries) {
      for (const OpEntry& entry : entries) table[entry.op] = &entry;
    };
    Tables tables;
    for (const auto& entries : {elementwise_ops(), logic_ops(), shape_ops(), movement_ops(), reduce_ops(), conv_ops(),
                                pool_ops(), norm_ops(), matmul_ops(), resize_ops(), rnn_ops(), quant_ops(),
                                control_ops(), loop_ops(), detection_ops(), signal_ops(), loss_ops()}) {
      add(tables.standard, entries);
    }
    add(tables.contrib, contrib_ops());
    add(tables.brevitas, brevitas_ops());
    return tables;
  }();
  const auto look = [&](const Table& table) -> const OpEntry* {
    const auto found = table.find(op);
    return found == table.end() ? nullptr : found->second;
  };
  if (is_default_domain(domain)) return look(kTables.standard);
  if (domain == "onnx.brevitas" || domain == "finn.custom_op.general" || domain.starts_with("qonnx.custom_op.general"))
    return look(kTables.brevitas);
  if (domain != "com.microsoft") return nullptr;
  // Microsoft's domain holds forms of standard operators under their own names, too.
  const OpEntry* entry = look(kTables.contrib);
  return entry == nullptr ? look(kTables.standard) : entry;
}

ValueId Importer::find(const std::string& name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto value = scope->values.find(name);
    if (value != scope->values.end()) return value->second;
    const auto tensor = scope->tensors.find(name);
    if (tensor == scope->tensors.end()) continue;
    const auto made = constant(*tensor->second, *builder_, name);
    const ValueId id = made ? *made : builder_->error(made.error().code, made.error().message);
    scope->values[name] = id;
    return id;
  }
  return kNoValue;
}

Result<ValueId> Importer::constant(proto::Tensor& tensor, GraphBuilder& builder, const std::string& name) {
  FB_ASSIGN(Constant read, read_tensor(tensor, folder_));
  if (read.clipped) {
    warn(fmt::format("tensor '{}' has int64 values beyond int32, which TFLite computes with: they became the nearest",
                     name));
  }
  return builder.constant(std::move(read.data), read.dtype, std::move(read.shape), name);
}

void Importer::warn(std::string text) {
  if (std::find(warnings_.begin(), warnings_.end(), text) == warnings_.end()) warnings_.push_back(std::move(text));
}

void Importer::enter(proto::Graph& graph) {
  scopes_.emplace_back();
  for (proto::Tensor& tensor : *graph.mutable_initializer()) scopes_.back().tensors[tensor.name()] = &tensor;
}

int64_t Importer::opset_of(const std::string& domain) const {
  for (const proto::OpsetId& id : *opsets_) {
    if (id.domain() == domain || (is_default_domain(id.domain()) && is_default_domain(domain))) return id.version();
  }
  return 1;
}

const proto::Function* Importer::find_function(const proto::Node& node) const {
  for (const proto::Function& function : source_.functions()) {
    if (function.name() == node.op_type() &&
        (function.domain() == node.domain() ||
         (is_default_domain(function.domain()) && is_default_domain(node.domain())))) {
      return &function;
    }
  }
  return nullptr;
}

void Importer::collect_unknown(const google::protobuf::RepeatedPtrField<proto::Node>& nodes,
                               std::map<std::string, std::vector<std::string>>& unknown,
                               std::set<const proto::Function*>& seen, int depth) {
  for (const proto::Node& node : nodes) {
    const proto::Function* function = find_function(node);
    if (function != nullptr) {
      if (depth < kMaxFunctionDepth && seen.insert(function).second) {
        collect_unknown(function->node(), unknown, seen, depth + 1);
      }
    } else if (find_entry(node.domain(), node.op_type()) == nullptr) {
      unknown[node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type()].push_back(
          node_label(node));
    }
    for (const proto::Attribute& attribute : node.attribute()) {
      if (attribute.has_g() && depth < kMaxFunctionDepth)
        collect_unknown(attribute.g().node(), unknown, seen, depth + 1);
    }
  }
}

// All that is unknown in one error.
Status Importer::check_operators() {
  if (source_.opset_import_size() > 0 && opset_of("") < kOldestOpset && opset_of("") > 0) {
    return fail(ErrorCode::kUnsupported,
                "opset {} is older than the oldest that is read, {}: onnx.version_converter lifts it", opset_of(""),
                kOldestOpset);
  }
  std::map<std::string, std::vector<std::string>> unknown;
  std::set<const proto::Function*> seen;
  collect_unknown(source_.graph().node(), unknown, seen, 0);
  if (unknown.empty()) return {};
  std::string list;
  for (const auto& [op, nodes] : unknown) {
    list += fmt::format("\n  {} ({} of them): ", op, nodes.size());
    for (size_t i = 0; i < std::min(nodes.size(), kMostNamed); ++i) list += (i == 0 ? "" : ", ") + nodes[i];
    if (nodes.size() > kMostNamed) list += ", ...";
  }
  return fail(
      ErrorCode::kUnsupported,
      "these operators cannot be said in TFLite's: {}\nleave them out of the exported model, or cut it before them",
      list);
}

Status Importer::add_inputs(proto::Graph& graph, GraphBuilder& builder) {
  std::set<std::string> unused;
  for (const auto& [name, shape] : options_.shapes) unused.insert(name);
  std::string names;
  for (const proto::ValueInfo& info : graph.input()) {
    if (scopes_.back().tensors.count(info.name()) != 0) continue;  // a default value: IR versions before 4 list them
    names += (names.empty() ? "'" : ", '") + info.name() + "'";
    if (!info.type().has_tensor_type()) {
      return fail(ErrorCode::kUnsupported, "input '{}' is a sequence, map or optional: TFLite has tensors only",
                  info.name());
    }
    const proto::TensorType& type = info.type().tensor_type();
    const auto dtype = border_type(type.elem_type());
    if (!dtype) return with_context(dtype.error(), fmt::format("input '{}'", info.name()));
    Shape shape;
    std::vector<std::string> symbols;
    for (const proto::Dimension& dim : type.shape().dim()) {
      const bool fixed = dim.has_dim_value() && dim.dim_value() >= 0 && dim.dim_value() <= INT32_MAX;
      shape.push_back(fixed ? static_cast<int32_t>(dim.dim_value()) : -1);
      symbols.push_back(dim.dim_param());
    }
    const auto given = options_.shapes.find(info.name());
    if (given != options_.shapes.end()) {
      if (given->second.size() != shape.size() && type.has_shape()) {
        return fail(ErrorCode::kInvalidArgument, "input '{}' has {} dimensions, and --shape gives {}", info.name(),
                    shape.size(), given->second.size());
      }
      shape = given->second;
      symbols.resize(shape.size());
      unused.erase(info.name());
    } else if (!type.has_shape()) {
      return fail(ErrorCode::kUnsupported, "input '{}' has no shape: give it with --shape {}=1,2,3", info.name(),
                  info.name());
    }
    if (shape.size() > 8)
      return fail(ErrorCode::kUnsupported, "input '{}' has {} dimensions", info.name(), shape.size());
    const ValueId id = builder.input(info.name(), *dtype, shape, symbols);
    scopes_.back().values[info.name()] = builder.cast(id, inner_type(*dtype));
  }
  if (!unused.empty()) {
    return fail(ErrorCode::kInvalidArgument, "there is no input '{}'; there are {}", *unused.begin(), names);
  }
  return builder.status();
}

Status Importer::map_function(const proto::Function& function, proto::Node& node, GraphBuilder& builder) {
  if (function_depth_ >= kMaxFunctionDepth) {
    return fail(ErrorCode::kInvalidModel, "functions call each other more than {} deep", kMaxFunctionDepth);
  }
  Scope scope;
  for (int i = 0; i < function.input_size() && i < node.input_size(); ++i) {
    if (!node.input(i).empty()) scope.values[function.input(i)] = find(node.input(i));
  }
  auto body = function.node();
  for (proto::Node& inner : body) bind_attributes(inner, function, node);
  // A function sees its own names only.
  std::vector<Scope> outer = std::move(scopes_);
  scopes_.clear();
  scopes_.push_back(std::move(scope));
  const auto* outer_opsets = opsets_;
  if (function.opset_import_size() > 0) opsets_ = &function.opset_import();
  ++function_depth_;
  const Status status = map_nodes(body, builder);
  --function_depth_;
  opsets_ = outer_opsets;
  std::map<std::string, ValueId> results;
  for (int i = 0; i < function.output_size() && i < node.output_size(); ++i) {
    results[node.output(i)] = find(function.output(i));
  }
  scopes_ = std::move(outer);
  FB_TRY(status);
  for (const auto& [name, id] : results) {
    if (!name.empty()) set(name, id);
  }
  return {};
}

Status Importer::map_node(proto::Node& node, GraphBuilder& builder) {
  if (++mapped_ > kMostNodes) {
    return fail(ErrorCode::kUnsupported,
                "with its functions and loops written out, the graph has more than {} operators", kMostNodes);
  }
  if (const proto::Function* function = find_function(node)) return map_function(*function, node, builder);
  const OpEntry* entry = find_entry(node.domain(), node.op_type());
  if (entry == nullptr) return fail(ErrorCode::kUnsupported, "the operator is unknown");
  if (node.output_size() == 0) return fail(ErrorCode::kInvalidModel, "it has no output");
  for (const std::string& input : node.input()) {
    if (!input.empty() && find(input) == kNoValue) {
      return fail(ErrorCode::kInvalidModel, "nothing before it makes its input '{}'", input);
    }
  }
  builder.set_scope(!node.name().empty() ? node.name() : node.output(0));
  Call call(*this, builder, node, opset_of(node.domain() == "com.microsoft" ? "" : node.domain()));
  entry->map(call);
  FB_TRY(builder.status());
  for (int i = 0; i < node.output_size(); ++i) {
    if (!node.output(i).empty() && find(node.output(i)) == kNoValue) {
      return fail(ErrorCode::kUnsupported, "its output {} ('{}') is not one that can be made here", i, node.output(i));
    }
  }
  return {};
}

Status Importer::map_nodes(google::protobuf::RepeatedPtrField<proto::Node>& nodes, GraphBuilder& builder) {
  for (proto::Node& node : nodes) {
    const Status status = map_node(node, builder);
    if (!status) return with_context(status.error(), fmt::format("node {} ({})", node_label(node), node.op_type()));
  }
  return {};
}

std::vector<ValueId> Importer::inline_graph(proto::Graph& graph, GraphBuilder& builder) {
  enter(graph);
  const Status status = map_nodes(*graph.mutable_node(), builder);
  std::vector<ValueId> outputs;
  if (!status) {
    builder.error(status.error().code, status.error().message);
  } else {
    for (const proto::ValueInfo& info : graph.output()) {
      const ValueId id = find(info.name());
      outputs.push_back(id != kNoValue
                            ? id
                            : builder.error(ErrorCode::kInvalidModel,
                                            fmt::format("nothing makes the branch's output '{}'", info.name())));
    }
  }
  scopes_.pop_back();
  return outputs;
}

Status Importer::map_body(proto::Graph& graph, GraphBuilder& builder, std::map<std::string, ValueId> values,
                          std::vector<ValueId>& outputs) {
  std::vector<Scope> outer = std::move(scopes_);
  GraphBuilder* const outer_builder = builder_;
  scopes_.clear();
  scopes_.push_back({std::move(values), {}});
  builder_ = &builder;
  outputs = inline_graph(graph, builder);
  scopes_ = std::move(outer);
  builder_ = outer_builder;
  return builder.status();
}

Status Importer::add_outputs(proto::Graph& graph, GraphBuilder& builder, Model& model) {
  Signature signature;
  signature.key = "serving_default";
  for (ValueId id : builder.graph().inputs) signature.inputs.push_back({builder.value(id).name, id});
  for (const proto::ValueInfo& info : graph.output()) {
    ValueId id = find(info.name());
    if (id == kNoValue) return fail(ErrorCode::kInvalidModel, "nothing makes the output '{}'", info.name());
    if (info.type().has_tensor_type() && info.type().tensor_type().elem_type() != 0) {
      const auto dtype = border_type(info.type().tensor_type().elem_type());
      if (!dtype) return with_context(dtype.error(), fmt::format("output '{}'", info.name()));
      builder.set_scope(info.name());
      id = builder.cast(id, *dtype);
    }
    id = builder.output(id, info.name());
    signature.outputs.push_back({info.name(), id});
  }
  model.signatures.push_back(std::move(signature));
  return builder.status();
}

Result<formats::Imported> Importer::run(const std::string& name) {
  if (!source_.has_graph()) return fail(ErrorCode::kInvalidModel, "there is no graph in it");
  FB_TRY(check_operators());
  formats::Imported out;
  out.model.path = name;
  out.model.description = "converted from ONNX by fewbits";
  out.model.graphs.resize(1);
  proto::Graph& graph = *source_.mutable_graph();
  if (graph.sparse_initializer_size() > 0) {
    return fail(ErrorCode::kUnsupported, "sparse initializers are not read; store the weights dense");
  }
  out.model.main().name = "main";
  GraphBuilder builder(out.model, 0);
  builder_ = &builder;
  enter(graph);
  FB_TRY(add_inputs(graph, builder));
  for (const proto::ValueInfo& info : graph.output()) builder.reserve(info.name());
  FB_TRY(map_nodes(*graph.mutable_node(), builder));
  FB_TRY(add_outputs(graph, builder, out.model));
  FB_TRY(builder.finish());
  out.warnings = std::move(warnings_);
  return out;
}

}  // namespace fewbits::onnx
