// Rounding that keeps means, filter by filter.
#include "quantize/algorithms/mean_rounding.h"

#include <cmath>
#include <cstddef>

namespace fewbits::quantize {
namespace {

// One filter: its taps lie `stride` elements apart.
void keep_mean(const float* values, int8_t* integers, size_t taps, size_t stride, double scale) {
  const auto error = [&](size_t k) { return integers[k * stride] - values[k * stride] / scale; };
  double sum = 0;
  for (size_t k = 0; k < taps; ++k) sum += error(k);
  // Each move of a tap changes the sum by one: there is one to be had for each half step that it is off.
  for (size_t moves = 0; moves < taps; ++moves) {
    const int direction = sum > 0 ? -1 : 1;
    size_t best = 0;
    for (size_t k = 1; k < taps; ++k) {
      if (error(k) * direction < error(best) * direction) best = k;
    }
    const double before = error(best), after = before + direction, new_sum = sum + direction;
    if (after * after + new_sum * new_sum >= before * before + sum * sum || std::abs(after) >= 1) return;
    const int moved = integers[best * stride] + direction;
    if (std::abs(moved) > 127) return;
    integers[best * stride] = static_cast<int8_t>(moved);
    sum = new_sum;
  }
}

}  // namespace

void keep_means(std::span<const float> values, const Shape& shape, const QuantParams& quant,
                std::span<int8_t> integers) {
  if (shape.size() != 4 || values.size() != integers.size() || quant.scale.empty()) return;
  const auto outputs = static_cast<size_t>(shape[0]), inputs = static_cast<size_t>(shape[3]);
  const size_t taps = static_cast<size_t>(shape[1]) * static_cast<size_t>(shape[2]);
  if (taps < 2 || values.size() != outputs * taps * inputs) return;
  for (size_t o = 0; o < outputs; ++o) {
    for (size_t c = 0; c < inputs; ++c) {
      const size_t channel = quant.scale.size() == 1 ? 0 : quant.axis == 0 ? o : c;
      const double scale = channel < quant.scale.size() ? quant.scale[channel] : 0;
      const size_t first = o * taps * inputs + c;
      if (scale > 0) keep_mean(values.data() + first, integers.data() + first, taps, inputs, scale);
    }
  }
}

}  // namespace fewbits::quantize
