// The loops of a depthwise convolution, for the ISA files: four rows at a time share each load of weights, and channels
// go by some vectors. What is summed is the Core's affair.
//
// A Core has:
//   Args, Element (of the input), Sum, kVectors (of channels at a time)
//   sum<rows, vectors, whole>(args, taps, c, count, sums)   sums of `count` channels from c, one row of `sums` for each
//   of the rows;
//                                                    taps(t, r) is where tap t of row r begins
//   finish(args, row, rows, c, count, sums, stride)  bias, zero points, scaling and output; stride: between rows of
//   sums
#pragma once

#include "kernels/depthwise.h"
#include "kernels/simd.h"

namespace fewbits {
namespace {

template <class Core>
struct Depthwise {
  using Args = typename Core::Args;
  using Element = typename Core::Element;
  static constexpr size_t kRows = 4;
  static constexpr size_t kWidth = Core::kVectors;
  static constexpr size_t kMaxTaps = 64;  // whose pointers are looked up once for all channels

  static void run(const Args& args, size_t row_begin, size_t row_end) noexcept {
    size_t row = row_begin;
    for (; row + kRows <= row_end; row += kRows) run_rows<kRows>(args, row);
    for (; row < row_end; ++row) run_rows<1>(args, row);
  }

 private:
  static FB_INLINE const Element* look_up(const DepthwiseRows<Element>& in, size_t row, size_t t) {
    const int32_t offset = in.offsets[row * in.taps + t];
    return offset < 0 ? in.padding : in.data + offset;
  }

  template <size_t kTileRows>
  static void run_rows(const Args& args, size_t row) noexcept {
    if (args.in.taps > kMaxTaps) {
      return run_channels<kTileRows>(args, row,
                                     [&](size_t t, size_t r) FB_LAMBDA { return look_up(args.in, row + r, t); });
    }
    const Element* pointers[kMaxTaps * kTileRows];
    for (size_t t = 0; t < args.in.taps; ++t) {
      for (size_t r = 0; r < kTileRows; ++r) pointers[t * kTileRows + r] = look_up(args.in, row + r, t);
    }
    run_channels<kTileRows>(args, row, [&](size_t t, size_t r) FB_LAMBDA { return pointers[t * kTileRows + r]; });
  }

  template <size_t kTileRows, class Taps>
  static FB_INLINE void run_channels(const Args& args, size_t row, const Taps& taps) {
    constexpr size_t kLanes = Simd::kLanes;
    alignas(64) typename Core::Sum sums[kTileRows * kWidth * kLanes];
    size_t c = 0;
    for (; c + kWidth * kLanes <= args.channels; c += kWidth * kLanes) {
      Core::template sum<kTileRows, kWidth, true>(args, taps, c, kWidth * kLanes, sums);
      Core::finish(args, row, kTileRows, c, kWidth * kLanes, sums, kWidth * kLanes);
    }
    for (; c + kLanes <= args.channels; c += kLanes) {
      Core::template sum<kTileRows, 1, true>(args, taps, c, kLanes, sums);
      Core::finish(args, row, kTileRows, c, kLanes, sums, kLanes);
    }
    if (c < args.channels) {
      Core::template sum<kTileRows, 1, false>(args, taps, c, args.channels - c, sums);
      Core::finish(args, row, kTileRows, c, args.channels - c, sums, kLanes);
    }
  }
};

}  // namespace
}  // namespace fewbits
