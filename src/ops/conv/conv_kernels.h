// What the prepare() functions of the conv family share.
#pragma once

#include <utility>

#include "base/checked.h"
#include "ops/conv/geometry.h"
#include "ops/product.h"

namespace fewbits::ops {

// A checked convolution: its shapes, types and parameters.
struct ConvCase {
  ConvGeometry geometry;
  ProductSpec spec;
};
// axis: the dimension of the filter that its scales may lie along.
Result<ConvCase> conv_case(const OpContext& context, const ConvGeometry& geometry, int32_t axis);

// conv_kernels.cc: by matrix products. Groups are separate products.
Result<Prepared> prepare_gemm_conv(const OpContext& context, const ConvGeometry& geometry, ProductSpec spec);
// depthwise_kernels.cc: by the depthwise kernels; one input channel a group. symmetric: how a hybrid input is quantized. A
// CONV_2D must have constant weights.
Result<Prepared> prepare_depthwise_rows(const OpContext& context, ConvCase& conv, bool symmetric);

}  // namespace fewbits::ops
