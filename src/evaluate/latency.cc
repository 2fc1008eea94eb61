// Times of runs, summed up.
#include "evaluate/latency.h"

#include <algorithm>
#include <numeric>

namespace fewbits::evaluate {
namespace {

constexpr double kNsPerMs = 1e6;

double middle(const std::vector<int64_t>& sorted) {
  const size_t half = sorted.size() / 2;
  const auto upper = static_cast<double>(sorted[half]);
  return sorted.size() % 2 == 1 ? upper : (static_cast<double>(sorted[half - 1]) + upper) / 2;
}

}  // namespace

double median(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return middle(values);
}

Latency summarize(std::vector<int64_t> times) {
  std::sort(times.begin(), times.end());
  const size_t p90 = (times.size() * 9 + 9) / 10 - 1;
  const double total = std::accumulate(times.begin(), times.end(), 0.0);
  return {middle(times) / kNsPerMs, static_cast<double>(times.front()) / kNsPerMs,
          static_cast<double>(times[p90]) / kNsPerMs, total / static_cast<double>(times.size()) / kNsPerMs};
}

}  // namespace fewbits::evaluate
