// DENSIFY: a constant that is stored sparse (Value::sparsity, the format of TACO: http://tensor-compiler.org) made
// dense. float32, float16 and int8, as LiteRT. The expansion happens when the plan is made; a run copies.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> sparse_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_densify(const OpContext& context);

}  // namespace fewbits::ops
