// A Session runs a plan: it owns the memory of activations and state, and belongs to one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "runtime/plan.h"

namespace fewbits::runtime {

// Sees every value as it is made: graph inputs first, then each operator's outputs. The view dies when the tap returns.
using Tap = std::function<Status(int32_t graph, ValueId value, const TensorView& tensor)>;

struct SessionOptions {
  int threads = 1;
};

class Session {
 public:
  static Result<std::unique_ptr<Session>> make(std::shared_ptr<const Plan> plan, const SessionOptions& options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Plan& plan() const noexcept { return *plan_; }

  // Where input i is to be written: input_bytes(i) bytes, the caller fills them before run(). Stays valid and untouched by run().
  void* input(size_t i) noexcept;
  TensorView input_view(size_t i) const;
  // Output i after a run; valid until the next run.
  TensorView output(size_t i) const;

  // A value of the plan's graph: constants and inputs always, the others after a run until their memory is reused.
  TensorView value_view(ValueId id) const { return view(id); }

  // Runs the plan on the inputs. Allocates nothing when no step of the plan is dynamic and no hook is set.
  Status run();
  // Sets variables and resources back to their start.
  void reset_state();

  void set_tap(Tap tap) { tap_ = std::move(tap); }  // empty: none
  // Nanoseconds of each step of the last run; empty unless profiling is on.
  void set_profiling(bool on);
  const std::vector<int64_t>& step_nanoseconds() const noexcept { return nanoseconds_; }
  // The choice that a step's kernel made ("gemm_s8 avx512vnni"); known for dynamic steps after a run.
  const std::string& choice(size_t step) const;

 private:
  struct DynamicStep;
  class StepArgs;
  Session(std::shared_ptr<const Plan> plan, std::shared_ptr<ThreadPool> pool, std::shared_ptr<ResourceStore> resources,
          int depth);
  Status allocate();
  void clear_state() noexcept;
  Status run_dynamic(size_t step);
  Status tap_outputs(const Step& step);
  TensorView view(ValueId id) const;
  TensorInfo info(ValueId id) const;
  Result<void*> make_dynamic(ValueId id, const Shape& shape, size_t bytes);
  Result<std::vector<OwnedTensor>> call(int32_t graph, std::span<const TensorView> inputs);

  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<ThreadPool> pool_;
  std::shared_ptr<ResourceStore> resources_;
  int depth_ = 0;  // of subgraph calls
  std::unique_ptr<std::byte[]> memory_;
  std::byte *arena_ = nullptr, *state_ = nullptr, *workspace_ = nullptr;
  std::vector<void*> pointers_;                           // operand pointers of all steps, in order
  std::vector<std::pair<size_t, size_t>> step_pointers_;  // where a step's inputs and outputs begin
  std::vector<std::unique_ptr<OwnedTensor>> dynamic_;     // by value id
  std::vector<std::unique_ptr<DynamicStep>> dynamic_steps_;
  std::map<int32_t, std::unique_ptr<Session>> callees_;
  std::vector<std::byte> dynamic_workspace_;
  Tap tap_;
  bool profiling_ = false;
  std::vector<int64_t> nanoseconds_;
};

}  // namespace fewbits::runtime
