// fewbits compare: how far the answers of one model are from those of another.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fewbits/evaluate.h"
#include "flags.h"
#include "progress.h"
#include "table.h"

namespace fewbits::cli {
namespace {

constexpr const char* kExamples =
    "  fewbits compare model.tflite int8.tflite --data pictures/ --mean 127.5 --std 127.5\n"
    "      the distance of each output, and how often the largest score is at the same place\n"
    "  fewbits compare model.tflite int8.tflite --data pictures/ --stats ranges.json --samples 100 --others --layers\n"
    "      pictures prepared as for calibration, without the 100 that calibration saw; each layer, too\n"
    "\n"
    "SQNR is the power of the signal over that of the difference, in decibels: 20 dB is a tenth in amplitude, 40 dB a "
    "hundredth.";

struct Flags : ComparedFlags {
  bool layers = false;
};

Json to_json(const TensorError& error) {
  return {{"sqnr_db", error.sqnr_db},  // null for infinity
          {"mean_sqnr_db", error.mean_sqnr_db},
          {"exact", std::isinf(error.sqnr_db) && error.sqnr_db > 0 && error.nonfinite == 0},
          {"cosine", error.cosine},
          {"max_abs", error.max_abs},
          {"mean_abs", error.mean_abs},
          {"reference_max_abs", error.reference_max_abs},
          {"elements", error.elements},
          {"nonfinite", error.nonfinite}};
}

Json to_json(const Comparison& comparison, const Flags& flags) {
  Json outputs = Json::array();
  for (const OutputComparison& output : comparison.outputs) {
    Json item = {{"name", output.name}, {"other_name", output.other_name}};
    item.update(to_json(output.error));
    item["agreement"] = output.agreement ? Json(*output.agreement) : Json();
    item["rows"] = output.rows;
    outputs.push_back(item);
  }
  Json document = {{"reference", flags.reference},
                   {"other", flags.other},
                   {"samples", comparison.samples},
                   {"skipped", comparison.skipped},
                   {"outputs", outputs}};
  if (!flags.layers) return document;
  Json layers = Json::array();
  for (const LayerComparison& layer : comparison.layers) {
    Json item = {{"name", layer.name}, {"other_name", layer.other_name}, {"type", layer.type}, {"dtype", layer.dtype}};
    item.update(to_json(layer.error));
    layers.push_back(item);
  }
  document["layers"] = layers;
  document["unmatched_layers"] = comparison.unmatched_layers;
  return document;
}

std::vector<std::string> error_cells(const TensorError& error) {
  return {decibel_text(error.sqnr_db), fmt::format("{:.6f}", error.cosine), fmt::format("{:.4g}", error.max_abs),
          fmt::format("{:.4g}", error.mean_abs), fmt::format("{:.4g}", error.reference_max_abs)};
}

std::vector<Table::Column> columns(std::initializer_list<Table::Column> before,
                                   std::initializer_list<Table::Column> after) {
  std::vector<Table::Column> list = before;
  for (const char* title : {"SQNR dB", "cosine", "worst error", "mean error", "largest"})
    list.push_back({title, Table::Align::kRight});
  list.insert(list.end(), after);
  return list;
}

void print_outputs(const Comparison& comparison) {
  Table table(columns({}, {{"agreement", Table::Align::kRight}, {"output"}}));
  for (const OutputComparison& output : comparison.outputs) {
    auto cells = error_cells(output.error);
    cells.push_back(output.agreement ? percent_text(*output.agreement) : "-");
    cells.push_back(output.name);
    table.add(std::move(cells));
  }
  table.print();
  for (const OutputComparison& output : comparison.outputs) {
    if (output.error.nonfinite > 0) {
      fmt::print("warning: output '{}' has {} where only one model's is finite; they are left out of the sums\n",
                 output.name, count_text(output.error.nonfinite, "number"));
    }
  }
}

void print_layers(const Comparison& comparison) {
  fmt::print("\nlayers, in the order in which they run:\n");
  Table table(columns({}, {{"as"}, {"operator"}, {"tensor"}}));
  const LayerComparison* worst = nullptr;
  for (const LayerComparison& layer : comparison.layers) {
    auto cells = error_cells(layer.error);
    cells.insert(cells.end(), {layer.dtype, layer.type, short_name(layer.name)});
    table.add(std::move(cells));
    if (worst == nullptr || layer.error.sqnr_db < worst->error.sqnr_db) worst = &layer;
  }
  if (worst == nullptr) {
    fmt::print("  none: the models have no float tensor's name in common\n");
    return;
  }
  table.print();
  fmt::print("lowest: {} dB at '{}' ({})\n", decibel_text(worst->error.sqnr_db), short_name(worst->name), worst->type);
  if (comparison.unmatched_layers > 0) {
    fmt::print("{} of the first model without a counterpart: fused away, or named differently\n",
               count_text(comparison.unmatched_layers, "tensor"));
  }
}

Status run(const Flags& flags, const CommonFlags& common) {
  auto opened = flags.open();
  if (!opened) return tl::unexpected<Error>(opened.error());
  const auto comparison = [&] {
    Progress progress("comparing", common);
    return compare_models(
        opened->reference, opened->other, opened->data,
        {flags.signature, flags.samples.choice(), flags.threads.threads, flags.layers, progress.callback()});
  }();
  if (!comparison) return tl::unexpected<Error>(comparison.error());
  if (common.json) {
    print_json(to_json(*comparison, flags));
  } else if (!common.quiet) {
    fmt::print("{} against {} on {}{}\n", flags.other, flags.reference, count_text(comparison->samples, "sample"),
               comparison->skipped == 0 ? "" : fmt::format(" ({} left out for NaN or infinity)", comparison->skipped));
    print_outputs(*comparison);
    if (flags.layers) print_layers(*comparison);
  }
  return {};
}

}  // namespace

void add_compare(CLI::App& app, CommonFlags& common, Action& action) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      add_command(app, common, "compare", "Measure how far one model's answers are from another's", kExamples);
  flags->add_models(*command);
  command->add_flag("--layers", flags->layers, "Compare every tensor that both models have, too");
  flags->add_rest(*command);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run(*flags, common); }; });
}

}  // namespace fewbits::cli
