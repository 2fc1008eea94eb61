// int8 depthwise convolutions for AVX-512 VNNI: four taps of 64 channels are interleaved, byte by byte, for vpdpbusd.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/depthwise_s8_simd.h"

namespace fewbits {
namespace {

constexpr size_t kBlock = 64;  // channels
constexpr size_t kTaps = 4;    // of a lane
constexpr size_t kPointers = 1024;

// Interleaving works within 128-bit lanes: dword i of vector v holds channel 16 * (i / 4) + 4 * v + i % 4 of its block.
// Everything is kept in that order until packing the results down to bytes undoes it.
constexpr size_t channel_of(size_t v, size_t i) noexcept { return i / 4 * 16 + v * 4 + i % 4; }

// 64 numbers of 32 bits between that order and the natural one: a 4 x 4 transposition of 128-bit lanes, its own
// inverse.
FB_INLINE void transpose(__m512i (&x)[4]) {
  const __m512i a = _mm512_shuffle_i64x2(x[0], x[1], 0x44), b = _mm512_shuffle_i64x2(x[0], x[1], 0xee);
  const __m512i c = _mm512_shuffle_i64x2(x[2], x[3], 0x44), d = _mm512_shuffle_i64x2(x[2], x[3], 0xee);
  x[0] = _mm512_shuffle_i64x2(a, c, 0x88);
  x[1] = _mm512_shuffle_i64x2(a, c, 0xdd);
  x[2] = _mm512_shuffle_i64x2(b, d, 0x88);
  x[3] = _mm512_shuffle_i64x2(b, d, 0xdd);
}

// `count` of 64 per-channel numbers, the rest 0, or all 0 where p is null; in natural order.
template <class T>
FB_INLINE void load_channels(const T* p, size_t count, __m512i (&x)[4]) {
  unroll<4>([&]<size_t v>() FB_LAMBDA {
    constexpr size_t kBegin = 16 * v;
    const bool any = p != nullptr && count > kBegin;
    x[v] = any ? _mm512_maskz_loadu_epi32(Simd::first(smaller(count - kBegin, 16)), p + kBegin) : Simd::set(0);
  });
}

struct Core {
  using Args = DepthwiseS8Args;

  static size_t quads(size_t taps) { return (taps + kTaps - 1) / kTaps; }
  static size_t packed_size(size_t taps, size_t channels) noexcept {
    return round_up(channels, kBlock) * (sizeof(int32_t) + quads(taps) * kTaps);
  }

  // Sums of each channel's weights, then [blocks][quads][4 vectors][16 dwords][4 taps].
  static void pack(const DepthwiseWeights<int8_t>& w, void* packed) noexcept {
    auto* sums = static_cast<int32_t*>(packed);
    const size_t padded = round_up(w.channels, kBlock);
    for (size_t c = 0; c < padded; ++c) {
      sums[c] = 0;
      for (size_t t = 0; t < w.taps; ++t) sums[c] += weight(w, t, c);
    }
    auto* out = reinterpret_cast<int8_t*>(sums + padded);
    for (size_t block = 0; block < padded; block += kBlock) {
      for (size_t t = 0; t < quads(w.taps) * kTaps; t += kTaps) {
        for (size_t i = 0; i < kBlock * kTaps; ++i) {
          *out++ = weight(w, t + i % kTaps, block + channel_of(i / kBlock, i / kTaps % 16));
        }
      }
    }
  }

  // As many rows at a time as have room for the pointers to their taps; for these, block after block of channels.
  static void run(const Args& args, size_t row_begin, size_t row_end) noexcept {
    const size_t taps = quads(args.in.taps) * kTaps;
    if (taps > kPointers) {
      return run_rows(args, row_begin, row_end - row_begin,
                      [&](size_t r, size_t t) FB_LAMBDA { return look_up(args.in, row_begin + r, t); });
    }
    if (taps == 0)
      return run_rows(args, row_begin, row_end - row_begin, [&](size_t, size_t) FB_LAMBDA { return args.in.data; });
    const int8_t* pointers[kPointers];
    const size_t step = kPointers / taps;
    for (size_t row = row_begin; row < row_end; row += step) {
      const size_t rows = smaller(step, row_end - row);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t t = 0; t < args.in.taps; ++t) pointers[r * taps + t] = look_up(args.in, row + r, t);
        for (size_t t = args.in.taps; t < taps; ++t) pointers[r * taps + t] = pointers[r * taps];
      }
      run_rows(args, row, rows, [&](size_t r, size_t t) FB_LAMBDA { return pointers[r * taps + t]; });
    }
  }

 private:
  // What a block of channels adds to and multiplies its sums with, in interleaved order.
  struct Scaling {
    __m512i term[4];
    __m512i factor[4];  // float bits
    __m512i float_bias[4];
  };

  static FB_INLINE int8_t weight(const DepthwiseWeights<int8_t>& w, size_t t, size_t c) {
    return t < w.taps && c < w.channels ? static_cast<int8_t>(w.data[t * w.channels + c] ^ w.flip) : 0;
  }

  // Taps past the end meet weights of 0; any readable pointer does.
  static FB_INLINE const int8_t* look_up(const DepthwiseRows<int8_t>& in, size_t row, size_t t) {
    const int32_t offset = in.offsets[row * in.taps + smaller(t, in.taps - 1)];
    return offset < 0 ? in.padding : in.data + offset;
  }

  template <class Taps>
  static FB_INLINE void run_rows(const Args& args, size_t row, size_t rows, const Taps& taps) {
    const auto* weight_sums = static_cast<const int32_t*>(args.packed);
    const auto* w = reinterpret_cast<const int8_t*>(weight_sums + round_up(args.channels, kBlock));
    for (size_t c = 0; c < args.channels; c += kBlock, w += quads(args.in.taps) * kTaps * kBlock) {
      const size_t count = smaller(kBlock, args.channels - c);
      const Scaling scaling = load_scaling(args, weight_sums + c, c, count);
      for (size_t r = 0; r < rows; ++r) {
        __m512i acc[4];
        unroll<4>([&]<size_t v>() FB_LAMBDA { acc[v] = scaling.term[v]; });
        sum(args, [&](size_t t) FB_LAMBDA { return taps(r, t) + c; }, count, w, acc);
        switch (args.output) {
          case GemmS8Output::kInt8: write_int8(args, row + r, c, count, scaling, acc); break;
          case GemmS8Output::kInt32: write_int32(args, row + r, c, count, acc); break;
          case GemmS8Output::kFloat: write_float(args, row + r, c, count, scaling, acc); break;
        }
      }
    }
  }

  static Scaling load_scaling(const Args& args, const int32_t* weight_sums, size_t c, size_t count) {
    Scaling s;
    __m512i sums[4];
    load_channels(weight_sums, kBlock, sums);
    load_channels(args.bias != nullptr ? args.bias + c : nullptr, count, s.term);
    const bool to_int8 = args.output == GemmS8Output::kInt8, to_float = args.output == GemmS8Output::kFloat;
    const float* factor = to_int8 ? args.multiplier : args.channel_scale;
    load_channels(to_int8 || to_float ? factor + c : nullptr, count, s.factor);
    load_channels(to_float && args.float_bias != nullptr ? args.float_bias + c : nullptr, count, s.float_bias);
    const __m512i zero_point = Simd::set(args.in_zero_point + 128);  // inputs are made unsigned by adding 128
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      s.term[v] = Simd::sub(s.term[v], Simd::mul(zero_point, sums[v]));
      if (to_float) {
        const __m512 scale = _mm512_mul_ps(Simd::set(args.in_scale), _mm512_castsi512_ps(s.factor[v]));
        s.factor[v] = _mm512_castps_si512(scale);
      }
    });
    transpose(s.term);
    transpose(s.factor);
    transpose(s.float_bias);
    return s;
  }

  template <class Taps>
  static FB_INLINE void sum(const Args& args, const Taps& taps, size_t count, const int8_t* w, __m512i (&acc)[4]) {
    const __mmask64 present = count == kBlock ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
    const __m512i to_unsigned = _mm512_set1_epi8(static_cast<char>(args.in_flip ^ 0x80));
    for (size_t t = 0; t < args.in.taps; t += kTaps, w += kBlock * kTaps) {
      __m512i in[kTaps];
      unroll<kTaps>([&]<size_t i>() FB_LAMBDA {
        in[i] = _mm512_xor_si512(_mm512_maskz_loadu_epi8(present, taps(t + i)), to_unsigned);
      });
      const __m512i low01 = _mm512_unpacklo_epi8(in[0], in[1]), high01 = _mm512_unpackhi_epi8(in[0], in[1]);
      const __m512i low23 = _mm512_unpacklo_epi8(in[2], in[3]), high23 = _mm512_unpackhi_epi8(in[2], in[3]);
      const __m512i quads[4] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                                _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)};
      unroll<4>([&]<size_t v>()
                    FB_LAMBDA { acc[v] = _mm512_dpbusd_epi32(acc[v], quads[v], _mm512_loadu_si512(w + v * kBlock)); });
    }
  }

  static FB_INLINE void write_int8(const Args& args, size_t row, size_t c, size_t count, const Scaling& scaling,
                                   const __m512i (&acc)[4]) {
    const __m512 least = Simd::set(static_cast<float>(args.lo - args.out_zero_point));
    const __m512 most = Simd::set(static_cast<float>(args.hi - args.out_zero_point));
    __m512i x[4];
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      const __m512 scaled = _mm512_mul_ps(Simd::to_float(acc[v]), _mm512_castsi512_ps(scaling.factor[v]));
      x[v] = Simd::to_int_nearest_even(Simd::min(Simd::max(scaled, least), most));
    });
    // The values less the zero point fit 16 bits; with it, 8.
    const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(args.out_zero_point));
    const __m512i low = _mm512_add_epi16(_mm512_packs_epi32(x[0], x[1]), zero_point);
    const __m512i high = _mm512_add_epi16(_mm512_packs_epi32(x[2], x[3]), zero_point);
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(args.out_flip));
    const __mmask64 present = count == kBlock ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
    int8_t* out = static_cast<int8_t*>(args.out) + row * args.out_stride + c;
    _mm512_mask_storeu_epi8(out, present, _mm512_xor_si512(_mm512_packs_epi16(low, high), flip));
  }

  static FB_INLINE void write_int32(const Args& args, size_t row, size_t c, size_t count, __m512i (&acc)[4]) {
    transpose(acc);
    int32_t* out = static_cast<int32_t*>(args.out) + row * args.out_stride + c;
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      if (count > v * 16) Simd::store(out + v * 16, acc[v], smaller(count - v * 16, 16));
    });
  }

  static FB_INLINE void write_float(const Args& args, size_t row, size_t c, size_t count, const Scaling& scaling,
                                    __m512i (&acc)[4]) {
    const __m512 lo = Simd::set(args.float_lo), hi = Simd::set(args.float_hi);
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      const __m512 scaled = _mm512_mul_ps(Simd::to_float(acc[v]), _mm512_castsi512_ps(scaling.factor[v]));
      const __m512 x = _mm512_add_ps(scaled, _mm512_castsi512_ps(scaling.float_bias[v]));
      acc[v] = _mm512_castps_si512(Simd::min(hi, Simd::max(lo, x)));
    });
    transpose(acc);
    float* out = static_cast<float*>(args.out) + row * args.out_stride + c;
    unroll<4>([&]<size_t v>() FB_LAMBDA {
      if (count > v * 16) Simd::store(out + v * 16, _mm512_castsi512_ps(acc[v]), smaller(count - v * 16, 16));
    });
  }
};

}  // namespace

const DepthwiseS8Kernel kDepthwiseS8Avx512Vnni = {"depthwise_s8_avx512vnni", Isa::kAvx512Vnni, kBlock,    false, false,
                                                  &Core::packed_size,        &Core::pack,      &Core::run};

}  // namespace fewbits
