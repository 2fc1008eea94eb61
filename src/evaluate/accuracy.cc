// Counts how often the true class is on top of a model's scores.
#include "evaluate/accuracy.h"

#include <cmath>
#include <limits>
#include <vector>

#include "evaluate/real_values.h"

namespace fewbits::evaluate {

int32_t class_count(const Shape& shape) noexcept {
  if (shape.empty()) return 2;
  for (size_t d = 0; d + 1 < shape.size(); ++d) {
    if (shape[d] != 1 && shape[d] != -1) return 0;
  }
  const int32_t last = shape.back();
  return last == 1 ? 2 : last > 1 ? last : 0;
}

int64_t rank_of(const RealTensor& scores, int32_t true_class) {
  const size_t count = real_count(scores.view);
  std::vector<double> values(count);
  read_real(scores.view, scores.quant, 0, values);
  if (count == 1) return (values[0] > 0.5) == (true_class == 1) ? 0 : 1;
  const auto index = static_cast<size_t>(true_class);
  const double own = values[index];
  if (std::isnan(own)) return std::numeric_limits<int64_t>::max();
  int64_t rank = 0;
  for (size_t i = 0; i < count; ++i) rank += values[i] > own || (values[i] == own && i < index);
  return rank;
}

}  // namespace fewbits::evaluate
