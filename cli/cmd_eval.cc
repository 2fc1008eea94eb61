// fewbits eval: how often a classifier is right on labelled data.
#include <fmt/format.h>

#include "fewbits/evaluate.h"
#include "flags.h"
#include "progress.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits eval model.tflite --data pictures/ --resize 256 --crop 224 --mean 127.5 --std 127.5\n"
    "      pictures/ has one folder a class, or names that begin with the class number, as in 0042_n01440764.jpg\n"
    "  fewbits eval int8.tflite --data test.npz --stats ranges.json\n"
    "      test.npz has an array per input and one called labels; prepared as for calibration\n"
    "  fewbits eval int8.tflite --data pictures/ --stats ranges.json --samples 100 --others\n"
    "      without the 100 samples that calibration saw";

struct Flags {
  std::string model, data, signature;
  std::optional<int32_t> label_offset;
  PreprocessFlags preprocess;
  SampleFlags samples;
  ThreadFlag threads;
};

void print_text(const Accuracy& accuracy) {
  fmt::print("top-1  {}  ({} of {})\n", percent_text(accuracy.top1), accuracy.top1_hits, accuracy.samples);
  if (accuracy.classes > 5)
    fmt::print("top-5  {}  ({} of {})\n", percent_text(accuracy.top5), accuracy.top5_hits, accuracy.samples);
  fmt::print("output '{}', {} classes", accuracy.output, accuracy.classes);
  if (accuracy.label_offset != 0) fmt::print("; label n is class n{:+}", accuracy.label_offset);
  fmt::print("\n");
  if (accuracy.skipped > 0) fmt::print("{} left out for NaN or infinity\n", count_text(accuracy.skipped, "sample"));
}

Status run(const Flags& flags, const CommonFlags& common) {
  auto data = flags.preprocess.open(flags.data);
  if (!data) return tl::unexpected<Error>(data.error());
  const auto model = load_model(flags.model);
  if (!model) return tl::unexpected<Error>(model.error());
  const auto accuracy = [&] {
    Progress progress("evaluating", common);
    return evaluate_accuracy(
        *model, *data,
        {flags.signature, flags.samples.choice(), flags.threads.threads, flags.label_offset, progress.callback()});
  }();
  if (!accuracy) return tl::unexpected<Error>(accuracy.error());
  if (common.json) {
    print_json({{"model", flags.model},
                {"samples", accuracy->samples},
                {"skipped", accuracy->skipped},
                {"top1", accuracy->top1},
                {"top5", accuracy->top5},
                {"top1_hits", accuracy->top1_hits},
                {"top5_hits", accuracy->top5_hits},
                {"classes", accuracy->classes},
                {"label_offset", accuracy->label_offset},
                {"output", accuracy->output}});
  } else if (!common.quiet) {
    print_text(*accuracy);
  }
  return {};
}

}  // namespace

void add_eval(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add_command(app, common, "eval", "Measure top-1 and top-5 on labelled data", kExamples);
  command->add_option("MODEL", flags->model, "A .tflite classifier")->required();
  command->add_option("--data", flags->data, "Labelled pictures, sounds, .npz or raw files")
      ->type_name("DATA")
      ->required();
  command
      ->add_option("--label-offset", flags->label_offset,
                   "Added to every label (1 for models of 1001 classes, whose class 0 is the "
                   "background; else 0)")
      ->type_name("N");
  add_signature(*command, flags->signature);
  flags->threads.add(*command);
  flags->samples.add(*command, true);
  flags->preprocess.add(*command);
  flags->preprocess.add_stats(*command);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
