// The specification of the conv family: scalar, readable, for every operator and type.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/conv/geometry.h"
#include "ops/product.h"

namespace fewbits::ops {

struct ConvRefArgs {
  ConvGeometry geometry;
  FilterStrides strides;
};

// out[n, o] = finish(sum over taps and input channels of the group of in * filter, o). Zero points, limits, scales and
// bias are those of `spec` (in the int8 form: uint8 data is given as it is, and flipped by spec.flip). bias: as the
// operator has it (float, int32, or int64 under int16), or null.
void conv_ref(const ConvRefArgs& args, const ProductSpec& spec, const float* in, const float* filter, const float* bias,
              float* out) noexcept;
void conv_ref(const ConvRefArgs& args, const ProductSpec& spec, const int8_t* in, const int8_t* filter,
              const int32_t* bias, int8_t* out) noexcept;
void conv_ref(const ConvRefArgs& args, const ProductSpec& spec, const int16_t* in, const int8_t* filter,
              const int64_t* bias, int16_t* out) noexcept;
// Hybrid: quantizes each image, symmetrically or not.
void conv_ref_hybrid(const ConvRefArgs& args, const ProductSpec& spec, bool symmetric, const float* in,
                     const int8_t* filter, const float* bias, float* out) noexcept;

}  // namespace fewbits::ops
