// int8 depthwise convolutions for AVX-512 VNNI: the bytes of four taps are interleaved, channel by channel, for
// vpdpbusd.
//
// Interleaving is the larger part of the work, so it is shared. Where neighbouring outputs of a line overlap, four
// neighbouring pixels serve all outputs whose windows meet them, each with its own arrangement of the filter's columns
// and zeros: two outputs of a 3-column filter, four of a 5-column one. Narrow blocks of channels put two or four outputs
// side by side in a register.
//
// Weights less a zero point (legacy models) take nine bits: they are the sum of two bytes, and multiplied twice.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/depthwise_kernels.h"
#include "kernels/vnni_order.h"

namespace fewbits {
namespace {

using Args = DepthwiseS8Args;

constexpr size_t kBlock = 64;  // bytes of a register
constexpr size_t kQuad = 4;    // pixels of a lane
constexpr size_t kVectors = 4;

// How a filter's columns are arranged: `outputs` neighbours share each of the `quads` of four pixels of a filter's line.
// Without sharing all taps count as one line.
struct Arrangement {
  size_t columns, outputs, lines, quads;
};
constexpr Arrangement arrange(size_t taps, size_t shared_columns) noexcept {
  if (shared_columns == 3) return {3, 2, taps / 3, 1};
  if (shared_columns == 5) return {5, 4, taps / 5, 2};
  return {taps, 1, 1, (taps + kQuad - 1) / kQuad};
}
constexpr size_t block_weights(const Arrangement& a) noexcept { return a.lines * a.quads * a.outputs * kBlock * kQuad; }

// What packed weights begin with.
struct Header {
  int32_t halves;  // 2 where weights are sums of two bytes: then the second ones of all blocks follow the first
  int32_t unused[15];
};
static_assert(sizeof(Header) == 64);

// Outputs side by side in a register for the last `channels` of a row.
FB_INLINE size_t outputs_abreast(size_t channels) { return channels > 32 ? 1 : channels > 16 ? 2 : 4; }

size_t packed_size(size_t taps, size_t channels, size_t shared_columns) noexcept {
  const size_t padded = round_up(channels, kBlock);
  return sizeof(Header) + padded * sizeof(int32_t) +
         2 * (padded / kBlock) * block_weights(arrange(taps, shared_columns));
}

FB_INLINE int32_t weight(const DepthwiseWeights<int8_t>& w, size_t t, size_t c) {
  return c < w.channels ? static_cast<int8_t>(w.data[t * w.channels + c] ^ w.flip) - w.zero_point : 0;
}
// The first or second of the bytes that a weight is the sum of.
FB_INLINE int8_t half_of(int32_t weight, size_t half, int32_t halves) {
  if (halves == 1) return static_cast<int8_t>(weight);
  return static_cast<int8_t>(half == 0 ? weight >> 1 : weight - (weight >> 1));
}

// [lines][quads][outputs][4 vectors][16 lanes][4 pixels] of a block of channels.
void pack_block(const DepthwiseWeights<int8_t>& w, const Arrangement& a, size_t block, size_t half, int32_t halves,
                int8_t* out) {
  const size_t channels = kBlock / outputs_abreast(w.channels - block);
  for (size_t step = 0; step < a.lines * a.quads * a.outputs; ++step) {
    const size_t output = step % a.outputs, quad = step / a.outputs % a.quads, line = step / a.outputs / a.quads;
    for (size_t i = 0; i < kBlock * kQuad; ++i) {
      const size_t pixel = quad * kQuad + i % kQuad;  // of the line; output 0's window begins at 0, output 1's at 1
      const size_t channel = natural_channel(kVectors, i / kQuad / 16, i / kQuad % 16) % channels;
      const bool inside = pixel >= output && pixel - output < a.columns;
      const int32_t value = inside ? weight(w, line * a.columns + pixel - output, block + channel) : 0;
      *out++ = half_of(value, half, halves);
    }
  }
}

// The header, sums of each channel's weights, then [halves][blocks][lines][quads][outputs][4 vectors][16 lanes][4 pixels].
void pack(const DepthwiseWeights<int8_t>& w, void* packed) noexcept {
  const size_t padded = round_up(w.channels, kBlock);
  const Header header{w.zero_point == 0 ? 1 : 2, {}};
  __builtin_memcpy(packed, &header, sizeof header);
  auto* sums = reinterpret_cast<int32_t*>(static_cast<uint8_t*>(packed) + sizeof header);
  for (size_t c = 0; c < padded; ++c) {
    sums[c] = 0;
    for (size_t t = 0; t < w.taps; ++t) sums[c] += weight(w, t, c);
  }
  const Arrangement a = arrange(w.taps, w.shared_columns);
  auto* out = reinterpret_cast<int8_t*>(sums + padded);
  for (size_t half = 0; half < static_cast<size_t>(header.halves); ++half) {
    for (size_t block = 0; block < padded; block += kBlock, out += block_weights(a)) {
      pack_block(w, a, block, half, header.halves, out);
    }
  }
}

// What a block of channels adds to its sums and multiplies them with, in accumulator order.
struct Scaling {
  __m512i term[kVectors];
  ByteScaling to_int8;
  __m512 factor[kVectors], float_bias[kVectors];
};

// `count` numbers of a block's channels, repeated for all outputs of a register.
template <size_t kAbreast>
FB_INLINE void load_repeated(const int32_t* p, size_t count, __m512i (&x)[kVectors]) {
  unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
    constexpr size_t kBegin = v * 16 % (kBlock / kAbreast);
    const bool any = p != nullptr && count > kBegin;
    x[v] = any ? Simd::load(p + kBegin, smaller(count - kBegin, 16)) : Simd::set(0);
  });
  to_accumulator_order(x);
}

template <size_t kAbreast>
void load_scaling(const Args& args, const int32_t* weight_sums, size_t c, size_t count, Scaling& s) {
  const bool to_int8 = args.output == GemmS8Output::kInt8, to_float = args.output == GemmS8Output::kFloat;
  const float* factor = to_int8 ? args.multiplier + c : to_float ? args.channel_scale + c : nullptr;
  const float* bias = to_float && args.float_bias != nullptr ? args.float_bias + c : nullptr;
  __m512i sums[kVectors], factors[kVectors], biases[kVectors];
  load_repeated<kAbreast>(weight_sums, count, sums);
  load_repeated<kAbreast>(args.bias != nullptr ? args.bias + c : nullptr, count, s.term);
  load_repeated<kAbreast>(reinterpret_cast<const int32_t*>(factor), count, factors);
  load_repeated<kAbreast>(reinterpret_cast<const int32_t*>(bias), count, biases);
  const __m512i zero_point = Simd::set(args.in_zero_point + 128);  // inputs are made unsigned by adding 128
  const __m512 in_scale = Simd::set(args.in_scale);
  unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
    s.term[v] = Simd::sub(s.term[v], Simd::mul(zero_point, sums[v]));
    s.factor[v] = _mm512_castsi512_ps(factors[v]);
    if (to_float) s.factor[v] = _mm512_mul_ps(in_scale, s.factor[v]);
    s.float_bias[v] = _mm512_castsi512_ps(biases[v]);
  });
  s.to_int8.open<kVectors>(s.factor, args.rounding);
}

// kAbreast x kOutputs rows of a block of channels. Rows past the last are the last again, and not written.
template <size_t kAbreast, size_t kColumns>
struct Tile {
  static constexpr size_t kChannels = kBlock / kAbreast;
  static constexpr Arrangement kArrangement = arrange(kColumns, kColumns);  // of one line; lines and quads when shared
  static constexpr size_t kOutputs = kColumns == 0 ? 1 : kArrangement.outputs;
  static constexpr size_t kRows = kAbreast * kOutputs;

  const Args& args;
  size_t c, count;  // channels
  const int8_t* weights;
  size_t second_half;  // how far behind them the other bytes of the weights lie; 0: there are none
  const Scaling& scaling;

  // Where tap t of a row begins.
  FB_INLINE const int8_t* tap(size_t row, size_t t) const {
    const int32_t offset = args.in.offsets[row * args.in.taps + t];
    return (offset < 0 ? args.in.padding : args.in.data + offset) + c;
  }

  // The channels of kAbreast pixels.
  template <class Pixel>
  FB_INLINE __m512i load(const Pixel& pixel) const {
    if constexpr (kAbreast == 1) {
      return count >= kBlock ? _mm512_loadu_si512(pixel(0)) : _mm512_maskz_loadu_epi8(first_bytes(count), pixel(0));
    } else if constexpr (kAbreast == 2) {
      const auto present = static_cast<__mmask32>(first_bytes(count));
      const __m256i low = _mm256_maskz_loadu_epi8(present, pixel(0)), high = _mm256_maskz_loadu_epi8(present, pixel(1));
      return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    } else {
      const auto present = static_cast<__mmask16>(first_bytes(count));
      __m512i x = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(present, pixel(0)));
      x = _mm512_inserti32x4(x, _mm_maskz_loadu_epi8(present, pixel(1)), 1);
      x = _mm512_inserti32x4(x, _mm_maskz_loadu_epi8(present, pixel(2)), 2);
      return _mm512_inserti32x4(x, _mm_maskz_loadu_epi8(present, pixel(3)), 3);
    }
  }

  // Rows [row, row + rows), rows <= kRows.
  FB_INLINE void run(size_t row, size_t rows) const {
    const size_t last = row + rows - 1;
    __m512i acc[kOutputs][kVectors];
    unroll<kOutputs>([&]<size_t g>()
                         FB_LAMBDA { unroll<kVectors>([&]<size_t v>() FB_LAMBDA { acc[g][v] = scaling.term[v]; }); });
    const int8_t* w = weights;
    const auto add_quad = [&](const auto& tap_of) FB_LAMBDA {  // tap_of<pixel>(output abreast): its address
      __m512i in[kQuad];
      const __m512i to_unsigned = _mm512_set1_epi8(static_cast<char>(args.in_flip ^ 0x80));
      unroll<kQuad>([&]<size_t j>() FB_LAMBDA {
        in[j] = load([&](size_t h) FB_LAMBDA { return tap_of.template operator()<j>(h); });
        in[j] = _mm512_xor_si512(in[j], to_unsigned);
      });
      const __m512i low01 = _mm512_unpacklo_epi8(in[0], in[1]), high01 = _mm512_unpackhi_epi8(in[0], in[1]);
      const __m512i low23 = _mm512_unpacklo_epi8(in[2], in[3]), high23 = _mm512_unpackhi_epi8(in[2], in[3]);
      const __m512i quads[kVectors] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                                       _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)};
      unroll<kOutputs>([&]<size_t g>() FB_LAMBDA {
        unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
          acc[g][v] = _mm512_dpbusd_epi32(acc[g][v], quads[v], _mm512_loadu_si512(w + (g * kVectors + v) * kBlock));
        });
      });
      if (second_half != 0) [[unlikely]] {
        const int8_t* second = w + second_half;
        unroll<kOutputs>([&]<size_t g>() FB_LAMBDA {
          unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
            acc[g][v] =
                _mm512_dpbusd_epi32(acc[g][v], quads[v], _mm512_loadu_si512(second + (g * kVectors + v) * kBlock));
          });
        });
      }
      w += kOutputs * kVectors * kBlock;
    };
    if constexpr (kColumns == 0) {
      for (size_t t = 0; t < args.in.taps; t += kQuad) {  // taps past the last meet weights of 0
        add_quad([&]<size_t j>(size_t h)
                     FB_LAMBDA { return tap(smaller(row + h, last), smaller(t + j, args.in.taps - 1)); });
      }
    } else {
      for (size_t line = 0; line < args.in.taps; line += kColumns) {
        unroll<kArrangement.quads>([&]<size_t q>() FB_LAMBDA {
          add_quad([&]<size_t j>(size_t h) FB_LAMBDA {
            // Pixels past the first output's window are the last column of a later output's.
            constexpr size_t kPixel = q * kQuad + j, kColumn = smaller(kPixel, kColumns - 1);
            return tap(smaller(row + h * kOutputs + (kPixel - kColumn), last), line + kColumn);
          });
        });
      }
    }
    if (args.output == GemmS8Output::kInt8) scaling.to_int8(acc);
    unroll<kOutputs>([&]<size_t g>() FB_LAMBDA {
      switch (args.output) {
        case GemmS8Output::kInt8: return write_int8(acc[g], row + g, last);
        case GemmS8Output::kInt32: return write_int32(acc[g], row + g, last);
        case GemmS8Output::kFloat: return write_float(acc[g], row + g, last);
      }
    });
  }

  // The outputs of a register are kOutputs rows apart.
  FB_INLINE void write_int8(const __m512i (&x)[kVectors], size_t row, size_t last) const {
    const __m512i bytes = as_bytes(x, {args.out_zero_point, args.lo, args.hi, args.out_flip});
    int8_t* out = static_cast<int8_t*>(args.out) + row * args.out_stride + c;
    const size_t step = kOutputs * args.out_stride;
    if (row > last) return;
    if constexpr (kAbreast == 1) {
      store_bytes(out, bytes, count);
    } else if constexpr (kAbreast == 2) {
      const auto present = static_cast<__mmask32>(first_bytes(count));
      _mm256_mask_storeu_epi8(out, present, _mm512_castsi512_si256(bytes));
      if (row + kOutputs <= last) _mm256_mask_storeu_epi8(out + step, present, _mm512_extracti64x4_epi64(bytes, 1));
    } else {
      const auto present = static_cast<__mmask16>(first_bytes(count));
      _mm_mask_storeu_epi8(out, present, _mm512_castsi512_si128(bytes));
      if (row + kOutputs <= last) _mm_mask_storeu_epi8(out + step, present, _mm512_extracti32x4_epi32(bytes, 1));
      if (row + 2 * kOutputs <= last)
        _mm_mask_storeu_epi8(out + 2 * step, present, _mm512_extracti32x4_epi32(bytes, 2));
      if (row + 3 * kOutputs <= last)
        _mm_mask_storeu_epi8(out + 3 * step, present, _mm512_extracti32x4_epi32(bytes, 3));
    }
  }

  template <class T, class Vector>
  FB_INLINE void write_vectors(const Vector (&x)[kVectors], size_t row, size_t last) const {
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
      constexpr size_t kOutput = v * 16 / kChannels, kBegin = v * 16 % kChannels;
      const size_t to = row + kOutput * kOutputs;
      if (to <= last) store_some(static_cast<T*>(args.out) + to * args.out_stride + c, kBegin, count, x[v]);
    });
  }

  FB_INLINE void write_int32(__m512i (&sums)[kVectors], size_t row, size_t last) const {
    to_natural_order(sums);
    write_vectors<int32_t>(sums, row, last);
  }

  FB_INLINE void write_float(__m512i (&sums)[kVectors], size_t row, size_t last) const {
    const __m512 lo = Simd::set(args.float_lo), hi = Simd::set(args.float_hi);
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA {
      const __m512 x = _mm512_add_ps(_mm512_mul_ps(Simd::to_float(sums[v]), scaling.factor[v]), scaling.float_bias[v]);
      sums[v] = _mm512_castps_si512(Simd::min(hi, Simd::max(lo, x)));
    });
    to_natural_order(sums);
    __m512 x[kVectors];
    unroll<kVectors>([&]<size_t v>() FB_LAMBDA { x[v] = _mm512_castsi512_ps(sums[v]); });
    write_vectors<float>(x, row, last);
  }
};

// A block of channels of the rows [row, row_end). Tiles that share pixels stay within a line.
template <size_t kAbreast, size_t kColumns>
__attribute__((noinline)) void run_block(const Args& args, size_t c, size_t count, const int32_t* weight_sums,
                                         const int8_t* weights, size_t second_half, size_t row, size_t row_end) {
  using ThisTile = Tile<kAbreast, kColumns>;
  Scaling scaling;
  load_scaling<kAbreast>(args, weight_sums, c, count, scaling);
  const ThisTile tile{args, c, count, weights, second_half, scaling};
  while (row < row_end) {
    const size_t line_end = kColumns == 0 ? row_end : smaller((row / args.in.line + 1) * args.in.line, row_end);
    for (; row < line_end; row += ThisTile::kRows) tile.run(row, smaller(ThisTile::kRows, line_end - row));
    row = line_end;
  }
}

template <size_t kColumns>
void run_columns(const Args& args, size_t row_begin, size_t row_end) {
  const size_t padded = round_up(args.channels, kBlock);
  const auto* bytes = static_cast<const uint8_t*>(args.packed);
  int32_t halves;
  __builtin_memcpy(&halves, bytes, sizeof halves);
  const auto* sums = reinterpret_cast<const int32_t*>(bytes + sizeof(Header));
  const auto* weights = reinterpret_cast<const int8_t*>(sums + padded);
  const size_t step = block_weights(arrange(args.in.taps, kColumns));
  const size_t second_half = halves == 2 ? padded / kBlock * step : 0;
  for (size_t c = 0; c < args.channels; c += kBlock, weights += step) {
    const size_t count = smaller(kBlock, args.channels - c);
    const size_t abreast = outputs_abreast(args.channels - c);
    if (abreast == 1) run_block<1, kColumns>(args, c, count, sums + c, weights, second_half, row_begin, row_end);
    if (abreast == 2) run_block<2, kColumns>(args, c, count, sums + c, weights, second_half, row_begin, row_end);
    if (abreast == 4) run_block<4, kColumns>(args, c, count, sums + c, weights, second_half, row_begin, row_end);
  }
}

void run(const Args& args, size_t row_begin, size_t row_end) noexcept {
  switch (args.in.shared_columns) {
    case 3: return run_columns<3>(args, row_begin, row_end);
    case 5: return run_columns<5>(args, row_begin, row_end);
    default: return run_columns<0>(args, row_begin, row_end);
  }
}

}  // namespace

const DepthwiseS8Kernel kDepthwiseS8Avx512Vnni = {
    "depthwise_s8_avx512vnni", Isa::kAvx512Vnni, 16, false, true, &packed_size, &pack, &run};

}  // namespace fewbits
