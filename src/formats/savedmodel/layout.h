// Convolutions, pools and their like read from a TensorFlow node: strides, padding and NHWC or NCHW order.
#pragma once

#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {

// Attributes that come in the order of the node's layout.
struct ImageNode {
  bool channels_first = false;
  formats::Window window;
  int32_t kernel_h = 1, kernel_w = 1;  // of pools
};
// Reads data_format, strides, dilations, ksize, padding and explicit_paddings. An error says which TFLite cannot have.
Result<ImageNode> image_node(const OpCall& op);

// x as NHWC, and the result in the node's order again; the transposes cancel in passes/.
ValueId to_channels_last(GraphBuilder& b, ValueId x, bool channels_first);
ValueId from_channels_last(GraphBuilder& b, ValueId x, bool channels_first);

}  // namespace fewbits::savedmodel
