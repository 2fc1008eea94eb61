// Histograms of tensors, sample by sample.
#pragma once

#include <optional>
#include <span>

#include "report/data.h"

namespace fewbits::report {

// Counts values around a range, or, without one, around what the first call sees.
class HistogramBuilder {
 public:
  static constexpr size_t kBins = 64;

  explicit HistogramBuilder(std::optional<Range> range) : range_(range) {}
  void add(std::span<const float> values);
  Activation result() const;

 private:
  void choose_bins(std::span<const float> values);

  std::optional<Range> range_;
  Histogram histogram_;
  uint64_t elements_ = 0, clipped_ = 0;
};

// All values between the smallest and the largest; those that are not finite are left out.
Histogram histogram_of(std::span<const float> values);

}  // namespace fewbits::report
