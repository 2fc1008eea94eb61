// Arrays between float and integers, as TFLite rounds: half away from zero. And byte tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/cpu.h"

namespace fewbits {

// What a dynamic quantization chose: real = scale * (q - zero_point).
struct DynamicParams {
  float scale = 1;
  int32_t zero_point = 0;
};

// How a dynamic quantization writes x: round(zero_point + x * inverse_scale), clamped to [lo, 127]; zeros where `zero`.
struct DynamicPlan {
  DynamicParams params;
  float inverse_scale = 1;
  int32_t lo = -128;
  bool zero = false;
};
// A range of values that holds 0.
struct DynamicRange {
  float least = 0, most = 0;
};
// As TFLite's hybrid operators quantize on the fly: asymmetric over [-128, 127], or symmetric over [-127, 127]. A range of
// nothing but 0 gives scale 1 and zero point 0.
DynamicPlan plan_dynamic(const DynamicRange& range, bool symmetric) noexcept;

// What is quantized on the fly: [rows, width] floats one after another, each times that of the gate in its column.
struct DynamicInput {
  const float* data = nullptr;
  size_t rows = 0, width = 0;
  const float* gate = nullptr;  // [width], or null: as they are
};

// One tier of the array kernels. in and out may have any alignment; out may be in only where the element sizes are
// equal.
struct QuantizeKernels {
  const char* name;
  Isa isa;

  // q = clamp(round(x / scale) + zero_point, lo, hi), the division in float32; bytes are xor-ed with flip (0x80:
  // uint8). NaN gives lo.
  void (*f32_to_s8)(const float* in, int8_t* out, size_t count, float scale, int32_t zero_point, int32_t lo, int32_t hi,
                    uint8_t flip) noexcept;
  void (*f32_to_s16)(const float* in, int16_t* out, size_t count, float scale, int32_t zero_point, int32_t lo,
                     int32_t hi) noexcept;

  // scale * (q - zero_point).
  void (*s8_to_f32)(const int8_t* in, float* out, size_t count, float scale, int32_t zero_point, uint8_t flip) noexcept;
  void (*s16_to_f32)(const int16_t* in, float* out, size_t count, float scale, int32_t zero_point) noexcept;

  // The two halves of a dynamic quantization. NaN is not part of a range, and becomes the least.
  DynamicRange (*dynamic_range)(const DynamicInput& in) noexcept;
  void (*dynamic_to_s8)(const DynamicInput& in, const DynamicPlan& plan, int8_t* out) noexcept;

  // Quantizes one row (or one image) to int8 by its own range.
  DynamicParams f32_to_s8_dynamic(const float* in, int8_t* out, size_t count, bool symmetric) const noexcept {
    const DynamicInput input{in, 1, count, nullptr};
    const DynamicPlan plan = plan_dynamic(dynamic_range(input), symmetric);
    dynamic_to_s8(input, plan, out);
    return plan.params;
  }
};

// Tiers built in, best first, the reference last.
std::span<const QuantizeKernels* const> quantize_kernels() noexcept;
const QuantizeKernels& select_quantize(Isa isa) noexcept;

// Whether this machine looks bytes up 64 at a time (AVX-512 VBMI, and FEWBITS_ISA allows it): tables then cost next to
// nothing. Not a tier of its own: most processors with VNNI have VBMI, and little else asks for it.
bool has_byte_permutes() noexcept;

// out[i] = table[in[i] as uint8]. in may be out.
void apply_lut(const uint8_t* in, uint8_t* out, size_t count, const uint8_t table[256]) noexcept;

}  // namespace fewbits
