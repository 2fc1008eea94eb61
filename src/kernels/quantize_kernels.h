// The tiers of array kernels that quantize.cc dispatches over, and the arithmetic that they share. Names end in the
// ISA.
#pragma once

#include "kernels/quantize.h"

namespace fewbits {

extern const QuantizeKernels kQuantizeRef;
extern const QuantizeKernels kQuantizeAvx2;
extern const QuantizeKernels kQuantizeAvx512;
extern const QuantizeKernels kQuantizeNeon;

// How a dynamic quantization writes x: round(offset + x * inverse_scale), clamped to [lo, 127]; nothing to write but
// zeros where `zero`. Not inline: ISA files call it.
struct DynamicPlan {
  DynamicParams params;
  float inverse_scale = 1;
  int32_t lo = -128;
  bool zero = false;
};
DynamicPlan plan_dynamic(float least, float most, bool symmetric) noexcept;

void apply_lut_avx512vbmi(const uint8_t* in, uint8_t* out, size_t count, const uint8_t* table) noexcept;

}  // namespace fewbits
