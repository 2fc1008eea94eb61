// Pooling, vectorized for AVX2.
#include "ops/pool/pool_args.h"
// Its own namespace: see rows.inc.
#include "ops/pool/rows.inc"

namespace fewbits::ops {

template <class T>
void pool_rows_avx2(const PoolArgs& args, const T* in, T* out, size_t begin, size_t end) noexcept {
  pool_any(args, in, out, begin, end);
}

template void pool_rows_avx2(const PoolArgs&, const float*, float*, size_t, size_t) noexcept;
template void pool_rows_avx2(const PoolArgs&, const int8_t*, int8_t*, size_t, size_t) noexcept;
template void pool_rows_avx2(const PoolArgs&, const uint8_t*, uint8_t*, size_t, size_t) noexcept;
template void pool_rows_avx2(const PoolArgs&, const int16_t*, int16_t*, size_t, size_t) noexcept;

}  // namespace fewbits::ops
