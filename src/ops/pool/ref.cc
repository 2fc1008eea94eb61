// The specification of pooling, scalar.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/pool/pool_args.h"

namespace fewbits::ops {
namespace {

int32_t divide(int32_t sum, int32_t count, bool half_away) noexcept {
  return sum > 0 || !half_away ? (sum + count / 2) / count : (sum - count / 2) / count;
}

template <class T>
T window_value(const PoolArgs& a, const T* image, int32_t y0, int32_t x0, int32_t c) noexcept {
  using Acc = std::conditional_t<std::is_same_v<T, float>, float, int32_t>;
  Acc sum = a.kind == PoolKind::kMax ? static_cast<Acc>(std::numeric_limits<T>::lowest()) : Acc{0};
  int32_t count = 0;
  for (int32_t y = std::max(y0, 0); y < std::min(y0 + a.filter_h, a.in_h); ++y) {
    for (int32_t x = std::max(x0, 0); x < std::min(x0 + a.filter_w, a.in_w); ++x, ++count) {
      const Acc value = image[(static_cast<size_t>(y) * static_cast<size_t>(a.in_w) + static_cast<size_t>(x)) *
                                  static_cast<size_t>(a.channels) +
                              static_cast<size_t>(c)];
      if (a.kind == PoolKind::kMax) {
        sum = value > sum ? value : sum;
      } else {
        sum += a.kind == PoolKind::kL2 ? value * value : value;
      }
    }
  }
  count = std::max(count, 1);
  if constexpr (std::is_same_v<T, float>) {
    if (a.kind != PoolKind::kMax) sum /= static_cast<float>(count);
    if (a.kind == PoolKind::kL2) sum = std::sqrt(sum);
    return std::min(std::max(sum, a.lo_f), a.hi_f);
  } else {
    if (a.kind != PoolKind::kMax) sum = divide(sum, count, !std::is_same_v<T, uint8_t>);
    return static_cast<T>(std::clamp(sum, a.lo, a.hi));
  }
}

}  // namespace

template <class T>
void pool_ref(const PoolArgs& a, const T* in, T* out) noexcept {
  const size_t image = static_cast<size_t>(a.in_h) * static_cast<size_t>(a.in_w) * static_cast<size_t>(a.channels);
  for (int32_t n = 0; n < a.batch; ++n) {
    for (int32_t y = 0; y < a.out_h; ++y) {
      for (int32_t x = 0; x < a.out_w; ++x) {
        for (int32_t c = 0; c < a.channels; ++c) {
          *out++ = window_value(a, in + static_cast<size_t>(n) * image, y * a.stride_h - a.pad_top,
                                x * a.stride_w - a.pad_left, c);
        }
      }
    }
  }
}

template void pool_ref(const PoolArgs&, const float*, float*) noexcept;
template void pool_ref(const PoolArgs&, const int8_t*, int8_t*) noexcept;
template void pool_ref(const PoolArgs&, const uint8_t*, uint8_t*) noexcept;
template void pool_ref(const PoolArgs&, const int16_t*, int16_t*) noexcept;

}  // namespace fewbits::ops
