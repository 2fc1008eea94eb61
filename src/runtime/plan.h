// A Plan is a subgraph made ready to run: shapes resolved, kernels chosen and packed, memory laid out. Immutable, shared by
// any number of sessions on any threads.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/op_def.h"

namespace fewbits::runtime {

struct PlanOptions {
  int32_t graph = 0;                      // which subgraph
  std::map<size_t, Shape> input_shapes;   // by index of the subgraph's inputs; others have the file's shape
  size_t memory_limit = size_t{1} << 40;  // bytes of the arena that are refused
  bool fast_float =
      false;  // float products may be sums of products of bfloat16, as exact as float32's (gemm_f32_amx.cc)
  std::shared_ptr<Packs> packs;  // where packed weights are shared and kept; the plan holds on to it
  bool fuse = true;              // several operators may run as one; taps then do not see the values between them
};

enum class Place : uint8_t {
  kNowhere,  // not used by anything that runs
  kConst,    // the model's bytes, or a folded constant
  kArena,    // session memory, reused between values
  kState,    // session memory that keeps its content between runs
  kDynamic,  // made by the session when its size is known
};

struct ValuePlan {
  Place place = Place::kNowhere;
  Shape shape;  // static unless kDynamic
  size_t bytes = 0;
  const void* data = nullptr;  // kConst
  size_t offset = 0;           // kArena, kState
};

// One kernel's work: a node's, or that of several nodes that run as one.
struct Step {
  NodeId node = 0;  // of several the one that stands for all
  const OpDef* def = nullptr;
  std::vector<ValueId> inputs, outputs;
  bool dynamic = false;  // infer and prepare at run time
  Prepared prepared;     // when not dynamic
};

class Plan {
 public:
  // Errors name the file, the operator and what is missing; every operator without a kernel is listed at once.
  static Result<std::shared_ptr<const Plan>> make(std::shared_ptr<const Model> model, const PlanOptions& options = {});

  const Model& model() const noexcept { return *model_; }
  std::shared_ptr<const Model> shared_model() const noexcept { return model_; }
  const Graph& graph() const noexcept { return model_->graphs[static_cast<size_t>(graph_)]; }
  int32_t graph_index() const noexcept { return graph_; }
  bool fuses() const noexcept { return fuse_; }
  bool fast_float() const noexcept { return fast_float_; }
  const std::shared_ptr<Packs>& packs() const noexcept { return packs_; }
  const std::vector<Step>& steps() const noexcept { return steps_; }
  const ValuePlan& value(ValueId id) const noexcept { return values_[static_cast<size_t>(id)]; }
  size_t arena_bytes() const noexcept { return arena_bytes_; }
  size_t state_bytes() const noexcept { return state_bytes_; }
  size_t workspace_bytes() const noexcept { return workspace_bytes_; }

 private:
  friend class PlanBuilder;
  std::shared_ptr<const Model> model_;
  int32_t graph_ = 0;
  bool fuse_ = true, fast_float_ = false;
  std::vector<Step> steps_;
  std::vector<ValuePlan> values_;
  std::shared_ptr<Packs> packs_;
  std::vector<std::unique_ptr<OwnedTensor>> folded_;
  size_t arena_bytes_ = 0, state_bytes_ = 0, workspace_bytes_ = 0;
};

}  // namespace fewbits::runtime
