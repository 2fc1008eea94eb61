// The OpDef table of the control flow family.
#include "ops/control/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

const OpDef kOps[] = {
    {.op = Op::IF,
     .inputs = {1, -1},
     .outputs = {0, -1},
     .flags = kStateful,
     .infer = infer_dynamic,
     .prepare = prepare_if},
    {.op = Op::WHILE,
     .inputs = {0, -1},
     .outputs = {0, -1},
     .flags = kStateful,
     .infer = infer_dynamic,
     .prepare = prepare_while},
    {.op = Op::CALL,
     .inputs = {0, -1},
     .outputs = {0, -1},
     .flags = kStateful,
     .infer = infer_dynamic,
     .prepare = prepare_call},
    {.op = Op::CALL_ONCE,
     .inputs = {0, 0},
     .outputs = {0, 0},
     .flags = kStateful,
     .infer = infer_dynamic,
     .prepare = prepare_call_once},
    {.op = Op::STABLEHLO_COMPOSITE,
     .inputs = {0, -1},
     .outputs = {0, -1},
     .flags = kStateful,
     .infer = infer_dynamic,
     .prepare = prepare_composite},
};

}  // namespace

std::span<const OpDef> control_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
