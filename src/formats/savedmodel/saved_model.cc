// Which of a SavedModel's graphs and signatures is meant, and the map from variables to the checkpoint.
#include "formats/savedmodel/saved_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/file.h"
#include "base/pages.h"

namespace fewbits::savedmodel {
namespace {

constexpr std::string_view kInitSignature = "__saved_model_init_op";

bool is_folder(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string join(const std::vector<std::string>& words) {
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

// A MetaGraphDef whose graph stays where it lies.
struct MetaGraph {
  tf::MetaGraphDef::MetaInfoDef info;
  tf::SaverDef saver;
  std::vector<tf::MetaGraphDef::SignatureEntry> signatures;
  std::vector<ByteSpan> graphs;  // parts of one
};

template <class Message>
bool parse_message(ByteSpan bytes, Message& message) {
  return bytes.size() <= INT32_MAX && message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool parse_meta(ByteSpan bytes, MetaGraph& meta) {
  using Message = tf::MetaGraphDef;
  Fields fields(bytes);
  bool whole = true;
  while (whole && fields.next()) {
    switch (fields.number()) {
      case Message::kMetaInfoDefFieldNumber: whole = parse_message(fields.bytes(), meta.info); break;
      case Message::kGraphDefFieldNumber: meta.graphs.push_back(fields.bytes()); break;
      case Message::kSaverDefFieldNumber: whole = parse_message(fields.bytes(), meta.saver); break;
      case Message::kSignatureDefFieldNumber:
        whole = parse_message(fields.bytes(), meta.signatures.emplace_back());
        break;
      default: break;
    }
  }
  return whole && !fields.damaged();
}

Result<const MetaGraph*> choose_graph(const std::vector<MetaGraph>& graphs, const std::vector<std::string>& tags,
                                      const std::string& path) {
  const std::set<std::string> wanted(tags.begin(), tags.end());
  std::vector<std::string> there;
  const MetaGraph* serving = nullptr;
  for (const auto& graph : graphs) {
    const std::set<std::string> has(graph.info.tags().begin(), graph.info.tags().end());
    if (!tags.empty() && has == wanted) return &graph;
    if (has == std::set<std::string>{"serve"}) serving = &graph;
    there.push_back(fmt::format("{}", fmt::join(has, "+")));
  }
  if (tags.empty() && serving != nullptr) return serving;
  if (tags.empty() && graphs.size() == 1) return graphs.data();
  return fail(ErrorCode::kNotFound, "{}: has no graph tagged {}; there {} {}: choose with --tags", path,
              tags.empty() ? "serve" : fmt::format("{}", fmt::join(wanted, "+")), there.size() == 1 ? "is" : "are",
              join(there));
}

Result<const tf::MetaGraphDef::SignatureEntry*> choose_signature(const MetaGraph& graph, const std::string& wanted,
                                                                 const std::string& path) {
  std::vector<std::string> there;
  const tf::MetaGraphDef::SignatureEntry* serving = nullptr;
  const tf::MetaGraphDef::SignatureEntry* only = nullptr;
  for (const auto& entry : graph.signatures) {
    if (entry.key() == kInitSignature) continue;
    if (entry.key() == (wanted.empty() ? "serving_default" : wanted)) serving = &entry;
    there.push_back(entry.key());
    only = &entry;
  }
  if (serving != nullptr) return serving;
  if (wanted.empty() && there.size() == 1) return only;
  if (there.empty()) {
    return fail(ErrorCode::kNotFound, "{}: has no signature; save it with signatures= or through model.export", path);
  }
  return fail(ErrorCode::kNotFound, "{}: has no signature '{}'; there {} {}: choose with --signature", path,
              wanted.empty() ? "serving_default" : wanted, there.size() == 1 ? "is" : "are", join(there));
}

template <class Entries>
Result<std::vector<Endpoint>> endpoints(const Entries& entries, const std::string& path) {
  std::vector<Endpoint> out;
  for (const auto& entry : entries) {
    const tf::TensorInfo& info = entry.value();
    if (info.encoding_case() != tf::TensorInfo::kName || info.name().empty()) {
      return fail(ErrorCode::kUnsupported, "{}: '{}' is a sparse or composite tensor, which .tflite has no form for",
                  path, entry.key());
    }
    out.push_back({entry.key(), info.name(), info.dtype(), info.has_tensor_shape() ? &info.tensor_shape() : nullptr});
  }
  std::sort(out.begin(), out.end(), [](const Endpoint& a, const Endpoint& b) { return a.key < b.key; });
  return out;
}

// ---- where variables are restored from ----

std::string_view node_of(std::string_view input) { return input.substr(0, input.find(':')); }
int index_of(std::string_view input) {
  const size_t colon = input.rfind(':');
  int index = 0;
  for (char c : colon == std::string_view::npos ? "" : input.substr(colon + 1)) {
    if (c < '0' || c > '9' || index > 100'000'000) return -1;
    index = index * 10 + (c - '0');
  }
  return index;
}

const tf::AttrValue* attribute(const tf::NodeDef& node, std::string_view key) { return Attrs(node.attr()).find(key); }

// What the assignments in a list of nodes restore.
class Restored {
 public:
  explicit Restored(std::span<const NodeView> nodes) : list_(nodes) {
    for (const auto& node : nodes) nodes_.emplace(node.name, &node);
  }

  // Adds it. `variable_of` turns an assignment's target into a variable's node name.
  template <class VariableOf>
  Status collect(const VariableOf& variable_of, std::map<std::string, std::string>& keys) {
    for (const auto& node : list_) {
      if (node.op != "AssignVariableOp" && node.op != "Assign") continue;
      const auto inputs = node.inputs();
      if (inputs.size() < 2) continue;
      const std::string variable = variable_of(node_of(inputs[0]));
      if (variable.empty()) continue;
      FB_ASSIGN(std::string key, key_of(inputs[1]));
      if (!key.empty()) keys.emplace(variable, std::move(key));
    }
    return {};
  }

 private:
  // The key that a restored value has in the checkpoint; empty when it is not one.
  Result<std::string> key_of(std::string_view input) {
    for (int steps = 0; steps < 8; ++steps) {
      const auto found = nodes_.find(node_of(input));
      if (found == nodes_.end()) return std::string();
      const NodeView& node = *found->second;
      const auto inputs = node.inputs();
      if (node.op == "Identity" && !inputs.empty()) {
        input = inputs[0];
        continue;
      }
      if (node.op != "RestoreV2" || inputs.size() < 2) return std::string();
      const auto names = nodes_.find(node_of(inputs[1]));
      if (names == nodes_.end()) return std::string();
      if (names->second != names_of_) {
        FB_ASSIGN(names_, names->second->parse());
        names_of_ = names->second;
      }
      const tf::AttrValue* value = attribute(*names_, "value");
      const int index = index_of(input);
      if (value == nullptr || index < 0 || index >= value->tensor().string_val_size()) return std::string();
      return value->tensor().string_val(index);
    }
    return std::string();
  }

  std::span<const NodeView> list_;
  std::unordered_map<std::string_view, const NodeView*> nodes_;
  // One list of names serves many assignments.
  const NodeView* names_of_ = nullptr;
  std::shared_ptr<const tf::NodeDef> names_;
};

// TensorFlow 1 restores in the graph itself, TensorFlow 2 in a function that gets the variables as arguments.
Result<std::map<std::string, std::string>> restored_variables(const GraphView& graph, const tf::SaverDef& saver) {
  std::map<std::string, std::string> keys;
  FB_TRY(Restored(graph.nodes).collect([](std::string_view name) { return std::string(name); }, keys));
  const std::string_view restore_op = node_of(saver.restore_op_name());
  for (const auto& call : graph.nodes) {
    if (call.name != restore_op) continue;
    FB_ASSIGN(const auto message, call.parse());
    const tf::NameAttrList* called = Attrs(message->attr()).function("f");
    const auto function = called == nullptr ? graph.functions.end() : graph.functions.find(called->name());
    if (function == graph.functions.end()) continue;
    FB_ASSIGN(const Body body, Body::of_function(function->second, called->name(), nullptr));
    const auto inputs = call.inputs();
    FB_TRY(Restored(body.nodes())
               .collect(
                   [&](std::string_view name) {
                     const auto ref = body.resolve(name);
                     const bool given = ref && ref->kind == InputRef::Kind::kArgument &&
                                        static_cast<size_t>(ref->index) < inputs.size();
                     return given ? std::string(node_of(inputs[static_cast<size_t>(ref->index)])) : std::string();
                   },
                   keys));
  }
  return keys;
}

bool is_variable(const NodeView& node) {
  return node.op == "VarHandleOp" || node.op == "VariableV2" || node.op == "Variable";
}

// Variables that nothing restores: by their shared name as a key, or as a name in the checkpoint's object graph.
Status add_by_name(const GraphView& graph, const TensorBundle& bundle, std::map<std::string, std::string>& keys) {
  const auto missing = [&](const NodeView& node) {
    return is_variable(node) && keys.count(std::string(node.name)) == 0;
  };
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), missing)) return {};
  FB_ASSIGN(const auto by_name, bundle.keys_by_variable_name());
  for (const auto& node : graph.nodes) {
    if (!missing(node)) continue;
    FB_ASSIGN(const auto message, node.parse());
    const tf::AttrValue* given = attribute(*message, "shared_name");
    const std::string shared = given == nullptr || given->s().empty() ? std::string(node.name) : given->s();
    if (bundle.contains(shared)) {
      keys.emplace(node.name, shared);
    } else if (const auto found = by_name.find(shared); found != by_name.end()) {
      keys.emplace(node.name, found->second);
    }
  }
  return {};
}

// A GraphDef says no ends: its placeholders go in, and what nothing reads comes out.
Status find_ends(SourceGraph& source) {
  std::unordered_set<std::string_view> read;
  for (const auto& node : source.graph.nodes) {
    for (std::string_view input : node.inputs()) {
      if (input.empty() || input[0] != '^') read.insert(node_of(input));
    }
  }
  auto placeholders = std::make_shared<std::vector<std::shared_ptr<const tf::NodeDef>>>();
  for (const auto& node : source.graph.nodes) {
    const std::string name(node.name);
    if (node.op == "Placeholder") {
      FB_ASSIGN(const auto message, node.parse());
      Endpoint end{name, name + ":0", tf::DT_INVALID, nullptr};
      if (const auto* dtype = attribute(*message, "dtype"); dtype != nullptr) end.dtype = dtype->type();
      if (const auto* shape = attribute(*message, "shape"); shape != nullptr) end.shape = &shape->shape();
      source.inputs.push_back(std::move(end));
      placeholders->push_back(message);
    } else if (read.count(node.name) == 0 && node.op != "NoOp" && node.op != "Const" && node.op != "Assert") {
      source.outputs.push_back({name, name + ":0", tf::DT_INVALID, nullptr});
    }
  }
  source.owner = std::move(placeholders);
  return {};
}

struct Parsed {
  SourceGraph source;
  const MetaGraph* meta = nullptr;
};

Result<Parsed> parse(ByteSpan bytes, const std::string& path, const OpenOptions& options) {
  if (bytes.empty() || bytes.size() > INT32_MAX)
    return fail(ErrorCode::kInvalidModel, "{}: {} bytes cannot be a protobuf message", path, bytes.size());
  const auto unreadable = [&](const char* what) {
    return fail(ErrorCode::kInvalidModel, "{}: cannot be read as {}: the file is cut off or damaged", path, what);
  };
  Parsed out;
  SourceGraph& source = out.source;
  source.path = path;
  // A SavedModel begins with its schema version, a number; a GraphDef with a node or a library, a message.
  if (bytes[0] != 0x08 && bytes[0] != 0x12) {
    if (!source.graph.add(bytes) || source.graph.nodes.empty()) return unreadable("a GraphDef");
    if (Status ends = find_ends(source); !ends) return with_context(std::move(ends.error()), path);
    return out;
  }
  auto graphs = std::make_shared<std::vector<MetaGraph>>();
  Fields fields(bytes);
  while (fields.next()) {
    if (fields.number() == tf::SavedModel::kMetaGraphsFieldNumber &&
        !parse_meta(fields.bytes(), graphs->emplace_back()))
      return unreadable("a SavedModel");
  }
  if (fields.damaged() || graphs->empty()) return unreadable("a SavedModel");
  FB_ASSIGN(out.meta, choose_graph(*graphs, options.tags, path));
  FB_ASSIGN(const auto* signature, choose_signature(*out.meta, options.signature, path));
  source.signature = signature->key();
  FB_ASSIGN(source.inputs, endpoints(signature->value().inputs(), path));
  FB_ASSIGN(source.outputs, endpoints(signature->value().outputs(), path));
  for (ByteSpan part : out.meta->graphs) {
    if (!source.graph.add(part)) return unreadable("a SavedModel");
  }
  source.graph.nodes.shrink_to_fit();
  source.ops = &out.meta->info.stripped_op_list();
  source.owner = std::move(graphs);
  return out;
}

}  // namespace

Result<SourceGraph> parse_source(std::span<const uint8_t> bytes, const std::string& path, const OpenOptions& options) {
  FB_ASSIGN(Parsed parsed, parse(bytes, path, options));
  return std::move(parsed.source);
}

Result<SourceGraph> open_source(const std::string& path, const OpenOptions& options) {
  const bool folder = is_folder(path);
  const std::string file_path = folder ? path + "/saved_model.pb" : path;
  FB_ASSIGN(const auto file, MappedFile::open(file_path));
  FB_ASSIGN(Parsed parsed, parse(file->bytes(), file_path, options));
  SourceGraph& source = parsed.source;
  source.file = file;
  const auto& nodes = source.graph.nodes;
  if (parsed.meta != nullptr && std::any_of(nodes.begin(), nodes.end(), is_variable)) {
    const std::string parent = folder ? path : path.substr(0, path.rfind('/') + 1) + ".";
    FB_ASSIGN(source.bundle, TensorBundle::open(parent + "/variables/variables"));
    auto keys = restored_variables(source.graph, parsed.meta->saver);
    if (!keys) return with_context(std::move(keys.error()), file_path);
    source.variable_keys = std::move(*keys);
    FB_TRY(add_by_name(source.graph, *source.bundle, source.variable_keys));
  }
  forget_pages(file->bytes());
  return std::move(source);
}

}  // namespace fewbits::savedmodel
