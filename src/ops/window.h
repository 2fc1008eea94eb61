// Where the windows of convolutions and pools lie along one dimension.
#pragma once

#include <cstdint>
#include <optional>

namespace fewbits::ops {

struct Window {
  int32_t out = 0;  // how many windows there are; 0 where none fits
  int32_t pad = 0;  // how far the first one begins before the input
};

// The windows of `filter` taps, `dilation` apart, `stride` between windows, over `in` elements: as TFLite's SAME
// (`same`) or VALID padding. Nothing when a number makes no sense: a negative size, a filter, stride or dilation below
// 1, or positions beyond int32.
inline std::optional<Window> place_windows(bool same, int64_t in, int64_t filter, int64_t stride,
                                           int64_t dilation) noexcept {
  if (in < 0 || filter < 1 || stride < 1 || dilation < 1 || in > INT32_MAX || filter > INT32_MAX ||
      stride > INT32_MAX || dilation > INT32_MAX) {
    return std::nullopt;
  }
  const int64_t span = (filter - 1) * dilation + 1;
  if (span > INT32_MAX - in) return std::nullopt;
  if (!same) return Window{in < span ? 0 : static_cast<int32_t>((in - span) / stride + 1), 0};
  const int64_t out = (in + stride - 1) / stride;
  const int64_t padding = (out - 1) * stride + span - in;
  return Window{static_cast<int32_t>(out), padding > 0 ? static_cast<int32_t>(padding / 2) : 0};
}

}  // namespace fewbits::ops
