// IEEE binary16 and bfloat16 conversions, rounding to nearest even, NaN and infinity kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fewbits {

float half_to_float(uint16_t half) noexcept;
uint16_t float_to_half(float value) noexcept;  // values beyond 65504 become infinity
float bfloat16_to_float(uint16_t value) noexcept;
uint16_t float_to_bfloat16(float value) noexcept;
void half_to_float(const uint16_t* in, float* out, size_t count) noexcept;
void float_to_half(const float* in, uint16_t* out, size_t count) noexcept;

}  // namespace fewbits
