// fewbits convert: a model of any format in, a .tflite file out.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "fewbits/convert.h"
#include "flags.h"
#include "interrupt.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits convert model.onnx -o model.tflite\n"
    "      images become channels-last at inputs and outputs, too; --keep-layout leaves them as they are\n"
    "  fewbits convert model.onnx -o model.tflite --shape input=1,3,224,224\n"
    "      fixes what the model leaves open; -1 keeps a size open\n"
    "  fewbits convert int8.tflite -o int8_model.c --emit c\n"
    "      a C array for a microcontroller's flash: int8_model[], and its size int8_model_size";

struct Flags {
  std::string input, output;
  ImportFlags import;
  std::string emit = "tflite";
  bool print_passes = false;
};

struct Summary {
  size_t operators = 0, constant_bytes = 0;
  std::map<std::string, size_t> by_type;
  std::vector<SignatureDescription> signatures;
};

Summary summarize(const Model& model) {
  const ModelDescription description = describe_model(model);
  Summary summary;
  summary.constant_bytes = description.constant_bytes;
  summary.signatures = description.signatures;
  for (const SubgraphDescription& graph : description.subgraphs) {
    for (const OperatorDescription& op : graph.operators) {
      ++summary.operators;
      ++summary.by_type[op.type];
    }
  }
  return summary;
}

Json tensors_json(const std::vector<TensorSpec>& tensors) {
  Json list = Json::array();
  for (const TensorSpec& t : tensors) {
    list.push_back({{"name", t.label()}, {"type", dtype_name(t.dtype)}, {"shape", t.shape}});
  }
  return list;
}

void print_summary_json(const Flags& flags, const ConvertResult& result, const Summary& summary) {
  Json operators = Json::object(), passes = Json::object(), signatures = Json::array();
  for (const auto& [type, count] : summary.by_type) operators[type] = count;
  for (const PassCount& pass : result.passes) passes[pass.name] = pass.changes;
  for (const SignatureDescription& s : summary.signatures) {
    signatures.push_back({{"key", s.key}, {"inputs", tensors_json(s.inputs)}, {"outputs", tensors_json(s.outputs)}});
  }
  print_json({{"input", flags.input},
              {"format", result.format},
              {"output", flags.output},
              {"operators", operators},
              {"constant_bytes", summary.constant_bytes},
              {"signatures", signatures},
              {"passes", passes},
              {"warnings", result.warnings}});
}

void print_passes(const ConvertResult& result) {
  Table table({{"", Table::Align::kRight}, {""}});
  for (const PassCount& pass : result.passes) {
    if (pass.changes > 0) table.add({fmt::format("{}", pass.changes), pass.name});
  }
  fmt::print("passes, and how often each changed something:\n");
  table.print(2);
}

// The array is named after the file: "int8-model.c" holds int8_model.
Status save_as_c(const Model& model, const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string();
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.' || c == ' '; }, '_');
  const auto text = model_as_c(model, name);
  if (!text) return tl::unexpected<Error>(text.error());
  std::ofstream file(path, std::ios::binary);
  file << *text;
  file.close();
  if (!file) return tl::unexpected<Error>(Error{ErrorCode::kIo, fmt::format("{}: cannot be written", path)});
  return {};
}

Status run(const Flags& flags, const CommonFlags& common) {
  const auto result = convert_file(flags.input, flags.import.options());
  if (!result) return tl::unexpected<Error>(result.error());
  {
    const WritingOutput guard;
    const Status saved =
        flags.emit == "c" ? save_as_c(*result->model, flags.output) : save_model(*result->model, flags.output);
    if (!saved) return saved;
  }
  const Summary summary = summarize(*result->model);
  if (common.json) {
    print_summary_json(flags, *result, summary);
    return {};
  }
  if (common.quiet) return {};
  fmt::print("{} ({}) -> {}: {}, {} of constants\n", flags.input, result->format, flags.output,
             count_text(summary.operators, "operator"), bytes_text(summary.constant_bytes));
  for (const SignatureDescription& s : summary.signatures) {
    for (const auto& [title, list] : {std::pair("in", &s.inputs), std::pair("out", &s.outputs)}) {
      for (const TensorSpec& t : *list) {
        fmt::print("  {:<3} {} {} {}\n", title, t.label(), dtype_name(t.dtype), shape_text(t.shape));
      }
    }
  }
  if (flags.print_passes) print_passes(*result);
  for (const std::string& warning : result->warnings) fmt::print("warning: {}\n", warning);
  return {};
}

}  // namespace

void add_convert(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      add_command(app, common, "convert", "Turn a model of another format into a .tflite file", kExamples);
  command->add_option("IN", flags->input, "The model: " + import_formats())->required();
  command->add_option("-o,--output", flags->output, "Where the model goes")->type_name("OUT")->required();
  command->add_option("--emit", flags->emit, "tflite (the default), or c: the same file as a C array named after OUT")
      ->type_name("tflite|c")
      ->check(CLI::IsMember({"tflite", "c"}));
  flags->import.add(*command, true);
  command->add_flag("--print-passes", flags->print_passes, "Say what each clean-up pass changed");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
