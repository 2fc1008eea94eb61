// What the prepare() functions of the conv family share.
#pragma once

#include <utility>

#include "base/checked.h"
#include "kernels/quantize.h"
#include "ops/conv/geometry.h"
#include "ops/product.h"

namespace fewbits::ops {

// The input of a hybrid convolution: one image at a time quantized to workspace, with a padding of its zero point.
class HybridImage {
 public:
  HybridImage() = default;
  // padding: how many elements stand for a tap outside the image.
  HybridImage(size_t elements, size_t padding, bool symmetric, WorkspaceLayout& layout)
      : elements_(elements),
        padding_(padding),
        symmetric_(symmetric),
        image_(layout.add(elements)),
        padding_at_(layout.add(padding)),
        params_(layout.add(sizeof(DynamicParams))) {}

  // in: the image's elements, [positions, channels]. Each times that of the gate in its channel, unless that is null.
  void quantize(const ThreadPool* pool, const float* in, size_t channels, const float* gate,
                std::byte* workspace) const noexcept;
  // Of the image that was quantized last.
  const DynamicParams& params(std::byte* workspace) const noexcept {
    return *reinterpret_cast<const DynamicParams*>(workspace + params_);
  }
  const int8_t* image(std::byte* workspace) const noexcept { return reinterpret_cast<int8_t*>(workspace + image_); }
  const int8_t* padding(std::byte* workspace) const noexcept {
    return reinterpret_cast<int8_t*>(workspace + padding_at_);
  }

 private:
  size_t elements_ = 0, padding_ = 0;
  bool symmetric_ = false;
  size_t image_ = 0, padding_at_ = 0, params_ = 0;
};

// A checked convolution: its shapes, types and parameters.
struct ConvCase {
  ConvGeometry geometry;
  ProductSpec spec;
};
// axis: the dimension of the filter that its scales may lie along.
Result<ConvCase> conv_case(const OpContext& context, const ConvGeometry& geometry, int32_t axis);

// conv_kernels.cc: by matrix products. Groups are separate products.
Result<Prepared> prepare_gemm_conv(const OpContext& context, const ConvGeometry& geometry, ProductSpec spec);
// depthwise_kernels.cc: by the depthwise kernels; one input channel a group. symmetric: how a hybrid input is
// quantized. A CONV_2D must have constant weights.
Result<Prepared> prepare_depthwise_rows(const OpContext& context, ConvCase& conv, bool symmetric);

}  // namespace fewbits::ops
