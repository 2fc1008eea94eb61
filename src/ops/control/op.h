// Operators that run other subgraphs of the model: IF, WHILE, CALL, CALL_ONCE, STABLEHLO_COMPOSITE.
//
// All run through DynamicArgs::call, which takes and gives whole tensors, so shapes may change from one call to the
// next: outputs are dynamic. A STABLEHLO_COMPOSITE is its decomposition subgraph. CALL_ONCE runs its subgraph the first
// time that any CALL_ONCE of the session asks for it (as LiteRT: two signatures with one initializer initialize once).
// That operands fit the subgraph's inputs and outputs (counts and types) is checked when the plan is made; that no
// subgraph calls itself is checked by ir's verify().
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> control_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_if(const OpContext& context);
Result<Prepared> prepare_while(const OpContext& context);
Result<Prepared> prepare_call(const OpContext& context);
Result<Prepared> prepare_call_once(const OpContext& context);
Result<Prepared> prepare_composite(const OpContext& context);

}  // namespace fewbits::ops
