// Kernel, strides, dilations and padding of ONNX convolutions and pools, any number of spatial dimensions.
#pragma once

#include "formats/onnx/importer.h"

namespace fewbits::onnx {

struct Spatial {
  std::vector<int32_t> kernel, stride, dilation, before, after;  // one entry a spatial dimension
  size_t dims() const noexcept { return kernel.size(); }
  // Of the last two dimensions (the only one is the width), as TFLite's operators want it.
  Window window() const;
};

// Reads strides, dilations, pads and auto_pad (worked out from x's sizes) for windows of `kernel`; records an error when
// the numbers do not fit. `ceil_mode` lengthens the padding so that the last window fits.
Spatial read_spatial(Call& call, ValueId x, std::vector<int32_t> kernel, bool ceil_mode = false);

// x [n, c, w] as an image of height one, and back.
ValueId add_height(Call& call, ValueId x);
ValueId drop_height(Call& call, ValueId x);

}  // namespace fewbits::onnx
