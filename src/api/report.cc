// Public reports: measures with what compare_models() and benchmark_model() are made of, and hands the numbers to report/.
#include "fewbits/report.h"

#include <algorithm>
#include <cmath>

#include "api/compare.h"
#include "api/impl.h"
#include "api/runtime/guard.h"
#include "base/file.h"
#include "evaluate/real_values.h"
#include "fewbits/quantize.h"
#include "fewbits/version.h"
#include "report/advice.h"
#include "report/operators.h"
#include "report/picture.h"
#include "report/render.h"

namespace fewbits {

struct Report::Impl {
  report::Data data;
};

namespace {

using report::OperatorView;
using report::Precision;

// The samples whose answers moved the most, worst first.
class WorstSamples {
 public:
  explicit WorstSamples(size_t most) : most_(most) {}

  void see(const calibrate::Sample& sample, std::span<const evaluate::RealTensor> reference,
           std::span<const evaluate::RealTensor> other) {
    if (most_ == 0 || reference.empty()) return;
    evaluate::ErrorSums sums;
    for (size_t i = 0; i < reference.size(); ++i) {
      if (!sums.add(reference[i], other[i])) return;
    }
    report::WorstSample found;
    found.sqnr_db = sums.result().sqnr_db;
    found.reference_class = class_of(reference[0]);
    found.other_class = class_of(other[0]);
    if (std::isinf(found.sqnr_db) && found.sqnr_db > 0) return;
    const auto at = std::upper_bound(samples_.begin(), samples_.end(), found, worse);
    if (at == samples_.end() && samples_.size() >= most_) return;
    found.source = sample.source;
    found.label = sample.label;
    for (const Array& input : sample.inputs) {
      if (found.picture.empty()) found.picture = report::picture_of(input);
    }
    samples_.insert(at, std::move(found));
    if (samples_.size() > most_) samples_.pop_back();
  }

  std::vector<report::WorstSample> take() { return std::move(samples_); }

 private:
  // A changed answer is worse than any distance.
  static bool worse(const report::WorstSample& a, const report::WorstSample& b) {
    const bool changed_a = a.reference_class != a.other_class, changed_b = b.reference_class != b.other_class;
    return changed_a != changed_b ? changed_a : a.sqnr_db < b.sqnr_db;
  }

  // Of one row of scores.
  static std::optional<size_t> class_of(const evaluate::RealTensor& tensor) {
    const Shape& shape = tensor.view.shape;
    const size_t count = evaluate::real_count(tensor.view);
    if (shape.empty() || count < 2 || count != static_cast<size_t>(shape.back())) return std::nullopt;
    return evaluate::argmax(tensor, 0, count);
  }

  size_t most_;
  std::vector<report::WorstSample> samples_;
};

// samples: that were compared before, which is what the progress goes on telling.
Result<report::ModelSummary> summary_of(const ModelPtr& model, const ReportOptions& options, size_t samples) {
  report::ModelSummary out;
  const ModelDescription description = describe_model(*model);
  out.path = description.path;
  out.constant_bytes = description.constant_bytes;
  for (const SubgraphDescription& graph : description.subgraphs) out.operators += graph.operators.size();
  FB_ASSIGN(const std::vector<uint8_t> bytes, model_bytes(*model));
  out.bytes = bytes.size();
  if (options.runs == 0) return out;
  BenchmarkOptions timing;
  timing.signature = options.signature;
  timing.threads = options.threads;
  timing.runs = options.runs;
  bool stopped = false;
  timing.progress = [&](size_t, size_t) {
    stopped = options.progress && !options.progress(samples, samples);
    return !stopped;
  };
  auto plain = benchmark_model(model, timing);
  if (stopped) return tl::unexpected<Error>(plain.error());
  if (!plain) return out;  // inputs of strings and the like: the rest of the report does not need times
  timing.profile = true;
  auto profiled = benchmark_model(model, timing);
  if (stopped) return tl::unexpected<Error>(profiled.error());
  if (profiled) plain->operators = std::move(profiled->operators);
  out.benchmark = *std::move(plain);
  return out;
}

QuantizeMode mode_of(const std::vector<OperatorView>& operators) {
  const auto has = [&](Precision precision) {
    return std::any_of(operators.begin(), operators.end(), [&](const auto& op) { return op.precision == precision; });
  };
  if (has(Precision::kInt16)) return QuantizeMode::kInt16x8;
  if (has(Precision::kInt8)) return QuantizeMode::kInt8;
  return has(Precision::kFloat16) ? QuantizeMode::kFloat16 : QuantizeMode::kWeights;
}

// Why operators stayed in float, as the quantizer would say it of the reference.
void explain(const Model& reference, const report::Operators& operators, report::Data& data) {
  const auto decisions = explain_quantization(reference, {mode_of(data.operators)});
  if (!decisions) return;
  std::map<std::string, const Decision*> by_output;
  for (const Decision& decision : *decisions) {
    if (decision.graph == 0) by_output.emplace(decision.output, &decision);
  }
  for (size_t i = 0; i < data.operators.size(); ++i) {
    OperatorView& op = data.operators[i];
    if (operators.counterparts()[i] < 0 || op.precision != Precision::kFloat32) continue;
    const auto found = by_output.find(op.output);
    if (found == by_output.end()) continue;
    op.reason = found->second->reason;
    op.help = found->second->help;
    if (op.reason.empty()) op.reason = "it was excluded, or calibration did not see it";
  }
}

void add_times(report::Data& data, const report::Operators& operators) {
  using Times = std::map<int32_t, const OperatorTime*>;
  const auto by_index = [](const std::optional<Benchmark>& benchmark) {
    Times times;
    if (!benchmark) return times;
    for (const OperatorTime& time : benchmark->operators) times.emplace(time.index, &time);
    return times;
  };
  const auto milliseconds = [](const OperatorTime& time) { return static_cast<double>(time.nanoseconds) / 1e6; };
  const Times mine = by_index(data.model.benchmark);
  const Times theirs = data.reference ? by_index(data.reference->benchmark) : Times{};
  for (size_t i = 0; i < data.operators.size(); ++i) {
    OperatorView& op = data.operators[i];
    if (const auto found = mine.find(op.index); found != mine.end()) {
      op.ms = milliseconds(*found->second);
      op.kernel = found->second->kernel;
    }
    if (operators.counterparts()[i] < 0) continue;
    const auto counterpart = static_cast<size_t>(operators.counterparts()[i]);
    const auto found = theirs.find(operators.reference().operators[counterpart].index);
    if (found != theirs.end()) op.reference_ms = milliseconds(*found->second);
  }
  if (data.reference && data.reference->benchmark) data.reference_times = data.reference->benchmark->operators;
}

void add_sizes(report::Data& data, const report::Operators& operators) {
  for (const OperatorDescription& op : operators.reference().operators) {
    if (op.constant_bytes > 0) data.reference_sizes.push_back({op.index, op.type, op.constant_bytes});
  }
}

void add_layers(report::Data& data, const Comparison& comparison, const report::Operators& operators,
                const std::map<int32_t, report::HistogramBuilder>& watched) {
  std::map<std::string, const LayerComparison*> by_name;
  for (const LayerComparison& layer : comparison.layers) by_name.emplace(layer.other_name, &layer);
  for (size_t i = 0; i < data.operators.size(); ++i) {
    auto found = by_name.find(data.operators[i].output);
    // The integers that a DEQUANTIZE makes the model's output of were compared as that output.
    if (found == by_name.end()) found = by_name.find(report::without_twin(data.operators[i].output));
    if (found != by_name.end()) data.operators[i].error = found->second->error;
    const int theirs = operators.counterparts()[i];
    if (theirs < 0) continue;
    const auto& outputs = operators.reference().operators[static_cast<size_t>(theirs)].outputs;
    const auto histogram = outputs.empty() ? watched.end() : watched.find(outputs[0]);
    if (histogram != watched.end()) data.operators[i].activation = histogram->second.result();
  }
}

Result<report::Data> collect(const ModelPtr& reference, const ModelPtr& other, Dataset& source,
                             const ReportOptions& options) {
  report::Data data;
  data.version = version();
  data.threads = options.threads;
  const report::Operators operators(reference.get(), *other);
  auto watched = operators.watched();
  WorstSamples worst(options.worst_samples);
  api::CompareHooks hooks;
  hooks.reference_tap = [&](int32_t graph, ValueId value, const TensorView& tensor) -> Status {
    const auto found = graph == 0 ? watched.find(value) : watched.end();
    if (found != watched.end() && tensor.dtype == DType::kFloat32 && tensor.data != nullptr) {
      found->second.add({static_cast<const float*>(tensor.data), tensor.bytes / sizeof(float)});
    }
    return {};
  };
  hooks.after_sample = [&](const calibrate::Sample& sample, std::span<const evaluate::RealTensor> mine,
                           std::span<const evaluate::RealTensor> theirs) { worst.see(sample, mine, theirs); };
  FB_ASSIGN(const Comparison comparison,
            api::compare(reference, other, source,
                         {options.signature, options.samples, options.threads, true, options.progress}, hooks));
  data.samples = comparison.samples;
  data.skipped = comparison.skipped;
  data.outputs = comparison.outputs;
  data.unmatched_layers = comparison.unmatched_layers;
  data.worst = worst.take();
  FB_ASSIGN(data.reference, summary_of(reference, options, data.samples));
  FB_ASSIGN(data.model, summary_of(other, options, data.samples));
  operators.describe(data);
  explain(*reference, operators, data);
  add_times(data, operators);
  add_sizes(data, operators);
  add_layers(data, comparison, operators, watched);
  data.verdict = report::verdict_of(data);
  data.advice = report::advice_for(data, report::data_words(options.data_path, options.data_flags));
  return data;
}

Result<report::Data> collect(const ModelPtr& model, const ReportOptions& options) {
  report::Data data;
  data.version = version();
  data.threads = options.threads;
  const report::Operators operators(nullptr, *model);
  FB_ASSIGN(data.model, summary_of(model, options, 0));
  operators.describe(data);
  add_times(data, operators);
  data.verdict = report::verdict_of(data);
  return data;
}

Status write(const std::string& path, const std::string& text) {
  return write_file_atomically(path, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

}  // namespace

std::string Report::html() const { return report::to_html(impl_->data); }
std::string Report::json() const { return report::to_json(impl_->data); }
const std::string& Report::verdict() const noexcept { return impl_->data.verdict; }

Status Report::save(const std::string& path) const {
  return api::guarded([&]() -> Status {
    if (path.ends_with(".json")) return write(path, json());
    const size_t dot = path.find_last_of("./");
    const bool has_ending = dot != std::string::npos && path[dot] == '.' && dot > 0;
    FB_TRY(write(path, html()));
    return write((has_ending ? path.substr(0, dot) : path) + ".json", json());
  });
}

Result<Report> make_report(const ModelPtr& reference, const ModelPtr& other, Dataset& data,
                           const ReportOptions& options) {
  return api::guarded([&]() -> Result<Report> {
    FB_TRY(api::check_model(reference));
    FB_TRY(api::check_model(other));
    FB_TRY(api::check_threads(options.threads));
    FB_ASSIGN(report::Data collected, collect(reference, other, data, options));
    return Report(std::make_shared<const Report::Impl>(Report::Impl{std::move(collected)}));
  });
}

Result<Report> make_report(const ModelPtr& model, const ReportOptions& options) {
  return api::guarded([&]() -> Result<Report> {
    FB_TRY(api::check_model(model));
    FB_TRY(api::check_threads(options.threads));
    FB_ASSIGN(report::Data collected, collect(model, options));
    return Report(std::make_shared<const Report::Impl>(Report::Impl{std::move(collected)}));
  });
}

}  // namespace fewbits
