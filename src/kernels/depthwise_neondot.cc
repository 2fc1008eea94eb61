// int8 depthwise convolutions for ARM with dot products: the bytes of four filter lines are interleaved, channel by
// channel, for sdot.
//
// Interleaving is the larger part of the work, so it is shared: where neighbouring outputs of a line overlap, a column of
// pixels is interleaved once for all outputs of a tile whose windows meet it. Where they do not, or nothing is known, all
// taps are the lines of a filter of one column. Channels go by blocks of 16, the last of which begins where it ends with
// the channels: it computes some a second time. Fewer channels than that, and filters of many taps, are left to NEON's
// kernel.
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/depthwise_s8_simd.h"
#include "kernels/requantize_neon.h"

namespace fewbits {
namespace {

using Args = DepthwiseS8Args;

constexpr size_t kBlock = 16;      // channels: the bytes of a register
constexpr size_t kQuad = 4;        // lines of a lane
constexpr size_t kVectors = 4;     // of four channels
constexpr size_t kMaxTaps = 64;    // whose pointers are looked up once for all channels
constexpr size_t kOutputs = 4;     // of a tile whose windows overlap
constexpr size_t kPointers = 160;  // of a tile

constexpr size_t divide_up(size_t a, size_t b) noexcept { return (a + b - 1) / b; }

constexpr bool left_to_neon(size_t taps, size_t channels) noexcept { return channels < kBlock || taps > kMaxTaps; }

constexpr size_t columns_of(size_t shared_columns) noexcept {
  return shared_columns == 3 || shared_columns == 5 ? shared_columns : 1;
}
constexpr size_t quads_of(size_t taps, size_t columns) noexcept { return divide_up(taps / columns, kQuad); }
constexpr size_t block_bytes(size_t taps, size_t columns) noexcept {
  return quads_of(taps, columns) * columns * kVectors * kBlock;
}

constexpr size_t block_begin(size_t block, size_t channels) noexcept {
  return smaller(block * kBlock, channels - kBlock);
}

size_t packed_size(size_t taps, size_t channels, size_t shared_columns) noexcept {
  if (left_to_neon(taps, channels)) return kDepthwiseS8Neon.packed_size(taps, channels, shared_columns);
  const size_t blocks = divide_up(channels, kBlock);
  return blocks * (kBlock * sizeof(int32_t) + block_bytes(taps, columns_of(shared_columns)));
}

// The sums of each channel's weights, then [blocks][quads of lines][columns][16 channels][4 lines].
void pack(const DepthwiseWeights<int8_t>& w, void* packed) noexcept {
  if (left_to_neon(w.taps, w.channels)) return kDepthwiseS8Neon.pack(w, packed);
  const size_t blocks = divide_up(w.channels, kBlock), columns = columns_of(w.shared_columns), lines = w.taps / columns;
  auto* sums = static_cast<int32_t*>(packed);
  for (size_t c = 0; c < blocks * kBlock; ++c) {
    sums[c] = 0;
    for (size_t t = 0; t < w.taps; ++t) sums[c] += DepthwiseS8Core::weight(w, t, c);
  }
  auto* out = reinterpret_cast<int8_t*>(sums + blocks * kBlock);
  for (size_t b = 0; b < blocks; ++b) {
    for (size_t step = 0; step < quads_of(w.taps, columns) * columns; ++step) {
      for (size_t i = 0; i < kBlock * kQuad; ++i) {
        const size_t line = step / columns * kQuad + i % kQuad, channel = block_begin(b, w.channels) + i / kQuad;
        const bool inside = line < lines;
        *out++ = inside ? static_cast<int8_t>(DepthwiseS8Core::weight(w, line * columns + step % columns, channel)) : 0;
      }
    }
  }
}

// kFlip: uint8 inputs.
template <size_t kColumns, bool kFlip>
struct Tile {
  static constexpr size_t kRows = kColumns == 1 ? 2 : kOutputs;  // two share loads of weights
  static constexpr size_t kPixels = kRows + kColumns - 1;

  // Where the pixels of rows [row, last] begin: [quads][pixels][4 lines]. Rows past the last are the last again, lines past the
  // last likewise: they meet weights of 0.
  static FB_INLINE void look_up(const DepthwiseRows<int8_t>& in, size_t row, size_t last, const int8_t** pointers) {
    const size_t lines = in.taps / kColumns;
    for (size_t begin = 0; begin < lines; begin += kQuad) {
      for (size_t pixel = 0; pixel < kPixels; ++pixel) {
        const size_t column = smaller(pixel, kColumns - 1);
        const int32_t* offsets = in.offsets + smaller(row + pixel - column, last) * in.taps + column;
        for (size_t line = begin; line < begin + kQuad; ++line) {
          const int32_t offset = offsets[smaller(line, lines - 1) * kColumns];
          *pointers++ = offset < 0 ? in.padding : in.data + offset;
        }
      }
    }
  }

  // Sums of 16 channels from c: [rows][16].
  static FB_INLINE void sum(const int8_t* const* pointers, size_t quads, size_t c, const int8_t* w, int32_t* sums) {
    int32x4_t acc[kRows][kVectors];
    unroll<kRows>([&]<size_t r>()
                      FB_LAMBDA { unroll<kVectors>([&]<size_t v>() FB_LAMBDA { acc[r][v] = vdupq_n_s32(0); }); });
    for (; quads > 0; --quads, pointers += kPixels * kQuad, w += kColumns * kVectors * kBlock) {
      unroll<kPixels>([&]<size_t pixel>() FB_LAMBDA {
        int8x16_t in[kQuad];
        unroll<kQuad>([&]<size_t j>() FB_LAMBDA {
          in[j] = vld1q_s8(pointers[pixel * kQuad + j] + c);
          if constexpr (kFlip) in[j] = veorq_s8(in[j], vdupq_n_s8(-128));
        });
        const int16x8_t low01 = vreinterpretq_s16_s8(vzip1q_s8(in[0], in[1]));
        const int16x8_t high01 = vreinterpretq_s16_s8(vzip2q_s8(in[0], in[1]));
        const int16x8_t low23 = vreinterpretq_s16_s8(vzip1q_s8(in[2], in[3]));
        const int16x8_t high23 = vreinterpretq_s16_s8(vzip2q_s8(in[2], in[3]));
        const int16x8_t four[kVectors] = {vzip1q_s16(low01, low23), vzip2q_s16(low01, low23),
                                          vzip1q_s16(high01, high23), vzip2q_s16(high01, high23)};
        unroll<kRows>([&]<size_t r>() FB_LAMBDA {
          if constexpr (pixel >= r && pixel - r < kColumns) {
            unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
              const int8x16_t weights = vld1q_s8(w + ((pixel - r) * kVectors + v) * kBlock);
              acc[r][v] = vdotq_s32(acc[r][v], vreinterpretq_s8_s16(four[v]), weights);
            });
          }
        });
      });
    }
    unroll<kRows>([&]<size_t r>() FB_LAMBDA {
      unroll<kVectors>([&]<size_t v>() FB_LAMBDA { vst1q_s32(sums + r * kBlock + v * 4, acc[r][v]); });
    });
  }
};

// Tiles that share pixels stay within a line.
template <size_t kColumns, bool kFlip>
void run_columns(const Args& args, size_t row, size_t row_end) noexcept {
  using ThisTile = Tile<kColumns, kFlip>;
  const size_t blocks = divide_up(args.channels, kBlock), quads = quads_of(args.in.taps, kColumns);
  const size_t step = block_bytes(args.in.taps, kColumns);
  const auto* weight_sums = static_cast<const int32_t*>(args.packed);
  const auto* weights = reinterpret_cast<const int8_t*>(weight_sums + blocks * kBlock);
  const int8_t* pointers[kPointers];
  int32_t sums[ThisTile::kRows * kBlock];
  while (row < row_end) {
    const size_t line_end = kColumns == 1 ? row_end : smaller((row / args.in.line + 1) * args.in.line, row_end);
    const size_t rows = smaller(ThisTile::kRows, line_end - row);
    ThisTile::look_up(args.in, row, row + rows - 1, pointers);
    for (size_t b = 0; b < blocks; ++b) {
      const size_t c = block_begin(b, args.channels);
      ThisTile::sum(pointers, quads, c, weights + b * step, sums);
      if (args.output == GemmS8Output::kInt8) {
        const Sixteen channels(args.bias != nullptr ? args.bias + c : nullptr, args.in_zero_point, weight_sums + c);
        channels.write(args, args.multiplier + c, rows, sums, kBlock,
                       static_cast<int8_t*>(args.out) + row * args.out_stride + c);
      } else {
        DepthwiseS8Output::write(args, row, rows, c, kBlock, sums, kBlock, weight_sums, 0);
      }
    }
    row += rows;
  }
}

void run(const Args& args, size_t row_begin, size_t row_end) noexcept {
  if (left_to_neon(args.in.taps, args.channels)) return kDepthwiseS8Neon.run(args, row_begin, row_end);
  const bool flip = args.in_flip != 0;
  switch (columns_of(args.in.shared_columns)) {
    case 3:
      return flip ? run_columns<3, true>(args, row_begin, row_end) : run_columns<3, false>(args, row_begin, row_end);
    case 5:
      return flip ? run_columns<5, true>(args, row_begin, row_end) : run_columns<5, false>(args, row_begin, row_end);
    default:
      return flip ? run_columns<1, true>(args, row_begin, row_end) : run_columns<1, false>(args, row_begin, row_end);
  }
}

}  // namespace

const DepthwiseS8Kernel kDepthwiseS8NeonDot = {"depthwise_s8_neondot", Isa::kNeonDot, kBlock, false, false,
                                               &packed_size,           &pack,         &run};

}  // namespace fewbits
