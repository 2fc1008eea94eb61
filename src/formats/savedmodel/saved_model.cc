// Which of a SavedModel's graphs and signatures is meant, and the map from variables to the checkpoint.
#include "formats/savedmodel/saved_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/file.h"

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

Result<const tf::MetaGraphDef*> choose_graph(const tf::SavedModel& model, const std::vector<std::string>& tags,
                                             const std::string& path) {
  const std::set<std::string> wanted(tags.begin(), tags.end());
  std::vector<std::string> there;
  const tf::MetaGraphDef* serving = nullptr;
  for (const auto& graph : model.meta_graphs()) {
    const auto& list = graph.meta_info_def().tags();
    const std::set<std::string> has(list.begin(), list.end());
    if (!tags.empty() && has == wanted) return &graph;
    if (has == std::set<std::string>{"serve"}) serving = &graph;
    there.push_back(fmt::format("{}", fmt::join(has, "+")));
  }
  if (tags.empty() && serving != nullptr) return serving;
  if (tags.empty() && model.meta_graphs_size() == 1) return &model.meta_graphs(0);
  return fail(ErrorCode::kNotFound, "{}: has no graph tagged {}; there {} {}: choose with --tags", path,
              tags.empty() ? "serve" : fmt::format("{}", fmt::join(wanted, "+")), there.size() == 1 ? "is" : "are",
              join(there));
}

Result<const tf::MetaGraphDef::SignatureEntry*> choose_signature(const tf::MetaGraphDef& graph,
                                                                 const std::string& wanted, const std::string& path) {
  std::vector<std::string> there;
  const tf::MetaGraphDef::SignatureEntry* serving = nullptr;
  const tf::MetaGraphDef::SignatureEntry* only = nullptr;
  for (const auto& entry : graph.signature_def()) {
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

using NodesByName = std::unordered_map<std::string_view, const tf::NodeDef*>;

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

// The key that a restored value has in the checkpoint; empty when it is not one.
std::string restored_key(const NodesByName& nodes, std::string_view input) {
  for (int steps = 0; steps < 8; ++steps) {
    const auto found = nodes.find(node_of(input));
    if (found == nodes.end()) return {};
    const tf::NodeDef& node = *found->second;
    if (node.op() == "Identity" && node.input_size() > 0) {
      input = node.input(0);
      continue;
    }
    if (node.op() != "RestoreV2" || node.input_size() < 2) return {};
    const auto names = nodes.find(node_of(node.input(1)));
    if (names == nodes.end()) return {};
    for (const auto& attr : names->second->attr()) {
      if (attr.key() != "value") continue;
      const auto& texts = attr.value().tensor().string_val();
      const int index = index_of(input);
      return index >= 0 && index < texts.size() ? texts.Get(index) : std::string();
    }
    return {};
  }
  return {};
}

// Adds what the assignments in `list` restore. `variable_of` turns an assignment's target into a variable's node name.
template <class List, class VariableOf>
void collect_restored(const List& list, const VariableOf& variable_of, std::map<std::string, std::string>& keys) {
  NodesByName nodes;
  for (const auto& node : list) nodes.emplace(node.name(), &node);
  for (const auto& node : list) {
    if ((node.op() != "AssignVariableOp" && node.op() != "Assign") || node.input_size() < 2) continue;
    const std::string variable = variable_of(node_of(node.input(0)));
    std::string key = variable.empty() ? std::string() : restored_key(nodes, node.input(1));
    if (!key.empty()) keys.emplace(variable, std::move(key));
  }
}

// TensorFlow 1 restores in the graph itself, TensorFlow 2 in a function that gets the variables as arguments.
std::map<std::string, std::string> restored_variables(const tf::MetaGraphDef& meta) {
  std::map<std::string, std::string> keys;
  const tf::GraphDef& graph = meta.graph_def();
  collect_restored(graph.node(), [](std::string_view name) { return std::string(name); }, keys);
  const std::string restore_op(node_of(meta.saver_def().restore_op_name()));
  for (const auto& call : graph.node()) {
    if (call.name() != restore_op) continue;
    std::string function_name;
    for (const auto& attr : call.attr()) {
      if (attr.key() == "f") function_name = attr.value().func().name();
    }
    for (const auto& function : graph.library().function()) {
      if (function_name.empty() || function.signature().name() != function_name) continue;
      std::unordered_map<std::string_view, std::string> argument_variable;
      for (int i = 0; i < function.signature().input_arg_size() && i < call.input_size(); ++i)
        argument_variable.emplace(function.signature().input_arg(i).name(), node_of(call.input(i)));
      collect_restored(
          function.node_def(),
          [&](std::string_view name) {
            const auto found = argument_variable.find(name);
            return found == argument_variable.end() ? std::string() : found->second;
          },
          keys);
    }
  }
  return keys;
}

// Variables that nothing restores: by their shared name as a key, or as a name in the checkpoint's object graph.
Status add_by_name(const tf::GraphDef& graph, const TensorBundle& bundle, std::map<std::string, std::string>& keys) {
  FB_ASSIGN(const auto by_name, bundle.keys_by_variable_name());
  for (const auto& node : graph.node()) {
    if (node.op() != "VarHandleOp" && node.op() != "VariableV2" && node.op() != "Variable") continue;
    if (keys.count(node.name()) != 0) continue;
    std::string shared = node.name();
    for (const auto& attr : node.attr()) {
      if (attr.key() == "shared_name" && !attr.value().s().empty()) shared = attr.value().s();
    }
    if (bundle.contains(shared)) {
      keys.emplace(node.name(), shared);
    } else if (const auto found = by_name.find(shared); found != by_name.end()) {
      keys.emplace(node.name(), found->second);
    }
  }
  return {};
}

// A GraphDef says no ends: its placeholders go in, and what nothing reads comes out.
void find_ends(SourceGraph& source) {
  std::set<std::string_view> read;
  for (const auto& node : source.graph->node()) {
    for (const auto& input : node.input()) {
      if (input.empty() || input[0] != '^') read.insert(node_of(input));
    }
  }
  for (const auto& node : source.graph->node()) {
    if (node.op() == "Placeholder") {
      Endpoint end{node.name(), node.name() + ":0", tf::DT_INVALID, nullptr};
      for (const auto& attr : node.attr()) {
        if (attr.key() == "dtype") end.dtype = attr.value().type();
        if (attr.key() == "shape") end.shape = &attr.value().shape();
      }
      source.inputs.push_back(std::move(end));
    } else if (read.count(node.name()) == 0 && node.op() != "NoOp" && node.op() != "Const" && node.op() != "Assert") {
      source.outputs.push_back({node.name(), node.name() + ":0", tf::DT_INVALID, nullptr});
    }
  }
}

struct Parsed {
  SourceGraph source;
  const tf::MetaGraphDef* meta = nullptr;
};

Result<Parsed> parse(std::span<const uint8_t> bytes, const std::string& path, const OpenOptions& options) {
  if (bytes.empty() || bytes.size() > INT32_MAX)
    return fail(ErrorCode::kInvalidModel, "{}: {} bytes cannot be a protobuf message", path, bytes.size());
  const auto unreadable = [&](const char* what) {
    return fail(ErrorCode::kInvalidModel, "{}: cannot be read as {}: the file is cut off or damaged", path, what);
  };
  Parsed out;
  out.source.path = path;
  // A SavedModel begins with its schema version, a number; a GraphDef with a node or a library, a message.
  if (bytes[0] != 0x08 && bytes[0] != 0x12) {
    auto graph = std::make_shared<tf::GraphDef>();
    if (!graph->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || graph->node_size() == 0)
      return unreadable("a GraphDef");
    out.source.graph = graph.get();
    out.source.owner = std::move(graph);
    find_ends(out.source);
    return out;
  }
  auto model = std::make_shared<tf::SavedModel>();
  if (!model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || model->meta_graphs_size() == 0)
    return unreadable("a SavedModel");
  FB_ASSIGN(out.meta, choose_graph(*model, options.tags, path));
  FB_ASSIGN(const auto* signature, choose_signature(*out.meta, options.signature, path));
  out.source.signature = signature->key();
  FB_ASSIGN(out.source.inputs, endpoints(signature->value().inputs(), path));
  FB_ASSIGN(out.source.outputs, endpoints(signature->value().outputs(), path));
  out.source.graph = &out.meta->graph_def();
  out.source.ops = &out.meta->meta_info_def().stripped_op_list();
  out.source.owner = std::move(model);
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
  if (parsed.meta == nullptr) return std::move(source);
  const bool has_variables =
      std::any_of(source.graph->node().begin(), source.graph->node().end(), [](const auto& node) {
        return node.op() == "VarHandleOp" || node.op() == "VariableV2" || node.op() == "Variable";
      });
  if (has_variables) {
    const std::string parent = folder ? path : path.substr(0, path.rfind('/') + 1) + ".";
    FB_ASSIGN(source.bundle, TensorBundle::open(parent + "/variables/variables"));
    source.variable_keys = restored_variables(*parsed.meta);
    FB_TRY(add_by_name(*source.graph, *source.bundle, source.variable_keys));
  }
  return std::move(source);
}

}  // namespace fewbits::savedmodel
