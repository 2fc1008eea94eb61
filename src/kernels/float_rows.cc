// Rows of float functions for every processor, and the choice of the best.
#include "kernels/float_rows.h"

#include "kernels/float_math.h"
#include "kernels/independent_loop.h"

namespace fewbits {
namespace {
using Vectors = ScalarMath;
using Math = FloatMath<Vectors>;
}  // namespace
}  // namespace fewbits

// Its own namespace: see float_rows.inc.
#include "kernels/float_rows.inc"

namespace fewbits {
namespace {
constexpr FloatRows kBaseline = make_float_rows("baseline", Isa::kBaseline);
}  // namespace

#if defined(__x86_64__)
extern const FloatRows kFloatRowsAvx2, kFloatRowsAvx512;
#elif defined(__aarch64__)
extern const FloatRows kFloatRowsNeon;
#endif

std::span<const FloatRows* const> float_rows() noexcept {
  static constexpr const FloatRows* kAll[] = {
#if defined(__x86_64__)
      &kFloatRowsAvx512, &kFloatRowsAvx2,
#elif defined(__aarch64__)
      &kFloatRowsNeon,
#endif
      &kBaseline};
  return kAll;
}

const FloatRows& select_float_rows(Isa isa) noexcept {
  for (const FloatRows* rows : float_rows()) {
    if (rows->isa <= isa) return *rows;
  }
  return kBaseline;
}

}  // namespace fewbits
