// The OpDef table of the signal family.
#include "ops/signal/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

const OpDef kOps[] = {
    {.op = Op::RFFT2D, .inputs = {2, 2}, .infer = infer_rfft2d, .prepare = prepare_rfft2d},
    {.op = Op::COMPLEX_ABS, .infer = infer_same_as_input, .prepare = prepare_complex_abs},
    {.op = Op::REAL, .infer = infer_same_as_input, .prepare = prepare_real},
    {.op = Op::IMAG, .infer = infer_same_as_input, .prepare = prepare_imag},
};

}  // namespace

std::span<const OpDef> signal_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
