// The tiers of array kernels that quantize.cc dispatches over. Names end in the ISA.
#pragma once

#include "kernels/quantize.h"

namespace fewbits {

extern const QuantizeKernels kQuantizeRef;
extern const QuantizeKernels kQuantizeAvx2;
extern const QuantizeKernels kQuantizeAvx512;
extern const QuantizeKernels kQuantizeNeon;

void apply_lut_avx512vbmi(const uint8_t* in, uint8_t* out, size_t count, const uint8_t* table) noexcept;

}  // namespace fewbits
