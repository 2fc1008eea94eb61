// Quantized sums and products, for every processor, and the choice of the best.
#include "ops/binary/rows.h"
#include "base/cpu.h"
#include "kernels/independent_loop.h"
// Its own namespace: see rows.inc.
#include "ops/binary/rows.inc"

namespace fewbits::ops {

template <class Args, class T>
void binary_row_baseline(const Args& args, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
                         size_t count) noexcept {
  binary_row(args, a, a_step, b, b_step, out, count);
}

template void binary_row_baseline(const SumRowArgs&, const int8_t*, size_t, const int8_t*, size_t, int8_t*,
                                  size_t) noexcept;
template void binary_row_baseline(const SumRowArgs&, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t*,
                                  size_t) noexcept;
template void binary_row_baseline(const SumRowArgs&, const int16_t*, size_t, const int16_t*, size_t, int16_t*,
                                  size_t) noexcept;
template void binary_row_baseline(const ProductRowArgs&, const int8_t*, size_t, const int8_t*, size_t, int8_t*,
                                  size_t) noexcept;
template void binary_row_baseline(const ProductRowArgs&, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t*,
                                  size_t) noexcept;
template void binary_row_baseline(const ProductRowArgs&, const int16_t*, size_t, const int16_t*, size_t, int16_t*,
                                  size_t) noexcept;

template <class Args, class T>
BinaryRow<Args, T> select_binary_row(const char** name) noexcept {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) {
    *name = "avx512";
    return binary_row_avx512<Args, T>;
  }
  if (isa() >= Isa::kAvx2) {
    *name = "avx2";
    return binary_row_avx2<Args, T>;
  }
#endif
  *name = "baseline";
  return binary_row_baseline<Args, T>;
}

template BinaryRow<SumRowArgs, int8_t> select_binary_row(const char**) noexcept;
template BinaryRow<SumRowArgs, uint8_t> select_binary_row(const char**) noexcept;
template BinaryRow<SumRowArgs, int16_t> select_binary_row(const char**) noexcept;
template BinaryRow<ProductRowArgs, int8_t> select_binary_row(const char**) noexcept;
template BinaryRow<ProductRowArgs, uint8_t> select_binary_row(const char**) noexcept;
template BinaryRow<ProductRowArgs, int16_t> select_binary_row(const char**) noexcept;

}  // namespace fewbits::ops
