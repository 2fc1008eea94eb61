// What callers of the API get wrong in every function alike.
#pragma once

#include "base/status.h"
#include "fewbits/model.h"

namespace fewbits::api {

Status check_threads(int threads);
Status check_model(const ModelPtr& model);

}  // namespace fewbits::api
