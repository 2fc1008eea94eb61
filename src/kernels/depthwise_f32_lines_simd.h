// Float depthwise convolutions whose neighbouring outputs overlap: a pixel is loaded once for all outputs of a tile that it
// meets, and a line's weights once for all of these. Channels go by a block, whose pixels of a few lines stay in the L1 cache.
// Include after a simd_<isa>.h.
#pragma once

#include "kernels/depthwise_f32_simd.h"

namespace fewbits {
namespace {

// What a run takes from rows of depthwise.h with `kColumns` shared columns; weights packed by Core.
template <class Core, size_t kColumns>
struct DepthwiseF32Lines {
  using Args = DepthwiseF32Args;
  static constexpr size_t kLanes = Simd::kLanes;
  static constexpr size_t kVectors = Simd::kRegisters >= 32 ? 2 : 1;  // of channels at a time
  static constexpr size_t kBlock = 4 * kLanes;                        // channels that share the search for their pixels
  static constexpr size_t kMostRows = 8;                              // outputs of a tile
  static constexpr size_t kMostLines = 8;                             // filter lines whose pixels are looked up at once
  static constexpr size_t kChunk =
      48 * 1024 / sizeof(float) / kBlock;  // rows whose block of channels is computed at once

  // Rows [row_begin, row_end) in chunks of whole lines, as far as there are.
  static void run(const Args& args, size_t row_begin, size_t row_end) noexcept {
    const size_t lines = kChunk / args.in.line > 1 ? kChunk / args.in.line : 1;
    const size_t chunk = lines * args.in.line;
    for (size_t row = row_begin; row < row_end;) {
      const size_t end = smaller((row / chunk + 1) * chunk, row_end);
      for (size_t c = 0; c < args.channels; c += kBlock)
        run_block(args, c, smaller(kBlock, args.channels - c), row, end);
      row = end;
    }
  }

 private:
  static void run_block(const Args& args, size_t c, size_t count, size_t row, size_t row_end) {
    while (row < row_end) {
      const size_t line_end = smaller((row / args.in.line + 1) * args.in.line, row_end);
      for (; row + kMostRows / 2 < line_end; row += kMostRows) {
        run_tile<kMostRows>(args, c, count, row, smaller(kMostRows, line_end - row));
      }
      if (row < line_end) run_tile<kMostRows / 2>(args, c, count, row, line_end - row);
      row = line_end;
    }
  }

  template <size_t kRows>
  static constexpr size_t kPixels = kRows + kColumns - 1;  // of a filter's line that a tile meets

  // Rows past the last of a tile are the last again, and not written.
  template <size_t kRows>
  static FB_INLINE void run_tile(const Args& args, size_t c, size_t count, size_t row, size_t rows) {
    const float* pixels[kMostLines * kPixels<kRows>];
    const size_t lines = args.in.taps / kColumns, last = row + rows - 1;
    for (size_t y = 0; y < lines; ++y) {
      for (size_t j = 0; j < kPixels<kRows>; ++j) {
        // Pixels past the first output's window are the last column of a later output's.
        const size_t column = smaller(j, kColumns - 1), of = smaller(row + (j - column), last);
        const int32_t offset = args.in.offsets[of * args.in.taps + y * kColumns + column];
        pixels[y * kPixels<kRows> + j] = (offset < 0 ? args.in.padding : args.in.data + offset) + c;
      }
    }
    size_t i = 0;
    for (; i + kVectors * kLanes <= count; i += kVectors * kLanes) {
      sum<kRows, kVectors, true>(args, pixels, lines, c, i, kVectors * kLanes, row, rows);
    }
    for (; i + kLanes <= count; i += kLanes) sum<kRows, 1, true>(args, pixels, lines, c, i, kLanes, row, rows);
    if (i < count) sum<kRows, 1, false>(args, pixels, lines, c, i, count - i, row, rows);
  }

  // Channels [c + i, c + i + count) of a tile.
  template <size_t kRows, size_t kWidth, bool kWhole>
  static FB_INLINE void sum(const Args& args, const float* const* pixels, size_t lines, size_t c, size_t i,
                            size_t count, size_t row, size_t rows) {
    const size_t padded = round_up(args.channels, kLanes);
    const float* w = static_cast<const float*>(args.packed) + c + i;
    Simd::F32 acc[kRows][kWidth];
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = Simd::zero(); }); });
    for (size_t y = 0; y < lines; ++y, pixels += kPixels<kRows>) {
      Simd::F32 weights[kColumns][kWidth];
      unroll<kColumns>([&]<size_t x>() FB_LAMBDA {
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA { weights[x][v] = Simd::load(w + v * kLanes); });
        w += padded;
      });
      unroll<kPixels<kRows>>([&]<size_t j>() FB_LAMBDA {
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
          const float* at = pixels[j] + i + v * kLanes;
          const Simd::F32 in = kWhole ? Simd::load(at) : Simd::load(at, count);
          unroll<kColumns>([&]<size_t x>() FB_LAMBDA {
            if constexpr (x <= j && j - x < kRows) acc[j - x][v] = Simd::fma(in, weights[x][v], acc[j - x][v]);
          });
        });
      });
    }
    const Simd::F32 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
      const size_t at = c + i + v * kLanes, some = kWhole ? kLanes : count;
      const Simd::F32 bias = args.bias != nullptr ? Simd::load(args.bias + at, some) : Simd::zero();
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        if (r >= rows) return;
        const Simd::F32 x = Simd::min(hi, Simd::max(lo, Simd::add(acc[r][v], bias)));
        float* out = args.out + (row + r) * args.out_stride + at;
        kWhole ? Simd::store(out, x) : Simd::store(out, x, some);
      });
    });
  }
};

// Any depthwise convolution in float: by lines where columns are shared, else four rows at a time.
template <class Core>
void run_depthwise_f32(const DepthwiseF32Args& args, size_t row_begin, size_t row_end) noexcept {
  const bool few_lines = args.in.taps <= 8 * args.in.shared_columns;
  if (args.in.shared_columns == 3 && few_lines) return DepthwiseF32Lines<Core, 3>::run(args, row_begin, row_end);
  if (args.in.shared_columns == 5 && few_lines) return DepthwiseF32Lines<Core, 5>::run(args, row_begin, row_end);
  Depthwise<Core>::run(args, row_begin, row_end);
}

}  // namespace
}  // namespace fewbits
