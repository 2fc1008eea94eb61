// int4 weights, symmetric in [-7, 7], under scales that are searched for.
#include "quantize/algorithms/small_blocks.h"

#include <algorithm>
#include <cmath>

#include "base/half.h"

namespace fewbits::quantize {
namespace {

constexpr float kMost = 7;
constexpr int kSteps = 128;  // scales tried between half of max / 7 and max / 7: bfloat16 has as many
constexpr int kStride = 8;   // at first

// Adding it rounds to a whole number, halves to even, as runtimes that dequantize never notice; loops of it vectorise.
constexpr float kWholeNumbers = 12582912.0f;

float nearest(float value, float inverse) noexcept {
  const float clipped = std::min(std::max(value * inverse, -kMost), kMost);
  return clipped + kWholeNumbers - kWholeNumbers;
}

// The bfloat16 number near `scale` that float16 holds, too. Not 0: LiteRT refuses it.
float on_grid(float scale) noexcept {
  constexpr float kLeast = 0x1p-24f, kGreatest = 65280;  // of float16; the greatest of both
  const float half = half_to_float(float_to_half(bfloat16_to_float(float_to_bfloat16(std::min(scale, kGreatest)))));
  return std::clamp(half, kLeast, kGreatest);
}

float error_of(std::span<const float> block, float scale) noexcept {
  const float inverse = 1 / scale;
  float sum = 0;
  for (float value : block) {
    const float error = value - nearest(value, inverse) * scale;
    sum += error * error;
  }
  return sum;
}

float greatest_of(std::span<const float> block) noexcept {
  float greatest = 0;
  for (float value : block) greatest = std::max(greatest, std::abs(value));
  return greatest;
}

// Of a block whose squares overflow or vanish nothing can be told apart: it keeps max / 7.
float best_scale(std::span<const float> block) noexcept {
  const float top = greatest_of(block) / kMost;
  if (top == 0) return 1;
  float best = on_grid(top), least = error_of(block, best);
  const auto look_at = [&](int step) {
    const float scale = on_grid(top * (0.5f + 0.5f * static_cast<float>(step) / kSteps));
    const float error = error_of(block, scale);
    if (!(error < least)) return false;
    least = error;
    best = scale;
    return true;
  };
  int around = kSteps;
  for (int step = 0; step <= kSteps; step += kStride) {
    if (look_at(step)) around = step;
  }
  for (int step = around - kStride + 1; step < around + kStride; ++step) look_at(step);
  return best;
}

}  // namespace

SmallWeights quantize_int4(std::span<const float> values, size_t block) {
  SmallWeights out;
  out.packed.resize((values.size() + 1) / 2);
  for (size_t begin = 0; begin < values.size(); begin += block) {
    const auto part = values.subspan(begin, block);
    const float scale = best_scale(part), inverse = 1 / scale;
    out.scales.push_back(scale);
    for (size_t i = 0; i < block; ++i) {
      const float whole = nearest(part[i], inverse);
      const double error = static_cast<double>(part[i]) - static_cast<double>(whole) * static_cast<double>(scale);
      out.squared_error += error * error;
      out.squared_sum += static_cast<double>(part[i]) * static_cast<double>(part[i]);
      const auto four = static_cast<uint8_t>(static_cast<int>(whole) & 0xf);
      uint8_t& byte = out.packed[(begin + i) / 2];
      byte = static_cast<uint8_t>(byte | four << ((begin + i) % 2 * 4));
    }
  }
  return out;
}

}  // namespace fewbits::quantize
