// Plans shared by the runtimes of one model: two with the same input shapes hold the same packed weights.
#pragma once

#include <memory>

#include "base/status.h"
#include "fewbits/model.h"
#include "runtime/plan.h"

namespace fewbits::api {

// The plan of this model and options that some runtime still holds, or a new one. Thread-safe.
Result<std::shared_ptr<const runtime::Plan>> shared_plan(const ModelPtr& model, const runtime::PlanOptions& options);

}  // namespace fewbits::api
