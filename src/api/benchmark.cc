// Times runs of a model on random input.
#include <algorithm>
#include <chrono>

#include "api/runtime/guard.h"
#include "evaluate/latency.h"
#include "fewbits/evaluate.h"
#include "fewbits/runtime.h"

namespace fewbits {
namespace {

Status fill_inputs(Runtime& runtime, const BenchmarkOptions& options) {
  for (const auto& [name, shape] : options.shapes) FB_TRY(runtime.resize_input(name, shape));
  uint64_t seed = options.seed;
  for (const TensorSpec& spec : runtime.inputs()) {
    FB_ASSIGN(Shape shape, runtime.input_shape(spec.name));
    FB_ASSIGN(const Array array, random_input(spec, seed++, shape));
    if (array.shape != shape) FB_TRY(runtime.resize_input(spec.name, array.shape));
    FB_TRY(runtime.set_input(spec.name, array));
  }
  return {};
}

// The median of each operator over the runs.
std::vector<OperatorTime> summarize_operators(const std::vector<std::vector<OperatorTime>>& profiles) {
  std::vector<OperatorTime> out = profiles.front();
  for (size_t i = 0; i < out.size(); ++i) {
    std::vector<int64_t> times;
    for (const auto& profile : profiles) {
      if (i < profile.size()) times.push_back(profile[i].nanoseconds);
    }
    out[i].nanoseconds = static_cast<int64_t>(evaluate::median(std::move(times)));
  }
  return out;
}

Result<Benchmark> run_benchmark(const ModelPtr& model, const BenchmarkOptions& options) {
  if (options.runs < 1 || options.warmup < 0) {
    return fail(ErrorCode::kInvalidArgument,
                "a benchmark takes at least one run and no negative number of warm-up runs");
  }
  FB_ASSIGN(const auto runtime,
            Runtime::make(model, {options.threads, options.signature, {}, options.strict_fp32, options.pack_cache}));
  FB_TRY(fill_inputs(*runtime, options));
  runtime->set_profiling(options.profile);
  std::vector<int64_t> times;
  std::vector<std::vector<OperatorTime>> profiles;
  const int warmup = std::max(options.warmup, 1);  // the first run of a dynamic model plans
  for (int run = -warmup; run < options.runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    FB_TRY(runtime->run());
    const auto end = std::chrono::steady_clock::now();
    if (run < 0) continue;
    times.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count());
    if (options.profile) profiles.push_back(runtime->profile());
    if (options.progress && !options.progress(times.size(), static_cast<size_t>(options.runs))) {
      return fail(ErrorCode::kInvalidArgument, "stopped after {} of {} runs", times.size(), options.runs);
    }
  }
  const evaluate::Latency latency = evaluate::summarize(std::move(times));
  Benchmark out{options.runs,
                latency.median_ms,
                latency.min_ms,
                latency.p90_ms,
                latency.mean_ms,
                runtime->plan_milliseconds(),
                runtime->memory_bytes(),
                {}};
  if (options.profile) out.operators = summarize_operators(profiles);
  return out;
}

}  // namespace

Result<Benchmark> benchmark_model(const ModelPtr& model, const BenchmarkOptions& options) {
  return api::guarded([&] { return run_benchmark(model, options); });
}

}  // namespace fewbits
