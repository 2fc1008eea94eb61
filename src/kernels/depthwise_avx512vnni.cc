// int8 depthwise convolutions for AVX-512 VNNI: four taps of 64 channels are interleaved, byte by byte, for vpdpbusd.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/depthwise_s8_simd.h"

namespace fewbits {
namespace {

constexpr size_t kBlock = 64;  // channels
constexpr size_t kTaps = 4;    // of a lane

// Interleaving works within 128-bit lanes: dword i of vector v holds channel 16 * (i / 4) + 4 * v + i % 4 of its block.
// Weights are packed in that order; packing sums down to outputs would undo it, but sums go through memory anyway.
constexpr size_t channel_of(size_t v, size_t i) noexcept { return i / 4 * 16 + v * 4 + i % 4; }

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
          *out++ = weight(w, t + i % kTaps, block + channel_of(i / 64, i / kTaps % 16));
        }
      }
    }
  }

  // Channels outside, rows within: a block's weights stay in L1.
  static void run(const Args& args, size_t row_begin, size_t row_end) noexcept {
    const size_t padded = round_up(args.channels, kBlock);
    const auto* weight_sums = static_cast<const int32_t*>(args.packed);
    const auto* w = reinterpret_cast<const int8_t*>(weight_sums + padded);
    const size_t block_bytes = quads(args.in.taps) * kTaps * kBlock;
    for (size_t row = row_begin; row < row_end; ++row) {
      for (size_t c = 0; c < args.channels; c += kBlock) {
        const size_t count = smaller(kBlock, args.channels - c);
        alignas(64) int32_t sums[kBlock];
        sum(args, row, c, count, w + c / kBlock * block_bytes, sums);
        DepthwiseS8Output::write(args, row, 1, c, count, sums, kBlock, weight_sums, 128);
      }
    }
  }

 private:
  static FB_INLINE int8_t weight(const DepthwiseWeights<int8_t>& w, size_t t, size_t c) {
    return t < w.taps && c < w.channels ? static_cast<int8_t>(w.data[t * w.channels + c] ^ w.flip) : 0;
  }

  static FB_INLINE const int8_t* look_up(const DepthwiseRows<int8_t>& in, size_t row, size_t t) {
    const int32_t offset = in.offsets[row * in.taps + t];
    return offset < 0 ? in.padding : in.data + offset;
  }

  static FB_INLINE void sum(const Args& args, size_t row, size_t c, size_t count, const int8_t* w, int32_t* sums) {
    const __mmask64 present = count == kBlock ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
    const __m512i to_unsigned = _mm512_set1_epi8(static_cast<char>(args.in_flip ^ 0x80));
    __m512i acc[4];
    unroll<4>([&]<size_t v>() FB_LAMBDA { acc[v] = Simd::set(0); });
    for (size_t t = 0; t < args.in.taps; t += kTaps, w += kBlock * kTaps) {
      __m512i in[kTaps];
      unroll<kTaps>([&]<size_t i>() FB_LAMBDA {
        const int8_t* p = look_up(args.in, row, smaller(t + i, args.in.taps - 1));  // past the end: weights of 0
        in[i] = _mm512_xor_si512(_mm512_maskz_loadu_epi8(present, p + c), to_unsigned);
      });
      const __m512i low01 = _mm512_unpacklo_epi8(in[0], in[1]), high01 = _mm512_unpackhi_epi8(in[0], in[1]);
      const __m512i low23 = _mm512_unpacklo_epi8(in[2], in[3]), high23 = _mm512_unpackhi_epi8(in[2], in[3]);
      const __m512i quads[4] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                                _mm512_unpacklo_epi16(high01, high23), _mm512_unpackhi_epi16(high01, high23)};
      unroll<4>([&]<size_t v>()
                    FB_LAMBDA { acc[v] = _mm512_dpbusd_epi32(acc[v], quads[v], _mm512_loadu_si512(w + v * 64)); });
    }
    store_in_order(acc, sums);
  }

  // A 4 x 4 transposition of 128-bit lanes: lane l of vector v goes to channels 16 * l + 4 * v.
  static FB_INLINE void store_in_order(const __m512i (&acc)[4], int32_t* sums) {
    const __m512i a = _mm512_shuffle_i64x2(acc[0], acc[1], 0x44), b = _mm512_shuffle_i64x2(acc[0], acc[1], 0xee);
    const __m512i c = _mm512_shuffle_i64x2(acc[2], acc[3], 0x44), d = _mm512_shuffle_i64x2(acc[2], acc[3], 0xee);
    _mm512_store_si512(sums, _mm512_shuffle_i64x2(a, c, 0x88));
    _mm512_store_si512(sums + 16, _mm512_shuffle_i64x2(a, c, 0xdd));
    _mm512_store_si512(sums + 32, _mm512_shuffle_i64x2(b, d, 0x88));
    _mm512_store_si512(sums + 48, _mm512_shuffle_i64x2(b, d, 0xdd));
  }
};

}  // namespace

const DepthwiseS8Kernel kDepthwiseS8Avx512Vnni = {"depthwise_s8_avx512vnni", Isa::kAvx512Vnni, false,     false,
                                                  &Core::packed_size,        &Core::pack,      &Core::run};

}  // namespace fewbits
