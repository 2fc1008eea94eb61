// fewbits calibrate: measures ranges once, for many quantizations; merges what several machines measured.
#include <fmt/format.h>

#include "fewbits/calibrate.h"
#include "flags.h"
#include "interrupt.h"
#include "progress.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits calibrate model.tflite --data pictures/ --samples 100 --mean 127.5 --std 127.5 -o ranges.json\n"
    "      the file also keeps how pictures were prepared; fewbits quantize --stats ranges.json uses it\n"
    "  fewbits calibrate --merge first.json second.json -o ranges.json\n"
    "      parts measured on different samples give what one pass over all gives";

struct Flags {
  std::string input, data, output, signature;
  std::vector<std::string> merge;
  PreprocessFlags preprocess;
  SampleFlags samples;
  ThreadFlag threads;
};

Result<Calibration> measure(const Flags& flags, const CommonFlags& common) {
  auto data = flags.preprocess.open(flags.data);
  if (!data) return tl::unexpected<Error>(data.error());
  const auto model = load_model(flags.input);
  if (!model) return tl::unexpected<Error>(model.error());
  Progress progress("calibrating", common);
  return calibrate_model(*model, *data,
                         {flags.signature, flags.samples.choice(), flags.threads.threads,
                          flags.preprocess.ignore_nonfinite, progress.callback()});
}

Result<Calibration> merge(const Flags& flags) {
  auto merged = Calibration::load(flags.merge[0]);
  for (size_t i = 1; merged && i < flags.merge.size(); ++i) {
    const auto part = Calibration::load(flags.merge[i]);
    if (!part) return tl::unexpected<Error>(part.error());
    const Status status = merged->merge(*part);
    if (!status) {
      return tl::unexpected<Error>(Error{status.error().code, fmt::format("cannot merge {} into {}: {}", flags.merge[i],
                                                                          flags.merge[0], status.error().message)});
    }
  }
  return merged;
}

Status run(const Flags& flags, const CommonFlags& common) {
  const bool merging = !flags.merge.empty();
  if (merging && !(flags.input.empty() && flags.data.empty()))
    throw UsageError("--merge takes statistics files, and no model or --data");
  if (!merging && flags.input.empty()) throw UsageError("give a model and --data, or --merge with statistics files");
  if (!merging && flags.data.empty()) throw UsageError("--data is required: it says what to measure on");
  const auto calibration = merging ? merge(flags) : measure(flags, common);
  if (!calibration) return tl::unexpected<Error>(calibration.error());
  {
    const WritingOutput guard;
    const Status saved = calibration->save(flags.output);
    if (!saved) return saved;
  }
  const size_t tensors = calibration->ranges().size();
  if (common.json) {
    print_json({{"output", flags.output}, {"samples", calibration->samples()}, {"tensors", tensors}});
  } else if (!common.quiet) {
    fmt::print("{}: ranges of {} over {}\n", flags.output, count_text(tensors, "tensor"),
               count_text(calibration->samples(), "sample"));
  }
  return {};
}

}  // namespace

void add_calibrate(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add_command(app, common, "calibrate",
                                  "Measure the ranges of a model's tensors on data, for quantize --stats", kExamples);
  command->add_option("IN", flags->input, "The float .tflite model");
  command
      ->add_option("--data", flags->data,
                   "A folder of pictures, .wav, .npz, .npy or raw files, a .npz with one array per input "
                   "(samples first), or a .npy")
      ->type_name("DATA");
  command->add_option("--merge", flags->merge, "Put statistics of the same model together, in this order")
      ->type_name("STATS");
  command->add_option("-o,--output", flags->output, "Where the statistics go, a small JSON file")
      ->type_name("STATS")
      ->required();
  add_signature(*command, flags->signature);
  flags->threads.add(*command);
  flags->samples.add(*command, false);
  flags->preprocess.add(*command);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
