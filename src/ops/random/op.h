// Random numbers: RANDOM_UNIFORM, RANDOM_STANDARD_NORMAL, MULTINOMIAL.
//
// The generator is Philox 4x32-10 (Salmon et al., SC 2011) seeded and read as TensorFlow does, so equal seeds give
// LiteRT's numbers (the normal ones to float32's last bits). Its state is the session's: a run continues where the last
// one ended, reset_state() begins anew. Both seeds 0: a seed from the system for each session.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> random_ops() noexcept;

// kernels.cc
Result<Prepared> prepare_random_uniform(const OpContext& context);
Result<Prepared> prepare_random_standard_normal(const OpContext& context);
Result<Prepared> prepare_multinomial(const OpContext& context);

}  // namespace fewbits::ops
