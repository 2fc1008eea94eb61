// Quantized sums and products, vectorized for AVX512.
#include "kernels/independent_loop.h"
#include "ops/binary/rows.h"
// Its own namespace: see rows.inc.
#include "ops/binary/rows.inc"

namespace fewbits::ops {

template <class Args, class T>
void binary_row_avx512(const Args& args, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
                       size_t count) noexcept {
  binary_row(args, a, a_step, b, b_step, out, count);
}

template void binary_row_avx512(const SumRowArgs&, const int8_t*, size_t, const int8_t*, size_t, int8_t*,
                                size_t) noexcept;
template void binary_row_avx512(const SumRowArgs&, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t*,
                                size_t) noexcept;
template void binary_row_avx512(const SumRowArgs&, const int16_t*, size_t, const int16_t*, size_t, int16_t*,
                                size_t) noexcept;
template void binary_row_avx512(const ProductRowArgs&, const int8_t*, size_t, const int8_t*, size_t, int8_t*,
                                size_t) noexcept;
template void binary_row_avx512(const ProductRowArgs&, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t*,
                                size_t) noexcept;
template void binary_row_avx512(const ProductRowArgs&, const int16_t*, size_t, const int16_t*, size_t, int16_t*,
                                size_t) noexcept;

}  // namespace fewbits::ops
