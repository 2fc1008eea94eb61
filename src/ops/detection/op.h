// Detection: NON_MAX_SUPPRESSION_V4 and V5, and the custom operator TFLite_Detection_PostProcess.
//
// Equal scores keep the order of their indices, on every platform; LiteRT leaves it to a heap. Scores that are NaN are
// never selected. Where fewer boxes are found than outputs have room, the rest is 0. Without a constant
// max_output_size, NON_MAX_SUPPRESSION gives as many elements as it selected. TFLite_Detection_PostProcess: options in
// a FlexBuffer (flexbuffer.h); boxes, scores and anchors each float32, uint8 or int8. LiteRT refuses at run time
// decoded boxes whose corners are swapped (a negative anchor size); here their area counts as 0 and they suppress
// nothing.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> detection_ops() noexcept;

// nms_kernels.cc
Status infer_nms(OpContext& context);
Result<Prepared> prepare_nms(const OpContext& context);
// postprocess_kernels.cc
Status infer_postprocess(OpContext& context);
Result<Prepared> prepare_postprocess(const OpContext& context);

}  // namespace fewbits::ops
