// Choice from a list of kernels that runs from best to reference.
#pragma once

#include <span>

#include "base/cpu.h"

namespace fewbits {

// The first kernel of `list` that `isa` can run; its last, the reference, runs everywhere.
template <class Kernel>
const Kernel& first_usable(std::span<const Kernel* const> list, Isa isa) noexcept {
  for (const Kernel* kernel : list) {
    if (kernel->isa <= isa) return *kernel;
  }
  return *list.back();
}

}  // namespace fewbits
