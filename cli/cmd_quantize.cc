// fewbits quantize: a float model in, a small one out, and what became of every operator.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>

#include "fewbits/calibrate.h"
#include "fewbits/quantize.h"
#include "flags.h"
#include "interrupt.h"
#include "progress.h"
#include "report_flags.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits quantize model.tflite -o small.tflite --mode weights\n"
    "      int8 weights, a quarter of the size; needs no data\n"
    "  fewbits quantize model.tflite -o smaller.tflite --mode weights --weight-type int4\n"
    "      int4 weights of FULLY_CONNECTED, each 64 inputs under a scale of their own\n"
    "  fewbits quantize model.tflite -o int8.tflite --mode int8 --calibrate pictures/ --samples 100 --mean 127.5 --std "
    "127.5\n"
    "      integers throughout where that can be, ranges measured on 100 pictures\n"
    "  fewbits quantize model.tflite -o int8.tflite --mode int8 --stats ranges.json\n"
    "      the same with ranges that fewbits calibrate measured before\n"
    "  fewbits quantize model.tflite -o tiny.tflite --mode int8-only --stats ranges.json --input-type uint8 "
    "--output-type uint8\n"
    "      for devices without floating point: lists every operator that stands in the way\n"
    "  fewbits quantize model.tflite -o mixed.tflite --mode int8 --stats ranges.json --exclude 'head/*' --exclude "
    "SOFTMAX\n"
    "      some operators stay in float, chosen by output name or type";

struct Flags {
  std::string input, output, mode, calibrate, stats, input_type, output_type, range = "minmax", signature, page;
  QuantizeOptions options;
  std::string rounding = "mean", weight_type;
  std::optional<size_t> block_size;
  bool per_tensor = false, plain_bias = false, whole_ranges = false;
  PreprocessFlags preprocess;
  SampleFlags samples;
  ThreadFlag threads;
  ImportFlags import;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

QuantizeOptions quantize_options(const Flags& flags) {
  QuantizeOptions options = flags.options;
  options.mode = *mode_from_name(flags.mode);
  options.per_channel = !flags.per_tensor;
  options.rounding = flags.rounding == "nearest" ? WeightRounding::kNearest : WeightRounding::kKeepMeans;
  options.correct_bias = !flags.plain_bias;
  options.cut_ranges = !flags.whole_ranges;
  options.range = flags.range == "average" ? RangeRule::kMovingAverage : RangeRule::kMinMax;
  if (flags.weight_type == "int4") options.weight_type = DType::kInt4;
  options.block_size = flags.block_size.value_or(options.block_size);
  if (!flags.input_type.empty()) options.input_type = *dtype_from_name(flags.input_type);
  if (!flags.output_type.empty()) options.output_type = *dtype_from_name(flags.output_type);
  return options;
}

bool needs_calibration(QuantizeMode mode) { return mode != QuantizeMode::kWeights && mode != QuantizeMode::kFloat16; }

void check_usage(const Flags& flags, QuantizeMode mode) {
  if (!flags.calibrate.empty() && !flags.stats.empty())
    throw UsageError("--calibrate and --stats cannot be given together");
  if (needs_calibration(mode) && flags.calibrate.empty() && flags.stats.empty()) {
    throw UsageError(
        fmt::format("mode {} needs to know the ranges of activations: give data with --calibrate, or the file of an "
                    "earlier fewbits calibrate with --stats",
                    flags.mode));
  }
  if (!flags.page.empty() && flags.calibrate.empty()) {
    throw UsageError("--report runs both models on data: give it with --calibrate");
  }
  if (!needs_calibration(mode)) {
    for (const std::string* type : {&flags.input_type, &flags.output_type}) {
      if (!type->empty() && *type != "float32") {
        throw UsageError(fmt::format(
            "mode {} keeps inputs and outputs in float32; integer ones need an int8 or int16x8 mode", flags.mode));
      }
    }
  }
  if (flags.weight_type == "int4" && mode != QuantizeMode::kWeights) {
    throw UsageError(fmt::format("mode {} has int8 weights; --weight-type int4 needs mode weights", flags.mode));
  }
  if (flags.block_size && flags.weight_type != "int4") throw UsageError("--block-size is for --weight-type int4");
  if (flags.block_size.value_or(0) % 32 != 0) {
    throw UsageError(
        fmt::format("--block-size is a multiple of 32, or 0 for one scale a channel, not {}", *flags.block_size));
  }
  if (!flags.stats.empty() && flags.preprocess.given()) {
    throw UsageError("--stats holds how pictures were prepared, so --resize, --mean and the like cannot be given too");
  }
}

Result<std::optional<Calibration>> calibration(const Flags& flags, const CommonFlags& common, const ModelPtr& model) {
  if (!flags.stats.empty()) {
    auto loaded = Calibration::load(flags.stats);
    if (!loaded) return tl::unexpected<Error>(loaded.error());
    return std::optional(*std::move(loaded));
  }
  auto data = flags.preprocess.open(flags.calibrate);
  if (!data) return tl::unexpected<Error>(data.error());
  Progress progress("calibrating", common);
  CalibrateOptions options{flags.signature, flags.samples.choice(), flags.threads.threads,
                           flags.preprocess.ignore_nonfinite, progress.callback()};
  auto made = calibrate_model(model, *data, options);
  if (!made) return tl::unexpected<Error>(made.error());
  return std::optional(*std::move(made));
}

// Of a folder: of all files in it.
size_t file_size(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    const auto size = std::filesystem::file_size(path, error);
    return error ? 0 : static_cast<size_t>(size);
  }
  size_t sum = 0;
  for (std::filesystem::recursive_directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    std::error_code own;
    const auto size = at->file_size(own);
    if (!own && at->is_regular_file(own)) sum += static_cast<size_t>(size);
  }
  return sum;
}

constexpr Treatment kTreatments[] = {Treatment::kInteger, Treatment::kHybrid, Treatment::kWeightOnly,
                                     Treatment::kFloat};

std::map<Treatment, size_t> count_treatments(const std::vector<Decision>& decisions) {
  std::map<Treatment, size_t> counts;
  for (const Decision& decision : decisions) ++counts[decision.treatment];
  return counts;
}

// Decisions with the same type and reason are one line.
void print_reasons(const std::vector<Decision>& decisions, Treatment treatment, const char* title) {
  struct Group {
    size_t count = 0;
    const Decision* first = nullptr;
  };
  std::map<std::tuple<std::string, std::string, std::string>, Group> groups;
  for (const Decision& decision : decisions) {
    if (decision.treatment != treatment || decision.reason.empty()) continue;
    Group& group = groups[{decision.type, decision.reason, decision.help}];
    if (group.count++ == 0) group.first = &decision;
  }
  if (groups.empty()) return;
  std::vector<Group> sorted;
  for (const auto& [key, group] : groups) sorted.push_back(group);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Group& a, const Group& b) { return a.count > b.count; });
  fmt::print("{}\n", title);
  Table table({{"", Table::Align::kRight}, {""}, {""}});
  for (const Group& group : sorted) {
    const Decision& d = *group.first;
    table.add(
        {fmt::format("{}", group.count), d.type, d.help.empty() ? d.reason : fmt::format("{} ({})", d.reason, d.help)});
  }
  table.print(2);
}

struct Summary {
  const Flags& flags;
  const QuantizeResult& result;
  size_t before, after;
  uint64_t samples;
  double calibrate_seconds, quantize_seconds;
  std::vector<std::string> warnings;
};

double ratio(const Summary& report) {
  return report.before == 0 ? 0 : static_cast<double>(report.after) / static_cast<double>(report.before);
}

void print_text(const Summary& report) {
  const bool smaller = report.after < report.before && report.after > 0;
  fmt::print("{} {} -> {} {}: {} of the size{}\n", report.flags.input, bytes_text(report.before), report.flags.output,
             bytes_text(report.after), percent_text(ratio(report)),
             smaller ? fmt::format(", {:.1f} times smaller", 1 / ratio(report)) : "");
  fmt::print("mode {}", report.flags.mode);
  if (report.samples > 0) fmt::print(", ranges from {}", count_text(report.samples, "sample"));
  fmt::print("\n");
  auto counts = count_treatments(report.result.decisions);
  fmt::print("operators on float values: {}\n", report.result.decisions.size());
  Table table({{"", Table::Align::kRight}, {""}});
  for (const auto& [treatment, meaning] :
       {std::pair(Treatment::kInteger, "run on integers"),
        std::pair(Treatment::kHybrid, report.flags.weight_type == "int4"
                                          ? "have int4 or int8 weights and quantize activations as they run"
                                          : "have int8 weights and quantize activations as they run"),
        std::pair(Treatment::kWeightOnly, "have small constants and compute in float"),
        std::pair(Treatment::kFloat, "stay in float")}) {
    if (counts[treatment] > 0) table.add({fmt::format("{}", counts[treatment]), meaning});
  }
  table.print(2);
  print_reasons(report.result.decisions, Treatment::kFloat, "in float because:");
  print_reasons(report.result.decisions, Treatment::kWeightOnly, "not on integers because:");
  print_reasons(report.result.decisions, Treatment::kHybrid, "not smaller because:");
  for (const std::string& warning : report.warnings) fmt::print("warning: {}\n", warning);
}

Json to_json(const Summary& report) {
  auto counts = count_treatments(report.result.decisions);
  Json operators = Json::object(), decisions = Json::array();
  for (Treatment treatment : kTreatments) operators[treatment_name(treatment)] = counts[treatment];
  for (const Decision& d : report.result.decisions) {
    decisions.push_back({{"subgraph", d.graph},
                         {"operator", d.node},
                         {"type", d.type},
                         {"output", d.output},
                         {"treatment", treatment_name(d.treatment)},
                         {"reason", d.reason},
                         {"help", d.help}});
  }
  return {{"input", {{"path", report.flags.input}, {"bytes", report.before}}},
          {"output", {{"path", report.flags.output}, {"bytes", report.after}}},
          {"ratio", ratio(report)},
          {"mode", report.flags.mode},
          {"calibration_samples", report.samples},
          {"operators", operators},
          {"decisions", decisions},
          {"warnings", report.warnings},
          {"calibrate_seconds", report.calibrate_seconds},
          {"quantize_seconds", report.quantize_seconds}};
}

std::vector<std::string> all_warnings(const Flags& flags, QuantizeMode mode, const QuantizeResult& result) {
  std::vector<std::string> warnings = result.warnings;
  if (!needs_calibration(mode) && !(flags.calibrate.empty() && flags.stats.empty())) {
    warnings.push_back(fmt::format("mode {} needs no calibration, so the data was not looked at", flags.mode));
  }
  const auto counts = count_treatments(result.decisions);
  const auto in_float = counts.find(Treatment::kFloat);
  if (in_float != counts.end() && in_float->second == result.decisions.size()) {
    warnings.push_back("no operator was quantized: the model is as large as before");
  }
  return warnings;
}

// The page about what was done, on the data that calibration saw.
Status write_page(const Flags& flags, const CommonFlags& common, const ModelPtr& model) {
  auto data = flags.preprocess.open(flags.calibrate);
  if (!data) return tl::unexpected<Error>(data.error());
  const auto made = load_model(flags.output);
  if (!made) return tl::unexpected<Error>(made.error());
  Progress progress("comparing", common);
  ReportOptions options;
  options.signature = flags.signature;
  options.samples = flags.samples.choice();
  options.threads = flags.threads.threads;
  options.data_path = flags.calibrate;
  options.data_flags = preprocess_text(flags.preprocess);
  options.progress = progress.callback();
  const auto page = make_report(model, *made, *data, options);
  if (!page) return tl::unexpected<Error>(page.error());
  const WritingOutput guard;
  return page->save(flags.page);
}

Status run(const Flags& flags, const CommonFlags& common) {
  const QuantizeOptions options = quantize_options(flags);
  check_usage(flags, options.mode);
  ImportFlags import = flags.import;
  import.signature = flags.signature;
  const auto model = load_any(flags.input, import);
  if (!model) return tl::unexpected<Error>(model.error());
  const size_t before = file_size(flags.input);  // now: the output may replace it
  std::optional<Calibration> ranges;
  auto start = std::chrono::steady_clock::now();
  if (needs_calibration(options.mode)) {
    auto made = calibration(flags, common, *model);
    if (!made) return tl::unexpected<Error>(made.error());
    ranges = *std::move(made);
  }
  const double calibrate_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  const auto result = quantize_model(**model, options, ranges ? &*ranges : nullptr);
  if (!result) return tl::unexpected<Error>(result.error());
  {
    const WritingOutput guard;
    const Status saved = save_model(*result->model, flags.output);
    if (!saved) return saved;
  }
  if (!flags.page.empty()) {
    const Status written = write_page(flags, common, *model);
    if (!written) return written;
  }
  const Summary report{flags,
                       *result,
                       before,
                       file_size(flags.output),
                       ranges ? ranges->samples() : 0,
                       calibrate_seconds,
                       seconds_since(start),
                       all_warnings(flags, options.mode, *result)};
  if (common.json) {
    print_json(to_json(report));
  } else if (!common.quiet) {
    print_text(report);
  }
  return {};
}

}  // namespace

void add_quantize(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add_command(app, common, "quantize", "Store a float model in few bits", kExamples);
  command->add_option("IN", flags->input, "The float model: " + import_formats())->required();
  command->add_option("-o,--output", flags->output, "Where the small model goes")->type_name("OUT")->required();
  command
      ->add_option(
          "--mode", flags->mode,
          "weights: int8 weights, float activations. float16: half-precision constants. int8: "
          "integers, float where it must be. int8-only: integers or an error. int16x8: int16 activations, int8 weights")
      ->required()
      ->type_name("MODE")
      ->check(CLI::IsMember({"weights", "float16", "int8", "int8-only", "int16x8"}));
  command
      ->add_option("--calibrate", flags->calibrate,
                   "Measure ranges on DATA: a folder of pictures, .wav, .npz, .npy or raw files, "
                   "a .npz with one array per input (samples first), or a .npy")
      ->type_name("DATA");
  command->add_option("--report", flags->page, "Write a page about what was done, measured on the data of --calibrate")
      ->type_name("HTML");
  command->add_option("--stats", flags->stats, "Take ranges from this file of fewbits calibrate")->type_name("FILE");
  for (const auto& [name, target] :
       {std::pair("input", &flags->input_type), std::pair("output", &flags->output_type)}) {
    command
        ->add_option(
            fmt::format("--{}-type", name), *target,
            fmt::format(
                "Type of the model's {}s that are float now: float32, int8, uint8 or int16 (int8 in mode int8-only, "
                "else float32)",
                name))
        ->type_name("T")
        ->check(CLI::IsMember({"float32", "int8", "uint8", "int16"}));
  }
  command
      ->add_option("--weight-type", flags->weight_type,
                   "Mode weights: int4 stores the weights of FULLY_CONNECTED in 4 bits, in blocks (int8)")
      ->type_name("int8|int4")
      ->check(CLI::IsMember({"int8", "int4"}));
  command
      ->add_option("--block-size", flags->block_size,
                   "With --weight-type int4: so many inputs share a scale, 32, 64, 128 or 256; 0: one scale a channel "
                   "(64)")
      ->type_name("N");
  command->add_flag("--per-tensor", flags->per_tensor, "One scale a weight tensor, not one a channel");
  command
      ->add_option("--rounding", flags->rounding,
                   "Round the weights of a filter together so that their mean stays, or each to its nearest (mean)")
      ->type_name("mean|nearest")
      ->check(CLI::IsMember({"mean", "nearest"}));
  command->add_flag("--no-bias-correction", flags->plain_bias,
                    "Leave biases as they are: by default they take back the shift that rounded weights cause");
  command->add_flag("--whole-ranges", flags->whole_ranges,
                    "Keep ranges as they were seen: by default they end where all readers stop telling numbers apart");
  command
      ->add_option("--min-elements", flags->options.min_elements,
                   "Mode weights leaves smaller constants in float (1024)")
      ->type_name("N");
  command
      ->add_option("--range", flags->range,
                   "Which range counts: the widest, or the moving average of each sample's (minmax)")
      ->type_name("minmax|average")
      ->check(CLI::IsMember({"minmax", "average"}));
  command
      ->add_option("--include", flags->options.include,
                   "Quantize only operators of this type or output name, with * and ?; "
                   "repeatable")
      ->type_name("P")
      ->allow_extra_args(false);
  command
      ->add_option("--exclude", flags->options.exclude,
                   "Leave operators of this type or output name in float; repeatable")
      ->type_name("P")
      ->allow_extra_args(false);
  flags->import.add(*command, false);
  add_signature(*command, flags->signature);
  flags->threads.add(*command);
  flags->samples.add(*command, false);
  flags->preprocess.add(*command);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
