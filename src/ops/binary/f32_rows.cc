// The choice of rows of float32 arithmetic.
#include "ops/binary/f32_rows.h"

#include "base/cpu.h"

namespace fewbits::ops {

const F32Rows* select_f32_rows() noexcept {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) return &kF32RowsAvx512;
  if (isa() >= Isa::kAvx2) return &kF32RowsAvx2;
#endif
  return nullptr;
}

}  // namespace fewbits::ops
