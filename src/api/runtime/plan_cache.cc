// Plans shared by the runtimes of one model.
#include "api/runtime/plan_cache.h"

#include <map>
#include <mutex>
#include <tuple>

#include "ops/packs.h"

namespace fewbits::api {
namespace {

using Key = std::tuple<const Model*, int32_t, std::map<size_t, Shape>, bool, bool, std::string>;
using SharedPlan = std::shared_ptr<const runtime::Plan>;

// Weak, so that a plan goes with its last runtime. A plan keeps its model alive: while it can be locked, the address in its key
// is that model's and no other's.
struct Cache {
  std::mutex mutex;
  std::map<Key, std::weak_ptr<const runtime::Plan>> plans;
  std::map<const Model*, std::weak_ptr<Packs>> packs;  // of plans without a file

  std::shared_ptr<Packs> packs_of(const Model* model) {
    const std::lock_guard lock(mutex);
    std::erase_if(packs, [](const auto& entry) { return entry.second.expired(); });
    auto& kept = packs[model];
    std::shared_ptr<Packs> known = kept.lock();
    if (known == nullptr) kept = known = std::make_shared<Packs>();
    return known;
  }
};

Cache& cache() {
  static Cache instance;
  return instance;
}

}  // namespace

Result<SharedPlan> shared_plan(const ModelPtr& model, const runtime::PlanOptions& wanted,
                               const std::string& pack_cache) {
  runtime::PlanOptions options = wanted;
  const Key key{model.get(), options.graph, options.input_shapes, options.fuse, options.fast_float, pack_cache};
  {
    const std::lock_guard lock(cache().mutex);
    const auto known = cache().plans.find(key);
    if (known != cache().plans.end()) {
      if (SharedPlan plan = known->second.lock()) return plan;
    }
  }
  // Made without the lock, so that other models need not wait; of two that are made at once the first stays.
  options.packs = pack_cache.empty() ? cache().packs_of(model.get()) : std::make_shared<Packs>(pack_cache, model->file);
  FB_ASSIGN(SharedPlan made, runtime::Plan::make(model, options));
  FB_TRY(options.packs->save());
  const std::lock_guard lock(cache().mutex);
  std::erase_if(cache().plans, [](const auto& entry) { return entry.second.expired(); });
  auto& kept = cache().plans[key];
  if (SharedPlan other = kept.lock()) return other;
  kept = made;
  return made;
}

}  // namespace fewbits::api
