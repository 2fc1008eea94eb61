// The comparison behind compare_models(), for those who want to look on.
#pragma once

#include <functional>
#include <span>

#include "calibrate/dataset.h"
#include "evaluate/metrics.h"
#include "fewbits/evaluate.h"
#include "runtime/session.h"

namespace fewbits::api {

struct CompareHooks {
  runtime::Tap reference_tap;  // sees the reference's tensors, too
  // After each sample: what went in, and the outputs in the reference's order.
  std::function<void(const calibrate::Sample& sample, std::span<const evaluate::RealTensor> reference,
                     std::span<const evaluate::RealTensor> other)>
      after_sample;
};

Result<Comparison> compare(const ModelPtr& reference, const ModelPtr& other, Dataset& data,
                           const CompareOptions& options, const CompareHooks& hooks);

}  // namespace fewbits::api
