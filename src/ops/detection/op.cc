// The OpDef table of the detection family.
#include "ops/detection/op.h"

namespace fewbits::ops {
namespace {

const OpDef kOps[] = {
    {.op = Op::NON_MAX_SUPPRESSION_V4, .inputs = {5, 5}, .outputs = {2, 2}, .infer = infer_nms, .prepare = prepare_nms},
    {.op = Op::NON_MAX_SUPPRESSION_V5, .inputs = {6, 6}, .outputs = {3, 3}, .infer = infer_nms, .prepare = prepare_nms},
    {.custom = "TFLite_Detection_PostProcess",
     .inputs = {3, 3},
     .outputs = {4, 4},
     .infer = infer_postprocess,
     .prepare = prepare_postprocess},
};

}  // namespace

std::span<const OpDef> detection_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
