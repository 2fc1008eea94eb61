// fewbits bench: how long a model takes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "fewbits/evaluate.h"
#include "flags.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits bench model.tflite --threads 1 --runs 50\n"
    "      the median, the fastest and the 90th percentile of 50 runs on random input\n"
    "  fewbits bench model.tflite --profile\n"
    "      the time of each operator, too, and which kernel it runs on\n"
    "  fewbits bench model.tflite --shape input=1,320,320,3\n"
    "      for models that take inputs of several sizes";

struct Flags {
  std::string model;
  BenchmarkOptions options;
  std::vector<std::string> shapes;
  ThreadFlag threads;
};

void parse_shapes(Flags& flags) {
  for (const std::string& text : flags.shapes) {
    const size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError(fmt::format("--shape takes NAME=1,2,3, not '{}'", text));
    Shape shape;
    for (double size : parse_numbers(text.substr(equals + 1), "--shape")) {
      if (size < 0 || size > 2147483647.0 || size != std::floor(size)) {
        throw UsageError(fmt::format("--shape takes whole sizes, and '{}' has another", text));
      }
      shape.push_back(static_cast<int32_t>(size));
    }
    flags.options.shapes.emplace_back(text.substr(0, equals), shape);
  }
}

// Of this program: getrusage() begins with the peak of the process that started it.
size_t process_peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string field; status >> field;) {
    size_t kilobytes = 0;
    if (field == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

void print_text(const Benchmark& benchmark, const Flags& flags) {
  fmt::print("{}: {} on {}, random input\n", flags.model, count_text(static_cast<size_t>(benchmark.runs), "run"),
             count_text(static_cast<size_t>(flags.options.threads), "thread"));
  fmt::print("median {:.3f} ms, fastest {:.3f} ms, 90th percentile {:.3f} ms\n", benchmark.median_ms, benchmark.min_ms,
             benchmark.p90_ms);
  fmt::print("planned once in {:.1f} ms; {} of activations, state and workspace, {} for the whole process\n",
             benchmark.plan_ms, bytes_text(benchmark.peak_bytes), bytes_text(process_peak_bytes()));
  if (benchmark.operators.empty()) return;
  double total = 0;
  for (const OperatorTime& op : benchmark.operators) total += static_cast<double>(op.nanoseconds);
  std::vector<OperatorTime> sorted = benchmark.operators;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.nanoseconds > b.nanoseconds; });
  Table table({{"ms", Table::Align::kRight},
               {"share", Table::Align::kRight},
               {"#", Table::Align::kRight},
               {"operator"},
               {"kernel"},
               {"output"}});
  for (const OperatorTime& op : sorted) {
    const auto time = static_cast<double>(op.nanoseconds);
    table.add({fmt::format("{:.4f}", time / 1e6), percent_text(total == 0 ? 0 : time / total),
               fmt::format("{}", op.index), op.type, op.kernel, short_name(op.name)});
  }
  fmt::print("\n");
  table.print();
}

Json to_json(const Benchmark& benchmark, const Flags& flags) {
  Json document = {{"model", flags.model},
                   {"threads", flags.options.threads},
                   {"runs", benchmark.runs},
                   {"median_ms", benchmark.median_ms},
                   {"min_ms", benchmark.min_ms},
                   {"p90_ms", benchmark.p90_ms},
                   {"mean_ms", benchmark.mean_ms},
                   {"plan_ms", benchmark.plan_ms},
                   {"peak_bytes", benchmark.peak_bytes},
                   {"process_peak_bytes", process_peak_bytes()}};
  if (!flags.options.profile) return document;
  Json operators = Json::array();
  for (const OperatorTime& op : benchmark.operators) {
    operators.push_back({{"operator", op.index},
                         {"type", op.type},
                         {"output", op.name},
                         {"kernel", op.kernel},
                         {"ms", static_cast<double>(op.nanoseconds) / 1e6}});
  }
  document["operators"] = operators;
  return document;
}

Status run(Flags& flags, const CommonFlags& common) {
  parse_shapes(flags);
  flags.options.threads = flags.threads.threads;
  const auto model = load_model(flags.model);
  if (!model) return tl::unexpected<Error>(model.error());
  const auto benchmark = benchmark_model(*model, flags.options);
  if (!benchmark) return tl::unexpected<Error>(benchmark.error());
  if (common.json) {
    print_json(to_json(*benchmark, flags));
  } else if (!common.quiet) {
    print_text(*benchmark, flags);
  }
  return {};
}

}  // namespace

void add_bench(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add_command(app, common, "bench", "Measure how long a model takes", kExamples);
  command->add_option("MODEL", flags->model, "A .tflite model")->required();
  command->add_option("--runs", flags->options.runs, "Runs that count (30)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  command->add_option("--warmup", flags->options.warmup, "Runs before that (3)")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000));
  command->add_flag("--profile", flags->options.profile, "Time each operator, too");
  add_strict_fp32(*command, flags->options.strict_fp32);
  add_pack_cache(*command, flags->options.pack_cache);
  command->add_option("--shape", flags->shapes, "Give an input another shape; repeatable")
      ->type_name("NAME=1,2,3")
      ->allow_extra_args(false);
  command->add_option("--seed", flags->options.seed, "Of the random input (0)")->type_name("N");
  add_signature(*command, flags->options.signature);
  flags->threads.add(*command);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
