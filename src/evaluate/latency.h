// Times of runs, summed up.
#pragma once

#include <cstdint>
#include <vector>

namespace fewbits::evaluate {

struct Latency {
  double median_ms = 0, min_ms = 0, p90_ms = 0, mean_ms = 0;
};

// Of at least one time in nanoseconds. The median of an even number is the mean of the middle two; p90 is the smallest time that
// at least nine of ten do not exceed.
Latency summarize(std::vector<int64_t> nanoseconds);
double median(std::vector<int64_t> values);

}  // namespace fewbits::evaluate
