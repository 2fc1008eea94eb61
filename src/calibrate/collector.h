// Runs a model on representative data and learns the range of every float tensor, one sample in memory at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "calibrate/dataset.h"
#include "ir/statistics.h"
#include "runtime/session.h"

namespace fewbits::calibrate {

// Called after each sample; false stops the work with an error.
using Progress = std::function<bool(size_t done, size_t total)>;

// A model's inputs as data sees them, and the subgraph behind them.
struct ModelInputs {
  int32_t graph = 0;
  std::string signature;  // empty when the model has none
  std::vector<InputSpec> specs;
};
// The inputs of a signature, or of the model's only way in when `signature` is empty: its first signature, else subgraph 0.
// The order is that of the subgraph's inputs. Errors list the signatures that there are.
Result<ModelInputs> model_inputs(const Model& model, const std::string& signature = {});

// Runs samples of any shape through sessions of one model: a new plan when the inputs' shapes change.
class SampleRunner {
 public:
  SampleRunner(std::shared_ptr<const Model> model, int32_t graph, int threads, runtime::Tap tap = {});
  // Runs one sample, each sample from the same start: state and resources are reset. The session lives until the next call.
  Result<runtime::Session*> run(const Sample& sample);

 private:
  std::shared_ptr<const Model> model_;
  int32_t graph_;
  int threads_;
  runtime::Tap tap_;
  std::unique_ptr<runtime::Session> session_;
};

enum class NonFiniteRange {
  kError,   // a tensor with NaN or infinity stops calibration
  kIgnore,  // such elements are left out of the range
};

struct CollectOptions {
  std::string signature;
  int threads = 1;
  NonFiniteRange non_finite = NonFiniteRange::kError;
  Progress progress;
};

// Statistics over these samples. Errors name the sample, the operator and the tensor.
Result<Statistics> collect(std::shared_ptr<const Model> model, Dataset& data, SampleWalk walk,
                           const CollectOptions& options = {});

}  // namespace fewbits::calibrate
