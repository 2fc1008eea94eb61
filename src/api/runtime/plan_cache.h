// Plans shared by the runtimes of one model: two with the same input shapes hold the same packed weights.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "fewbits/model.h"
#include "runtime/plan.h"

namespace fewbits::api {

// The plan of this model and options that some runtime still holds, or a new one, whose packed weights are shared with the
// model's other plans, or else kept in the file `pack_cache` unless that is empty. options.packs is not looked at. Thread-safe.
Result<std::shared_ptr<const runtime::Plan>> shared_plan(const ModelPtr& model, const runtime::PlanOptions& options,
                                                         const std::string& pack_cache);

}  // namespace fewbits::api
