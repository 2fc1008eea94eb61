// fewbits inspect: what is in a model, what its bytes go to, and why its operators run as they do.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "fewbits/quantize.h"
#include "fewbits/runtime.h"
#include "flags.h"
#include "report_flags.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits inspect model.tflite\n"
    "      inputs, outputs, signatures, types, and every operator with its shape, parameters and size\n"
    "  fewbits inspect model.tflite --why\n"
    "      for each operator the kernel that runs it here and why not a better one, and why it computes in float";

struct Flags {
  std::string model, signature, page;
  bool why = false;
};

// What --why knows of one operator of the main way in.
struct Why {
  std::string kernel;
  std::vector<std::string> declined;
  std::string in_float;  // why it computes in float
};
using WhyMap = std::map<std::pair<int32_t, int32_t>, Why>;  // by subgraph and operator

struct Inspection {
  ModelDescription model;
  size_t file_bytes = 0;
  WhyMap why;
  std::vector<std::string> notes;  // what --why could not find out
};

std::string affine_text(float scale, int64_t zero_point) {
  if (zero_point == 0) return fmt::format("{:.7g} * q", scale);
  return fmt::format("{:.7g} * (q {} {})", scale, zero_point < 0 ? '+' : '-', std::abs(zero_point));
}

std::string quant_text(const TensorDescription& tensor) {
  if (tensor.scale.empty()) return "";
  if (tensor.scale.size() > 1) return fmt::format("{} scales along {}", tensor.scale.size(), tensor.axis);
  return affine_text(tensor.scale[0], tensor.zero_point.empty() ? 0 : tensor.zero_point[0]);
}

std::string quant_text(const TensorSpec& spec) {
  return spec.scale > 0 ? affine_text(spec.scale, spec.zero_point) : "";
}

// ---- --why ----

void explain_kernels(const ModelPtr& model, const Flags& flags, Inspection& out) {
  const auto signature = describe_signature(*model, flags.signature);
  const auto runtime = Runtime::make(model, {1, flags.signature});
  if (!signature || !runtime) {
    out.notes.push_back("no kernels are shown: " + (runtime ? signature.error() : runtime.error()).message);
    return;
  }
  const auto kernels = (*runtime)->kernels();
  if (kernels.empty())
    out.notes.push_back(
        "no kernels are shown: the model has inputs of dynamic size, and kernels are chosen when it runs");
  for (const KernelChoice& choice : kernels) {
    Why& why = out.why[{signature->subgraph, choice.index}];
    why.kernel = choice.kernel.empty() ? "chosen when it runs" : choice.kernel;
    why.declined = choice.declined;
  }
  if (kernels.empty()) return;
  for (const OperatorDescription& op : out.model.subgraphs[static_cast<size_t>(signature->subgraph)].operators) {
    std::string& kernel = out.why[{signature->subgraph, op.index}].kernel;
    if (kernel.empty()) kernel = "none of its own: part of another operator's, or computed when the plan is made";
  }
}

void explain_float(const ModelPtr& model, Inspection& out) {
  const auto decisions = explain_quantization(*model, {});
  if (!decisions) {
    out.notes.push_back("why operators compute in float is not known: " + decisions.error().message);
    return;
  }
  for (const Decision& decision : *decisions) {
    if (decision.type == "QUANTIZE" || decision.type == "DEQUANTIZE") continue;  // they are the way between
    std::string& reason = out.why[{decision.graph, decision.node}].in_float;
    if (decision.treatment == Treatment::kFloat) {
      reason = decision.help.empty() ? decision.reason : fmt::format("{} ({})", decision.reason, decision.help);
    } else {
      reason = "nothing stands in the way of integers: see fewbits quantize --mode int8";
    }
  }
}

// ---- text ----

void print_interface(const SignatureDescription& signature) {
  Table table({{""}, {""}, {""}, {""}, {""}, {""}});
  for (const auto& [what, specs] : {std::pair("input", &signature.inputs), std::pair("output", &signature.outputs)}) {
    for (const TensorSpec& spec : *specs) {
      table.add({what, spec.label(), dtype_name(spec.dtype), shape_text(spec.shape), quant_text(spec),
                 spec.signature_name.empty() ? "" : fmt::format("tensor {}", spec.name)});
    }
  }
  table.print(2);
}

void print_types(const ModelDescription& model) {
  struct Sum {
    size_t constants = 0, bytes = 0, activations = 0;
  };
  std::map<std::string, Sum> types;
  for (const SubgraphDescription& graph : model.subgraphs) {
    for (const TensorDescription& tensor : graph.tensors) {
      Sum& sum = types[dtype_name(tensor.dtype)];
      ++(tensor.constant ? sum.constants : sum.activations);
      sum.bytes += tensor.constant ? tensor.bytes : 0;
    }
  }
  fmt::print("\ntensors by type\n");
  Table table({{"type"},
               {"constants", Table::Align::kRight},
               {"bytes", Table::Align::kRight},
               {"others", Table::Align::kRight}});
  for (const auto& [type, sum] : types) {
    table.add({type, fmt::format("{}", sum.constants), bytes_text(sum.bytes), fmt::format("{}", sum.activations)});
  }
  table.print(2);
}

void print_operator_types(const ModelDescription& model) {
  struct Sum {
    size_t count = 0, bytes = 0;
  };
  std::map<std::pair<std::string, int32_t>, Sum> types;
  for (const SubgraphDescription& graph : model.subgraphs) {
    for (const OperatorDescription& op : graph.operators) {
      Sum& sum = types[{op.type, op.version}];
      ++sum.count;
      sum.bytes += op.constant_bytes;
    }
  }
  std::vector<std::pair<std::pair<std::string, int32_t>, Sum>> sorted(types.begin(), types.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  fmt::print("\noperators by type\n");
  Table table(
      {{"count", Table::Align::kRight}, {"weights", Table::Align::kRight}, {"share", Table::Align::kRight}, {"type"}});
  for (const auto& [key, sum] : sorted) {
    const double share =
        model.constant_bytes == 0 ? 0 : static_cast<double>(sum.bytes) / static_cast<double>(model.constant_bytes);
    table.add({fmt::format("{}", sum.count), bytes_text(sum.bytes), percent_text(share),
               fmt::format("{} v{}", key.first, key.second)});
  }
  table.print(2);
}

const TensorDescription* tensor_at(const SubgraphDescription& graph, const std::vector<int32_t>& ids, size_t i) {
  if (i >= ids.size() || ids[i] < 0 || static_cast<size_t>(ids[i]) >= graph.tensors.size()) return nullptr;
  return &graph.tensors[static_cast<size_t>(ids[i])];
}

// The types of the operator's inputs, as "float32 int8 float32".
std::string input_types(const SubgraphDescription& graph, const OperatorDescription& op) {
  std::vector<std::string> types;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const TensorDescription* tensor = tensor_at(graph, op.inputs, i);
    types.push_back(tensor == nullptr ? "-" : dtype_name(tensor->dtype));
  }
  constexpr size_t kMostShown = 3;
  if (types.size() > kMostShown) types.resize(kMostShown), types.push_back("...");
  return fmt::format("{}", fmt::join(types, " "));
}

void print_why(const Inspection& inspection, int32_t graph, const OperatorDescription& op) {
  const auto found = inspection.why.find({graph, op.index});
  if (found == inspection.why.end()) return;
  const Why& why = found->second;
  if (!why.kernel.empty()) fmt::print("        kernel    {}\n", why.kernel);
  for (const std::string& declined : why.declined) fmt::print("        declined  {}\n", declined);
  if (!why.in_float.empty()) fmt::print("        in float  {}\n", why.in_float);
}

void print_operators(const Inspection& inspection, size_t g, bool why) {
  const SubgraphDescription& graph = inspection.model.subgraphs[g];
  fmt::print("\n{}\n", inspection.model.subgraphs.size() == 1
                           ? "operators"
                           : fmt::format("operators of subgraph {} '{}'", g, graph.name));
  if (!why) {
    Table table({{"#", Table::Align::kRight},
                 {"operator"},
                 {"inputs"},
                 {"output"},
                 {"shape"},
                 {"stands for"},
                 {"weights", Table::Align::kRight},
                 {"name"}});
    for (const OperatorDescription& op : graph.operators) {
      const TensorDescription* output = tensor_at(graph, op.outputs, 0);
      table.add({fmt::format("{}", op.index), op.type, input_types(graph, op), output ? dtype_name(output->dtype) : "-",
                 output ? shape_text(output->shape) : "", output ? quant_text(*output) : "",
                 op.constant_bytes > 0 ? bytes_text(op.constant_bytes) : "", output ? short_name(output->name) : ""});
    }
    table.print(2);
    return;
  }
  for (const OperatorDescription& op : graph.operators) {
    const TensorDescription* output = tensor_at(graph, op.outputs, 0);
    fmt::print("  {:>4}  {}  ({} -> {}{})  {}\n", op.index, op.type, input_types(graph, op),
               output ? dtype_name(output->dtype) : "-", output ? " " + shape_text(output->shape) : "",
               output ? short_name(output->name) : "");
    print_why(inspection, static_cast<int32_t>(g), op);
  }
}

void print_text(const Inspection& inspection, const Flags& flags, const SignatureDescription& main) {
  const ModelDescription& model = inspection.model;
  fmt::print("{}  {}, {} of constants\n", flags.model, bytes_text(inspection.file_bytes),
             bytes_text(model.constant_bytes));
  if (!model.description.empty()) fmt::print("{}\n", model.description);
  if (model.signatures.empty()) {
    fmt::print("\nno signatures\n");
    print_interface(main);
  }
  for (const SignatureDescription& signature : model.signatures) {
    fmt::print("\nsignature {} (subgraph {})\n", signature.key, signature.subgraph);
    print_interface(signature);
  }
  print_types(model);
  print_operator_types(model);
  for (size_t g = 0; g < model.subgraphs.size(); ++g) print_operators(inspection, g, flags.why);
  if (!model.metadata.empty() || model.trailer_bytes > 0) fmt::print("\nmetadata\n");
  for (const MetadataDescription& item : model.metadata) fmt::print("  {}  {}\n", item.name, bytes_text(item.bytes));
  if (model.trailer_bytes > 0) fmt::print("  a zip archive behind the model  {}\n", bytes_text(model.trailer_bytes));
  for (const std::string& note : inspection.notes) fmt::print("\nnote: {}\n", note);
}

// ---- JSON ----

Json to_json(const std::vector<TensorSpec>& specs) {
  Json list = Json::array();
  for (const TensorSpec& spec : specs) {
    Json item = {
        {"name", spec.label()}, {"tensor", spec.name}, {"dtype", dtype_name(spec.dtype)}, {"shape", spec.shape}};
    if (spec.scale > 0) item["scale"] = spec.scale, item["zero_point"] = spec.zero_point;
    list.push_back(item);
  }
  return list;
}

Json to_json(const TensorDescription& tensor) {
  Json item = {{"name", tensor.name},
               {"dtype", dtype_name(tensor.dtype)},
               {"shape", tensor.shape},
               {"constant", tensor.constant},
               {"bytes", tensor.bytes}};
  if (tensor.variable) item["variable"] = true;
  if (tensor.sparse) item["sparse"] = true;
  if (!tensor.scale.empty())
    item["scale"] = tensor.scale, item["zero_point"] = tensor.zero_point, item["axis"] = tensor.axis;
  return item;
}

Json to_json(const OperatorDescription& op, const Why* why) {
  Json item = {{"operator", op.index}, {"type", op.type},       {"version", op.version},
               {"inputs", op.inputs},  {"outputs", op.outputs}, {"constant_bytes", op.constant_bytes}};
  if (why != nullptr) item["kernel"] = why->kernel, item["declined"] = why->declined, item["in_float"] = why->in_float;
  return item;
}

Json to_json(const Inspection& inspection, const Flags& flags, const SignatureDescription& main) {
  Json signatures = Json::array(), subgraphs = Json::array(), metadata = Json::array();
  for (const SignatureDescription& s : inspection.model.signatures) {
    signatures.push_back(
        {{"key", s.key}, {"subgraph", s.subgraph}, {"inputs", to_json(s.inputs)}, {"outputs", to_json(s.outputs)}});
  }
  for (size_t g = 0; g < inspection.model.subgraphs.size(); ++g) {
    const SubgraphDescription& graph = inspection.model.subgraphs[g];
    Json tensors = Json::array(), operators = Json::array();
    for (const TensorDescription& tensor : graph.tensors) tensors.push_back(to_json(tensor));
    for (const OperatorDescription& op : graph.operators) {
      const auto why = inspection.why.find({static_cast<int32_t>(g), op.index});
      operators.push_back(to_json(op, why == inspection.why.end() ? nullptr : &why->second));
    }
    subgraphs.push_back({{"name", graph.name},
                         {"inputs", graph.inputs},
                         {"outputs", graph.outputs},
                         {"operators", operators},
                         {"tensors", tensors}});
  }
  for (const MetadataDescription& item : inspection.model.metadata)
    metadata.push_back({{"name", item.name}, {"bytes", item.bytes}});
  return {{"path", flags.model},
          {"bytes", inspection.file_bytes},
          {"constant_bytes", inspection.model.constant_bytes},
          {"description", inspection.model.description},
          {"inputs", to_json(main.inputs)},
          {"outputs", to_json(main.outputs)},
          {"signatures", signatures},
          {"subgraphs", subgraphs},
          {"metadata", metadata},
          {"trailer_bytes", inspection.model.trailer_bytes},
          {"notes", inspection.notes}};
}

Status run(const Flags& flags, const CommonFlags& common) {
  const auto model = load_model(flags.model);
  if (!model) return tl::unexpected<Error>(model.error());
  if (!flags.page.empty()) {
    ReportOptions options;
    options.signature = flags.signature;
    const auto report = make_report(*model, options);
    return report ? write_report(*report, flags.page, common) : tl::unexpected<Error>(report.error());
  }
  const auto main = describe_signature(**model, flags.signature);
  if (!main) return tl::unexpected<Error>(main.error());
  Inspection inspection;
  inspection.model = describe_model(**model);
  std::error_code ignored;
  inspection.file_bytes = static_cast<size_t>(std::filesystem::file_size(flags.model, ignored));
  if (flags.why) {
    explain_float(*model, inspection);
    explain_kernels(*model, flags, inspection);
  }
  if (common.json) {
    print_json(to_json(inspection, flags, *main));
  } else if (!common.quiet) {
    print_text(inspection, flags, *main);
  }
  return {};
}

}  // namespace

void add_inspect(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      add_command(app, common, "inspect", "Show what is in a model, and why it runs as it does", kExamples);
  command->add_option("MODEL", flags->model, "A .tflite model")->required();
  command->add_flag("--why", flags->why, "Each operator's kernel, those that declined, and why it computes in float");
  command->add_option("--html", flags->page, "Write a page with the graph, the weights and the times instead")
      ->type_name("HTML");
  add_signature(*command, flags->signature);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
