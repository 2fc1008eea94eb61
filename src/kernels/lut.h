// Tables of functions of 8-bit and 16-bit quantized values, filled as TFLite's LUTPopulate does
// (kernels/internal/common.h).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace fewbits {

// The answers for all bytes, indexed by the byte as uint8. Its entries are int8 or uint8, as the operator says.
using ByteTable = std::array<uint8_t, 256>;

// table[q] = clamp(f(q)) for every q of T (int8_t or uint8_t); f: int32 -> int32, the zero point already added.
template <class T, class F>
void fill_table(ByteTable& table, const F& f) {
  constexpr int32_t kLeast = std::numeric_limits<T>::min(), kMost = std::numeric_limits<T>::max();
  for (int32_t q = kLeast; q <= kMost; ++q) {
    table[static_cast<uint8_t>(q)] = static_cast<uint8_t>(std::clamp<int32_t>(f(q), kLeast, kMost));
  }
}

// table[q] = the quantized f(real value of q), in float32 as LiteRT fills its own; f: float -> float. Beyond int32:
// saturated.
template <class T, class F>
void fill_table_of_reals(ByteTable& table, float in_scale, int32_t in_zero, float out_scale, int32_t out_zero,
                         const F& f) {
  const float inverse = 1 / out_scale;
  fill_table<T>(table, [&](int32_t q) {
    const float y = f(in_scale * static_cast<float>(q - in_zero));
    const float rounded = std::round(y * inverse) + static_cast<float>(out_zero);
    return static_cast<int32_t>(std::clamp(std::isnan(rounded) ? 0.0f : rounded, -32768.0f, 32767.0f));
  });
}

// A function of int16 as 512 intervals of 128 values each, linear in between.
using WordTable = std::array<int16_t, 513>;

// The samples are moved by half of the interpolation's error in the middle of their interval. Float: float or double.
template <class Float, class F>
void fill_word_table(WordTable& table, Float in_scale, int32_t in_zero, Float out_scale, int32_t out_zero, const F& f) {
  constexpr int kLeast = std::numeric_limits<int16_t>::min(), kMost = std::numeric_limits<int16_t>::max();
  constexpr int kSteps = 512;
  const Float in_min = in_scale * static_cast<Float>(kLeast - in_zero);
  const Float in_max = in_scale * static_cast<Float>(kMost - in_zero);
  const Float out_min = out_scale * static_cast<Float>(kLeast - out_zero);
  const Float out_max = out_scale * static_cast<Float>(kMost - out_zero);
  const Float step = (in_max - in_min) / kSteps;
  const Float half_step = step / 2;
  const Float inverse = static_cast<Float>(kMost - kLeast + 1) / (out_max - out_min);
  const auto limited = [](Float value) {
    return static_cast<int16_t>(std::min(std::max(value, static_cast<Float>(kLeast)), static_cast<Float>(kMost)));
  };
  for (int i = 0; i < kSteps; ++i) {
    const Float x = in_min + static_cast<Float>(i) * step;
    const Float sample = std::round(f(x) * inverse);
    const Float next = f(in_min + static_cast<Float>(i + 1) * step);
    const Float interpolated = std::round((next * inverse + sample) / 2);
    const Float error = interpolated - std::round(f(x + half_step) * inverse);
    table[static_cast<size_t>(i)] = limited(sample - std::round(error / 2));
  }
  table[kSteps] = limited(std::round(f(in_max) * inverse));
}

inline int16_t look_up(const WordTable& table, int16_t value) noexcept {
  const int place = 256 + (value >> 7);
  const auto index = static_cast<size_t>(place);
  const int32_t slope = static_cast<int16_t>(table[index + 1] - table[index]);
  return static_cast<int16_t>(table[index] + ((slope * (value & 0x7f) + 64) >> 7));
}

}  // namespace fewbits
