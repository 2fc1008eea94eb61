// What a report says in words.
#include "report/advice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>

#include "report/operators.h"

namespace fewbits::report {
namespace {

constexpr double kGoodDb = 25, kPoorDb = 12;  // of outputs: a twentieth of the signal in amplitude, a quarter

std::string times_text(double ratio, const char* more, const char* less) {
  return ratio >= 1 ? fmt::format("{:.1f} times {}", ratio, more) : fmt::format("{:.1f} times {}", 1 / ratio, less);
}

std::string percent(double share) {
  const double value = 100 * share;
  return value > 99.95 && value < 100 ? "over 99.9 %" : fmt::format("{:.4g} %", std::round(value * 10) / 10);
}

// Operators that are in float for a reason: by type, with how many.
std::map<std::string, int> float_types(const Data& data) {
  std::map<std::string, int> counts;
  for (const OperatorView& op : data.operators) {
    if (op.precision == Precision::kFloat32) ++counts[op.type];
  }
  return counts;
}

bool quantizes_activations(const Data& data) {
  return std::any_of(data.operators.begin(), data.operators.end(), [](const OperatorView& op) {
    return op.precision == Precision::kInt8 || op.precision == Precision::kInt16;
  });
}

bool has_int16(const Data& data) {
  return std::any_of(data.operators.begin(), data.operators.end(),
                     [](const OperatorView& op) { return op.precision == Precision::kInt16; });
}

double worst_output_db(const Data& data) {
  double worst = INFINITY;
  for (const OutputComparison& output : data.outputs) worst = std::min(worst, output.error.sqnr_db);
  return worst;
}

// As a shell reads it: names and paths come from files, and nothing in them may become a command.
std::string quoted(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("/._-+:=,@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

// A pattern for --exclude: converters join the names of what they fused with ';', and the first says enough.
std::string pattern_of(const std::string& name) {
  const size_t first = name.find(';');
  return quoted(first == std::string::npos ? name : name.substr(0, first) + ";*");
}

std::string quantize_command(const Data& data, const std::string& mode, const std::string& flags,
                             const std::string& more) {
  const std::string& path = data.reference->path;  // empty: the model never was a file
  return fmt::format("fewbits quantize {} -o better.tflite --mode {} --calibrate {}{}",
                     path.empty() ? "MODEL" : quoted(path), mode, flags.empty() ? "DATA" : flags, more);
}

const char* mode_text(const Data& data) { return has_int16(data) ? "int16x8" : "int8"; }

// The commonest reason of those operators.
std::string float_reason(const Data& data) {
  std::map<std::string, int> reasons;
  for (const OperatorView& op : data.operators) {
    if (op.precision == Precision::kFloat32 && !op.reason.empty()) ++reasons[op.reason];
  }
  if (reasons.empty()) return {};
  const auto most = std::max_element(reasons.begin(), reasons.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  const size_t others = reasons.size() - 1;
  return ": " + most->first +
         (others == 0 ? ""
                      : fmt::format("; the table of operators has {} more reason{}", others, others == 1 ? "" : "s"));
}

std::string float_text(const Data& data) {
  const auto types = float_types(data);
  if (!quantizes_activations(data)) {
    const auto hybrid = std::count_if(data.operators.begin(), data.operators.end(),
                                      [](const OperatorView& op) { return op.precision == Precision::kHybrid; });
    return hybrid == 0 ? ""
                       : fmt::format(" The weights of {} operator{} are int8, activations stay in float.", hybrid,
                                     hybrid == 1 ? "" : "s");
  }
  if (types.empty()) return " Every operator on floating-point values became an integer one.";
  size_t count = 0;
  std::vector<std::string> names;
  for (const auto& [type, number] : types) {
    count += static_cast<size_t>(number);
    if (names.size() < 4) names.push_back(number == 1 ? type : fmt::format("{} {}", number, type));
  }
  return fmt::format(" {} of {} operators stayed in float ({}{}){}.", count, data.operators.size(),
                     fmt::join(names, ", "), types.size() > names.size() ? " and others" : "", float_reason(data));
}

// The output that a verdict is about: that with the longest rows, which are scores rather than corners of a box.
const OutputComparison& scores_of(const Data& data) {
  const auto row = [](const OutputComparison& output) {
    return output.agreement && output.rows > 0 ? output.error.elements / output.rows : 0;
  };
  return *std::max_element(data.outputs.begin(), data.outputs.end(),
                           [&](const auto& a, const auto& b) { return row(a) < row(b); });
}

std::string agreement_text(const Data& data) {
  const OutputComparison& output = scores_of(data);
  const std::string of = data.outputs.size() > 1 ? " of " + output.name : "";
  if (output.agreement && output.rows == data.samples) {
    return fmt::format("the largest score{} is at the same place in {} of {} samples", of, percent(*output.agreement),
                       data.samples);
  }
  if (output.agreement) {
    return fmt::format("the largest score{} is at the same place in {} of {} rows of scores, from {} samples", of,
                       percent(*output.agreement), output.rows, data.samples);
  }
  if (std::isinf(output.error.sqnr_db) && output.error.sqnr_db > 0) {
    return fmt::format("the answers are equal on {} samples", data.samples);
  }
  return fmt::format("the answers keep {:.1f} dB of signal over error on {} samples", output.error.sqnr_db,
                     data.samples);
}

// The power of an operator's error, as a share of its signal's; nothing where it was not measured.
std::optional<double> noise_of(const OperatorView& op) {
  if (!op.error || std::isnan(op.error->sqnr_db)) return std::nullopt;
  return std::pow(10.0, -op.error->sqnr_db / 10);
}

// The integer operators that add the most noise to what reaches them, most first: excluding those helps. Where noise is largest
// are most often mere victims, at the model's end.
std::vector<const OperatorView*> noisiest_layers(const Data& data, size_t count) {
  std::vector<double> arriving(data.operators.size(), 0);
  for (const Edge& edge : data.edges) {
    arriving[edge.to] = std::max(arriving[edge.to], noise_of(data.operators[edge.from]).value_or(0));
  }
  std::vector<std::pair<double, const OperatorView*>> found;
  for (size_t i = 0; i < data.operators.size(); ++i) {
    const OperatorView& op = data.operators[i];
    const bool integer = op.precision == Precision::kInt8 || op.precision == Precision::kInt16;
    const double added = noise_of(op).value_or(0) - arriving[i];
    if (integer && added > 0) found.emplace_back(added, &op);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<const OperatorView*> out;
  for (size_t i = 0; i < std::min(found.size(), count); ++i) out.push_back(found[i].second);
  return out;
}

void advise_on_error(const Data& data, const std::string& flags, std::vector<Advice>& out) {
  const double db = worst_output_db(data);
  if (!quantizes_activations(data) || db >= kGoodDb) return;
  std::string excludes;
  for (const OperatorView* op : noisiest_layers(data, 3))
    excludes += fmt::format(" --exclude {}", pattern_of(without_twin(op->output)));
  if (!excludes.empty()) {
    out.push_back({"Leave the layers that add the most error in float; see how much of it goes.",
                   quantize_command(data, mode_text(data), flags, excludes)});
  }
  if (!has_int16(data)) {
    out.push_back({"Give activations 16 bits: slower than 8, far more exact, weights stay small.",
                   quantize_command(data, "int16x8", flags, "")});
  }
  if (db < kPoorDb) {
    out.push_back(
        {"Check that calibration saw data like this, prepared the same way: errors this large are most often a wrong "
         "mean, scale or channel order.",
         ""});
  }
}

void advise_on_clipping(const Data& data, const std::string& flags, std::vector<Advice>& out) {
  constexpr double kMuch = 0.001;
  size_t clipping = 0;
  for (const OperatorView& op : data.operators) {
    if (op.activation && op.activation->elements > 0 && op.activation->range) {
      clipping += static_cast<double>(op.activation->clipped) > kMuch * static_cast<double>(op.activation->elements);
    }
  }
  if (clipping == 0) return;
  out.push_back(
      {fmt::format(
           "{} tensors hold values beyond their range more often than once in a thousand: calibrate on more samples, "
           "or samples more like these.",
           clipping),
       quantize_command(data, mode_text(data), flags, " --samples 500")});
}

}  // namespace

std::string bytes_text(size_t bytes) {
  double size = static_cast<double>(bytes);
  if (size < 1000) return fmt::format("{} bytes", bytes);
  for (const char* unit : {"kB", "MB"}) {
    size /= 1000;
    if (size < 1000) return fmt::format("{:.1f} {}", size, unit);
  }
  return fmt::format("{:.1f} GB", size / 1000);
}

std::string verdict_of(const Data& data) {
  const ModelSummary& model = data.model;
  if (!data.reference) {
    std::string text = fmt::format("{} operators, {}", data.operators.size(), bytes_text(model.bytes));
    if (model.benchmark) text += fmt::format(", {:.3g} ms a run", model.benchmark->median_ms);
    return text + ".";
  }
  const ModelSummary& before = *data.reference;
  std::string text =
      fmt::format("{} ({} to {})",
                  times_text(static_cast<double>(before.bytes) / static_cast<double>(std::max<size_t>(model.bytes, 1)),
                             "smaller", "larger"),
                  bytes_text(before.bytes), bytes_text(model.bytes));
  if (before.benchmark && model.benchmark && model.benchmark->median_ms > 0) {
    text += fmt::format(", {} ({:.3g} to {:.3g} ms)",
                        times_text(before.benchmark->median_ms / model.benchmark->median_ms, "faster", "slower"),
                        before.benchmark->median_ms, model.benchmark->median_ms);
  }
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  if (!data.outputs.empty()) text += "; " + agreement_text(data);
  return text + "." + float_text(data);
}

std::string data_words(const std::string& path, const std::string& flags) {
  if (path.empty()) return {};
  return quoted(path) + (flags.empty() ? "" : " " + flags);
}

std::vector<Advice> advice_for(const Data& data, const std::string& data_flags) {
  std::vector<Advice> out;
  if (!data.reference) return out;
  std::map<std::string, int> helps;
  for (const OperatorView& op : data.operators) {
    if (op.precision == Precision::kFloat32 && !op.help.empty()) ++helps[fmt::format("{}: {}", op.type, op.help)];
  }
  advise_on_error(data, data_flags, out);
  advise_on_clipping(data, data_flags, out);
  for (const auto& [text, count] : helps) out.push_back({fmt::format("{} in float. {}", count, text), ""});
  if (out.empty()) {
    out.push_back({"Nothing stands out. Measure the accuracy on labelled data that calibration did not see.",
                   fmt::format("fewbits eval {} --data {}", quoted(data.model.path),
                               data_flags.empty() ? "LABELLED_DATA" : data_flags)});
  }
  return out;
}

}  // namespace fewbits::report
