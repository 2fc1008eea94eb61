// Histograms of tensors, sample by sample.
#include "report/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fewbits::report {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Range extremes(std::span<const float> values) {
  Range out{kInfinity, -kInfinity};
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    out.low = std::min<double>(out.low, value);
    out.high = std::max<double>(out.high, value);
  }
  return out;
}

void start(Histogram& histogram, double low, double high) {
  histogram.low = low;
  histogram.high = high > low ? high : low + 1;
  histogram.counts.assign(HistogramBuilder::kBins, 0);
  histogram.min = kInfinity;
  histogram.max = -kInfinity;
}

void count(Histogram& histogram, std::span<const float> values) {
  const double per_unit = static_cast<double>(histogram.counts.size()) / (histogram.high - histogram.low);
  const double last = static_cast<double>(histogram.counts.size());
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    histogram.min = std::min<double>(histogram.min, value);
    histogram.max = std::max<double>(histogram.max, value);
    const double place = (value - histogram.low) * per_unit;
    if (place < 0) {
      ++histogram.below;
    } else if (place > last) {
      ++histogram.above;
    } else {
      ++histogram.counts[std::min(static_cast<size_t>(place), histogram.counts.size() - 1)];
    }
  }
}

}  // namespace

void HistogramBuilder::choose_bins(std::span<const float> values) {
  // Some bins on both sides, where what is clipped shows; the range ends where bins do.
  constexpr double kOutside = 10, kMargin = kOutside / (kBins - 2 * kOutside);
  Range range = range_.value_or(extremes(values));
  if (range.low > range.high) range = {0, 1};
  const double margin = (range.high - range.low) * kMargin;
  start(histogram_, range.low - margin, range.high + margin);
}

void HistogramBuilder::add(std::span<const float> values) {
  if (values.empty()) return;
  if (histogram_.empty()) choose_bins(values);
  count(histogram_, values);
  elements_ += values.size();
  if (!range_) return;
  for (const float value : values) clipped_ += value < range_->low || value > range_->high;
}

Activation HistogramBuilder::result() const { return {histogram_, range_, elements_, clipped_}; }

Histogram histogram_of(std::span<const float> values) {
  Histogram histogram;
  const Range range = extremes(values);
  if (range.low > range.high) return histogram;
  start(histogram, range.low, range.high);
  count(histogram, values);
  return histogram;
}

}  // namespace fewbits::report
