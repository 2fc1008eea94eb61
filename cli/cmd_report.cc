// fewbits report: a page about what quantization did to a model.
#include <fmt/format.h>

#include "fewbits/report.h"
#include "flags.h"
#include "interrupt.h"
#include "progress.h"
#include "report_flags.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits report model.tflite int8.tflite --data pictures/ --mean 127.5 --std 127.5 -o report.html\n"
    "      one page to open in a browser, offline: the verdict, the graph, the error of every layer, histograms, "
    "times, the\n"
    "      worst samples and what to try next; the same as JSON in report.json\n"
    "  fewbits report model.tflite int8.tflite --data pictures/ --stats ranges.json --samples 200 --others -o "
    "report.html\n"
    "      on 200 pictures that calibration did not see";

struct Flags : ComparedFlags {
  std::string output;
  ReportOptions options;
};

Status run(Flags& flags, const CommonFlags& common) {
  auto opened = flags.open();
  if (!opened) return tl::unexpected<Error>(opened.error());
  Progress progress("comparing", common);
  flags.options.signature = flags.signature;
  flags.options.samples = flags.samples.choice();
  flags.options.threads = flags.threads.threads;
  flags.options.data_path = flags.data;
  flags.options.data_flags = preprocess_text(flags.preprocess);
  flags.options.progress = progress.callback();
  const auto report = make_report(opened->reference, opened->other, opened->data, flags.options);
  if (!report) return tl::unexpected<Error>(report.error());
  return write_report(*report, flags.output, common);
}

}  // namespace

Status write_report(const Report& report, const std::string& path, const CommonFlags& common) {
  {
    const WritingOutput guard;
    const Status saved = report.save(path);
    if (!saved) return saved;
  }
  if (common.json) {
    print_json({{"output", path}, {"verdict", report.verdict()}});
  } else if (!common.quiet) {
    fmt::print("{}\n{}\n", report.verdict(), path);
  }
  return {};
}

std::string preprocess_text(const PreprocessFlags& flags) {
  const PreprocessOptions defaults;
  std::string text;
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : " ") + more; };
  if (!flags.stats.empty()) return text;  // quantize takes them from --stats, too, but then measures nothing
  if (flags.options.resize_short > 0) add(fmt::format("--resize {}", flags.options.resize_short));
  if (flags.options.crop > 0) add(fmt::format("--crop {}", flags.options.crop));
  if (!flags.mean.empty()) add("--mean " + flags.mean);
  if (!flags.std.empty()) add("--std " + flags.std);
  if (flags.options.scale != defaults.scale) add(fmt::format("--scale {}", flags.options.scale));
  if (flags.options.channel_order != defaults.channel_order) add("--bgr");
  if (flags.options.layout != defaults.layout) add("--layout nchw");
  if (flags.options.fit != defaults.fit) add("--fit stretch");
  if (flags.options.interpolation != defaults.interpolation) add("--interpolation bicubic");
  if (flags.audio.sample_rate > 0) add(fmt::format("--sample-rate {}", flags.audio.sample_rate));
  if (flags.ignore_nonfinite) add("--ignore-nonfinite");
  return text;
}

void add_report(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      add_command(app, common, "report", "Make a page about what quantization did to a model", kExamples);
  flags->add_models(*command);
  command
      ->add_option("-o,--output", flags->output, "Where the page goes; a name that ends in .json gets the data alone")
      ->type_name("HTML")
      ->required();
  command->add_option("--runs", flags->options.runs, "Runs of each model to time them; 0: no times (20)")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000));
  command->add_option("--worst", flags->options.worst_samples, "How many of the worst samples to show (8)")
      ->type_name("N")
      ->check(CLI::Range(0, 1000));
  flags->add_rest(*command);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
