// What the public handles hold, and the loop over samples that calibration, comparison and evaluation share.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/runtime/checks.h"
#include "calibrate/collector.h"
#include "calibrate/dataset.h"
#include "fewbits/calibrate.h"
#include "fewbits/data.h"

namespace fewbits {

struct Dataset::Impl {
  DatasetOptions options;
  std::unique_ptr<calibrate::Dataset> data;
};

namespace api {

// The samples that a choice means; kInvalidArgument when that is none.
Result<calibrate::SampleWalk> chosen_samples(const Dataset& data, const SampleChoice& choice);

struct SampleCounts {
  uint64_t seen = 0, skipped = 0;
};
// Calls body(index) for the chosen samples, which returns whether it used the sample, and reports progress after each.
Result<SampleCounts> for_each_sample(Dataset& data, const SampleChoice& choice, const ProgressCallback& progress,
                                     const std::function<Result<bool>(size_t)>& body);

}  // namespace api
}  // namespace fewbits
