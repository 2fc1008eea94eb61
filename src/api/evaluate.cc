// Comparison of two models and accuracy on labels: sessions of calibrate/ feed the measures of evaluate/.
#include "fewbits/evaluate.h"

#include <algorithm>

#include "api/compare.h"
#include "api/impl.h"
#include "api/runtime/guard.h"
#include "api/runtime/interface.h"
#include "evaluate/accuracy.h"
#include "evaluate/layers.h"
#include "evaluate/metrics.h"
#include "ir/model.h"

namespace fewbits {
namespace {

using calibrate::Sample;
using calibrate::SampleRunner;

// Which output of `other` answers each of `mine`.
Result<std::vector<size_t>> pair_outputs(const std::vector<TensorSpec>& mine, const std::vector<TensorSpec>& other) {
  if (mine.size() != other.size()) {
    return fail(ErrorCode::kInvalidArgument, "the models have {} and {} outputs, so they cannot be compared",
                mine.size(), other.size());
  }
  const auto pair_by = [&](const auto& name_of) -> std::optional<std::vector<size_t>> {
    std::vector<size_t> pairs;
    for (const TensorSpec& spec : mine) {
      const auto found = std::find_if(other.begin(), other.end(), [&](const TensorSpec& o) {
        return !name_of(o).empty() && name_of(o) == name_of(spec);
      });
      if (found == other.end()) return std::nullopt;
      pairs.push_back(static_cast<size_t>(found - other.begin()));
    }
    return pairs;
  };
  if (auto pairs = pair_by([](const TensorSpec& s) { return s.signature_name; })) return *pairs;
  if (auto pairs = pair_by([](const TensorSpec& s) { return s.name; })) return *pairs;
  std::vector<size_t> pairs(mine.size());
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = i;
  return pairs;
}

class Comparer {
 public:
  Comparer(const ModelPtr& reference, const ModelPtr& other, Dataset& data, const CompareOptions& options,
           const api::CompareHooks& hooks)
      : reference_(reference),
        other_(other),
        data_(data),
        options_(options),
        hooks_(hooks),
        layers_(*reference, *other) {}

  Result<Comparison> run() {
    FB_ASSIGN(mine_, calibrate::model_inputs(*reference_, options_.signature));
    FB_ASSIGN(theirs_, calibrate::model_inputs(*other_, options_.signature));
    FB_ASSIGN(const auto my_interface, api::interface_of(*reference_, options_.signature));
    FB_ASSIGN(const auto their_interface, api::interface_of(*other_, options_.signature));
    FB_ASSIGN(pairs_, pair_outputs(my_interface.outputs, their_interface.outputs));
    sums_.resize(pairs_.size());
    agreements_.resize(pairs_.size());
    runtime::Tap my_tap, their_tap;
    if (options_.layers) {
      my_tap = [this](int32_t g, ValueId v, const TensorView& tensor) -> Status {
        if (hooks_.reference_tap) FB_TRY(hooks_.reference_tap(g, v, tensor));
        return layers_.see_reference(g, v, tensor);
      };
      their_tap = [this](int32_t g, ValueId v, const TensorView& tensor) { return layers_.see_other(g, v, tensor); };
    }
    SampleRunner my_runner(reference_, mine_.graph, options_.threads, my_tap);
    SampleRunner their_runner(other_, theirs_.graph, options_.threads, their_tap);
    FB_ASSIGN(const api::SampleCounts counts,
              api::for_each_sample(data_, options_.samples, options_.progress,
                                   [&](size_t index) { return compare_sample(index, my_runner, their_runner); }));
    Comparison out;
    out.samples = counts.seen;
    out.skipped = counts.skipped;
    for (size_t i = 0; i < pairs_.size(); ++i) {
      out.outputs.push_back({my_interface.outputs[i].label(), their_interface.outputs[pairs_[i]].label(),
                             sums_[i].result(), agreements_[i].result(), agreements_[i].rows()});
    }
    if (options_.layers) {
      out.layers = layers_.results();
      out.unmatched_layers = layers_.unmatched();
    }
    return out;
  }

 private:
  Result<bool> compare_sample(size_t index, SampleRunner& my_runner, SampleRunner& their_runner) {
    FB_ASSIGN(const Sample my_sample, data_.impl().data->sample(index, mine_.specs));
    if (!my_sample.skipped.empty()) return false;
    FB_ASSIGN(const Sample their_sample, data_.impl().data->sample(index, theirs_.specs));
    if (!their_sample.skipped.empty()) return false;
    layers_.start_sample();
    FB_ASSIGN(const runtime::Session* mine, my_runner.run(my_sample));
    FB_ASSIGN(const runtime::Session* theirs, their_runner.run(their_sample));
    std::vector<evaluate::RealTensor> answers, other_answers;
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const evaluate::RealTensor a = output(*mine, i), b = output(*theirs, pairs_[i]);
      answers.push_back(a);
      other_answers.push_back(b);
      const Status added = sums_[i].add(a, b);
      if (!added) {
        return with_context(added.error(),
                            fmt::format("{}: output '{}'", my_sample.source, output_value(*mine, i).name));
      }
      agreements_[i].add(a, b);
    }
    if (hooks_.after_sample) hooks_.after_sample(my_sample, answers, other_answers);
    return true;
  }

  static const Value& output_value(const runtime::Session& session, size_t i) {
    const Graph& graph = session.plan().graph();
    return graph.value(graph.outputs[i]);
  }
  static evaluate::RealTensor output(const runtime::Session& session, size_t i) {
    return {session.output(i), &output_value(session, i).quant};
  }

  ModelPtr reference_, other_;
  Dataset& data_;
  const CompareOptions& options_;
  const api::CompareHooks& hooks_;
  evaluate::LayerComparer layers_;
  calibrate::ModelInputs mine_, theirs_;
  std::vector<size_t> pairs_;
  std::vector<evaluate::ErrorSums> sums_;
  std::vector<evaluate::Agreement> agreements_;
};

// The output to score, the first with one score a class.
Result<size_t> scored_output(const std::vector<TensorSpec>& outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (evaluate::class_count(outputs[i].shape) > 0) return i;
  }
  std::string shapes;
  for (const TensorSpec& spec : outputs)
    shapes += fmt::format("{}'{}' {}", shapes.empty() ? "" : ", ", spec.label(), shape_text(spec.shape));
  return fail(ErrorCode::kInvalidArgument, "no output holds one score a class: the outputs are {}", shapes);
}

class Scorer {
 public:
  Scorer(const ModelPtr& model, Dataset& data, const AccuracyOptions& options)
      : model_(model), data_(data), options_(options) {}

  Result<Accuracy> run() {
    constexpr int32_t kClassesWithBackground = 1001;
    FB_ASSIGN(inputs_, calibrate::model_inputs(*model_, options_.signature));
    FB_ASSIGN(const auto interface, api::interface_of(*model_, options_.signature));
    FB_ASSIGN(output_, scored_output(interface.outputs));
    out_.output = interface.outputs[output_].label();
    out_.classes = evaluate::class_count(interface.outputs[output_].shape);
    out_.label_offset = options_.label_offset.value_or(out_.classes == kClassesWithBackground ? 1 : 0);
    SampleRunner runner(model_, inputs_.graph, options_.threads);
    FB_ASSIGN(const api::SampleCounts counts, api::for_each_sample(data_, options_.samples, options_.progress,
                                                                   [&](size_t index) { return score(index, runner); }));
    out_.samples = counts.seen;
    out_.skipped = counts.skipped;
    out_.top1 = static_cast<double>(out_.top1_hits) / static_cast<double>(counts.seen);
    out_.top5 = static_cast<double>(out_.top5_hits) / static_cast<double>(counts.seen);
    return out_;
  }

 private:
  Result<bool> score(size_t index, SampleRunner& runner) {
    FB_ASSIGN(const Sample sample, data_.impl().data->sample(index, inputs_.specs));
    if (!sample.skipped.empty()) return false;
    if (!sample.label) {
      return fail(ErrorCode::kInvalidData,
                  "{}: there is no label; give one folder a class, names such as 0042_name.jpg, or an "
                  "array 'labels' in the .npz",
                  sample.source);
    }
    const int64_t true_class = int64_t{*sample.label} + out_.label_offset;
    if (true_class < 0 || true_class >= out_.classes) {
      return fail(ErrorCode::kInvalidData, "{}: its label {} (offset {}) is none of the {} classes of output '{}'",
                  sample.source, *sample.label, out_.label_offset, out_.classes, out_.output);
    }
    FB_ASSIGN(const runtime::Session* session, runner.run(sample));
    const Graph& graph = session->plan().graph();
    const evaluate::RealTensor scores{session->output(output_), &graph.value(graph.outputs[output_]).quant};
    const size_t expected = static_cast<size_t>(out_.classes);
    const size_t count = element_count(scores.view.shape);
    if (count != expected && !(count == 1 && out_.classes == 2)) {
      return fail(ErrorCode::kInvalidData, "{}: output '{}' has the shape {}, not one score for each of {} classes",
                  sample.source, out_.output, shape_text(scores.view.shape), out_.classes);
    }
    const int64_t rank = evaluate::rank_of(scores, static_cast<int32_t>(true_class));
    out_.top1_hits += rank == 0;
    out_.top5_hits += rank < 5;
    return true;
  }

  ModelPtr model_;
  Dataset& data_;
  const AccuracyOptions& options_;
  calibrate::ModelInputs inputs_;
  size_t output_ = 0;
  Accuracy out_;
};

}  // namespace

Result<Comparison> api::compare(const ModelPtr& reference, const ModelPtr& other, Dataset& data,
                                const CompareOptions& options, const CompareHooks& hooks) {
  FB_TRY(api::check_model(reference));
  FB_TRY(api::check_model(other));
  FB_TRY(api::check_threads(options.threads));
  return Comparer(reference, other, data, options, hooks).run();
}

Result<Comparison> compare_models(const ModelPtr& reference, const ModelPtr& other, Dataset& data,
                                  const CompareOptions& options) {
  return api::guarded([&] { return api::compare(reference, other, data, options, {}); });
}

Result<Accuracy> evaluate_accuracy(const ModelPtr& model, Dataset& data, const AccuracyOptions& options) {
  return api::guarded([&]() -> Result<Accuracy> {
    FB_TRY(api::check_model(model));
    FB_TRY(api::check_threads(options.threads));
    return Scorer(model, data, options).run();
  });
}

}  // namespace fewbits
