// Runs a model on representative data and learns the range of every float tensor.
#include "calibrate/collector.h"

#include <cmath>
#include <cstring>
#include <set>

#include "ir/op_def.h"

namespace fewbits::calibrate {
namespace {

struct Extremes {
  float min = std::numeric_limits<float>::infinity(), max = -std::numeric_limits<float>::infinity();
  bool finite = true;
};

Extremes extremes(const float* values, size_t count) {
  // Four running extremes, so that the loop is not one chain of dependent operations.
  constexpr size_t kLanes = 16;
  float lo[kLanes], hi[kLanes], bad[kLanes];
  for (size_t l = 0; l < kLanes; ++l) lo[l] = std::numeric_limits<float>::infinity(), hi[l] = -lo[l], bad[l] = 0;
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) {
      const float v = values[i + l];
      lo[l] = v < lo[l] ? v : lo[l];
      hi[l] = v > hi[l] ? v : hi[l];
      bad[l] += v - v;  // 0, but NaN for NaN and infinity
    }
  }
  Extremes out;
  for (; i < count; ++i) {
    out.min = std::min(out.min, values[i]);
    out.max = std::max(out.max, values[i]);
    out.finite &= std::isfinite(values[i]);
  }
  for (size_t l = 0; l < kLanes; ++l) {
    out.min = std::min(out.min, lo[l]);
    out.max = std::max(out.max, hi[l]);
    out.finite &= bad[l] == 0;
  }
  return out;
}

Extremes finite_extremes(const float* values, size_t count) {
  Extremes out;
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) continue;
    out.min = std::min(out.min, values[i]);
    out.max = std::max(out.max, values[i]);
  }
  return out;
}

// The mean of each channel (the last dimension) over all positions.
std::vector<double> channel_means(const float* values, size_t count, size_t channels) {
  constexpr size_t kBlock = 64;  // rows summed in float32 before they go into float64
  std::vector<double> sums(channels, 0.0);
  std::vector<float> block(channels);
  const size_t rows = count / channels;
  for (size_t row = 0; row < rows;) {
    std::fill(block.begin(), block.end(), 0.0f);
    for (const size_t end = std::min(rows, row + kBlock); row < end; ++row) {
      const float* at = values + row * channels;
      for (size_t c = 0; c < channels; ++c) block[c] += at[c];
    }
    for (size_t c = 0; c < channels; ++c) sums[c] += block[c];
  }
  for (double& sum : sums) sum /= static_cast<double>(rows);
  return sums;
}

// The values that are multiplied with constant weights by operators that have, or could have, a constant bias; by subgraph.
std::set<std::pair<int32_t, ValueId>> inputs_of_biased_products(const Model& model) {
  std::set<std::pair<int32_t, ValueId>> found;
  for (size_t g = 0; g < model.graphs.size(); ++g) {
    const Graph& graph = model.graphs[g];
    const auto is_constant = [&](ValueId id) { return id != kNoValue && graph.value(id).is_const; };
    for (NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      const OpDef* def = find_op(node);
      if (def == nullptr) continue;
      const auto& rules = def->quant.inputs;
      for (size_t i = 0; i < rules.size(); ++i) {
        const bool absent = i >= node.inputs.size() || node.inputs[i] == kNoValue;
        if (rules[i].kind != OperandQuant::kBias || !(absent || is_constant(node.inputs[i]))) continue;
        const auto input = static_cast<size_t>(rules[i].input), weights = static_cast<size_t>(rules[i].weights);
        if (std::max(input, weights) >= node.inputs.size() || !is_constant(node.inputs[weights])) continue;
        if (node.inputs[input] != kNoValue) found.emplace(static_cast<int32_t>(g), node.inputs[input]);
      }
    }
  }
  return found;
}

// What SOFTMAX reads, by subgraph.
std::set<std::pair<int32_t, ValueId>> inputs_of_softmax(const Model& model) {
  std::set<std::pair<int32_t, ValueId>> found;
  for (size_t g = 0; g < model.graphs.size(); ++g) {
    for (NodeId id : model.graphs[g].order()) {
      const Node& node = model.graphs[g].node(id);
      if (node.op == Op::SOFTMAX && !node.inputs.empty()) found.emplace(static_cast<int32_t>(g), node.inputs[0]);
    }
  }
  return found;
}

// The least of the rows' largest elements.
float least_top(const float* values, size_t count, size_t depth) {
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < count; i += depth) least = std::min(least, extremes(values + i, depth).max);
  return least;
}

std::string describe_value(const Graph& graph, ValueId id) {
  const NodeId producer = UseMap(graph).producer(id);
  return producer < 0 ? fmt::format("input '{}'", graph.value(id).name)
                      : fmt::format("tensor '{}' of {}", graph.value(id).name, describe_node(graph, producer));
}

class Collector {
 public:
  Collector(const Model& model, const CollectOptions& options)
      : model_(model),
        options_(options),
        with_means_(inputs_of_biased_products(model)),
        with_tops_(inputs_of_softmax(model)) {
    statistics_.fingerprint = model_fingerprint(model);
  }

  Status see(int32_t graph, ValueId id, const TensorView& tensor) {
    if (tensor.dtype != DType::kFloat32) return {};
    const auto* values = static_cast<const float*>(tensor.data);
    const size_t count = tensor.bytes / sizeof(float);
    if (count == 0) return {};
    Extremes range = extremes(values, count);
    if (!range.finite) {
      if (options_.non_finite == NonFiniteRange::kError) return not_finite(graph, id, values, count);
      range = finite_extremes(values, count);
      if (range.min > range.max) return {};
    }
    TensorStats& stats = statistics_.tensors[{graph, id}];
    if (stats.samples == 0) stats.name = model_.graphs[static_cast<size_t>(graph)].value(id).name;
    stats.add(range.min, range.max);
    if (tensor.shape.empty()) return {};
    const auto depth = static_cast<size_t>(tensor.shape.back());
    if (range.finite && with_means_.contains({graph, id})) stats.add_means(channel_means(values, count, depth));
    if (with_tops_.contains({graph, id})) stats.least_top = std::min(stats.least_top, least_top(values, count, depth));
    return {};
  }

  Statistics take(size_t samples) {
    statistics_.samples = samples;
    return std::move(statistics_);
  }

 private:
  Status not_finite(int32_t graph, ValueId id, const float* values, size_t count) const {
    size_t at = 0;
    while (at < count && std::isfinite(values[at])) ++at;
    return fail(ErrorCode::kInvalidData, "{} holds {} at element {} of {}",
                describe_value(model_.graphs[static_cast<size_t>(graph)], id), values[at], at, count);
  }

  const Model& model_;
  const CollectOptions& options_;
  const std::set<std::pair<int32_t, ValueId>> with_means_, with_tops_;
  Statistics statistics_;
};

InputSpec input_spec(const Value& value) {
  InputSpec spec;
  spec.name = value.name;
  spec.dtype = value.dtype;
  spec.shape = value.shape_signature.empty() ? value.shape : value.shape_signature;
  if (value.quant.scale.size() == 1) {
    spec.scale = value.quant.scale[0];
    spec.zero_point = value.quant.zero();
  }
  return spec;
}

}  // namespace

Result<ModelInputs> model_inputs(const Model& model, const std::string& wanted) {
  ModelInputs inputs;
  const Signature* signature = nullptr;
  std::string known;
  for (const Signature& s : model.signatures) {
    if (signature == nullptr && (wanted.empty() || s.key == wanted)) signature = &s;
    known += (known.empty() ? "" : ", ") + s.key;
  }
  if (!wanted.empty() && signature == nullptr) {
    return fail(ErrorCode::kNotFound, "{}: there is no signature '{}'; it has {}", model.path, wanted,
                known.empty() ? "none" : known);
  }
  if (signature != nullptr) {
    inputs.graph = signature->graph;
    inputs.signature = signature->key;
  }
  const Graph& graph = model.graphs[static_cast<size_t>(inputs.graph)];
  for (ValueId id : graph.inputs) {
    inputs.specs.push_back(input_spec(graph.value(id)));
    if (signature == nullptr) continue;
    for (const SignatureTensor& tensor : signature->inputs) {
      if (tensor.value == id) inputs.specs.back().signature_name = tensor.name;
    }
  }
  return inputs;
}

SampleRunner::SampleRunner(std::shared_ptr<const Model> model, int32_t graph, int threads, runtime::Tap tap)
    : model_(std::move(model)), graph_(graph), threads_(threads), tap_(std::move(tap)) {}

Result<runtime::Session*> SampleRunner::run(const Sample& sample) {
  bool fits = session_ != nullptr;
  for (size_t i = 0; fits && i < sample.inputs.size(); ++i)
    fits = session_->input_view(i).shape == sample.inputs[i].shape;
  if (!fits) {
    runtime::PlanOptions options;
    options.graph = graph_;
    options.fuse = false;  // the tap wants every value
    for (size_t i = 0; i < sample.inputs.size(); ++i) options.input_shapes[i] = sample.inputs[i].shape;
    session_.reset();
    FB_ASSIGN(auto plan, runtime::Plan::make(model_, options));
    FB_ASSIGN(session_, runtime::Session::make(std::move(plan), {threads_}));
    session_->set_tap(tap_);
  } else {
    session_->reset_state();
  }
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    const auto& bytes = sample.inputs[i].bytes;
    if (bytes.size() != session_->input_view(i).bytes) {
      return fail(ErrorCode::kInternal, "{}: input {} takes {} bytes, not {}", sample.source, i,
                  session_->input_view(i).bytes, bytes.size());
    }
    if (!bytes.empty()) std::memcpy(session_->input(i), bytes.data(), bytes.size());
  }
  const Status status = session_->run();
  if (!status) return with_context(status.error(), sample.source);
  return session_.get();
}

Result<Statistics> collect(std::shared_ptr<const Model> model, Dataset& data, SampleWalk walk,
                           const CollectOptions& options) {
  FB_ASSIGN(const ModelInputs inputs, model_inputs(*model, options.signature));
  Collector collector(*model, options);
  SampleRunner runner(model, inputs.graph, options.threads, [&](int32_t graph, ValueId id, const TensorView& tensor) {
    return collector.see(graph, id, tensor);
  });
  size_t seen = 0;
  while (true) {
    FB_ASSIGN(const std::optional<size_t> index, walk.next(data));
    if (!index) break;
    FB_ASSIGN(const Sample sample, data.sample(*index, inputs.specs));
    if (sample.skipped.empty()) {
      FB_TRY(runner.run(sample));
      ++seen;
    }
    if (options.progress && !options.progress(walk.done(), walk.total())) {
      return fail(ErrorCode::kInvalidArgument, "calibration was stopped after {}", walk.progress_text());
    }
  }
  if (walk.done() == 0)
    return fail(ErrorCode::kInvalidData, "the data gave no sample, so there is nothing to learn from");
  if (seen == 0) return fail(ErrorCode::kInvalidData, "all {} samples hold NaN or infinity", walk.done());
  return collector.take(seen);
}

}  // namespace fewbits::calibrate
