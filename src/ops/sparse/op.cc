// The OpDef table of the sparse family.
#include "ops/sparse/op.h"

#include "ops/support.h"

namespace fewbits::ops {
namespace {

const OpDef kOps[] = {{.op = Op::DENSIFY, .infer = infer_same_as_input, .prepare = prepare_densify}};

}  // namespace

std::span<const OpDef> sparse_ops() noexcept { return kOps; }

}  // namespace fewbits::ops
