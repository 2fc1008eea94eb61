// The OpDef table of the softmax family.
#include "ops/softmax/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

QuantRule fixed_rule(FixedParams fixed8, FixedParams fixed16, bool int16) {
  return {.int8 = true,
          .int16 = int16,
          .inputs = {{.kind = OperandQuant::kFree}},
          .outputs = {{.kind = OperandQuant::kFixed, .fixed8 = fixed8, .fixed16 = fixed16}}};
}

int32_t version_int8(const OpContext& context) { return context.inputs[0].dtype == DType::kInt8 ? 2 : 1; }

const OpDef kOps[] = {
    {.op = Op::SOFTMAX,
     .flags = kInPlace,
     .infer = infer_same_as_input,
     .prepare = prepare_softmax,
     .version = version_by_type,
     .quant = fixed_rule({1.0f / 256, -128}, {1.0f / 32768, 0}, true)},
    {.op = Op::LOG_SOFTMAX,
     .flags = kInPlace,
     .infer = infer_same_as_input,
     .prepare = prepare_log_softmax,
     .version = version_int8,
     .quant = fixed_rule({16.0f / 256, 127}, {}, false)},
    {.op = Op::L2_NORMALIZATION,
     .flags = kInPlace,
     .infer = infer_same_as_input,
     .prepare = prepare_l2_normalization,
     .version = version_int8,
     .quant = fixed_rule({1.0f / 128, 0}, {}, false)},
    {.op = Op::LOCAL_RESPONSE_NORMALIZATION,
     .infer = infer_same_as_input,
     .prepare = prepare_local_response_normalization},
};

}  // namespace

std::span<const OpDef> softmax_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
