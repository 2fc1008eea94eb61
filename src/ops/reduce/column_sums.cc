// The choice of column sums.
#include "ops/reduce/column_sums.h"

#include "base/cpu.h"

namespace fewbits::ops {

template <class T, class Sum>
ColumnSums<T, Sum> select_column_sums() noexcept {
#if defined(__x86_64__)
  if constexpr (sizeof(T) != sizeof(int16_t)) {
    if (isa() >= Isa::kAvx512) return column_sums_avx512;
  }
#endif
  return nullptr;
}

template ColumnSums<int8_t, uint32_t> select_column_sums() noexcept;
template ColumnSums<uint8_t, uint32_t> select_column_sums() noexcept;
template ColumnSums<int16_t, uint32_t> select_column_sums() noexcept;
template ColumnSums<float, float> select_column_sums() noexcept;

}  // namespace fewbits::ops
