// Plans shared by the runtimes of one model: two with the same input shapes hold the same packed weights.
#pragma once

#include <map>
#include <memory>

#include "base/status.h"
#include "fewbits/model.h"
#include "runtime/plan.h"

namespace fewbits::api {

// The plan of this model, subgraph and shapes that some runtime still holds, or a new one. Thread-safe.
// fuse: several operators may run as one, and the values between them are never made.
Result<std::shared_ptr<const runtime::Plan>> shared_plan(const ModelPtr& model, int32_t graph,
                                                         const std::map<size_t, Shape>& input_shapes, bool fuse);

}  // namespace fewbits::api
