// 16x8 depthwise convolutions for AVX-512: pairs of taps by vpmaddwd, summed in 32 bits for as long as that cannot overflow.
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/depthwise_s8_simd.h"
#include "kernels/finish_s16_avx512.h"

namespace fewbits {
namespace {

struct DepthwiseS16S8Core {
  using Args = DepthwiseS16S8Args;
  using Element = int16_t;
  using Sum = int64_t;
  using I32 = Simd::I32;
  static constexpr size_t kLanes = Simd::kLanes;
  static constexpr size_t kVectors = 2;
  static constexpr size_t kMostTaps = 480;  // a product is at most 2^15 * 2^7, and 2^31 / 2^22 = 512

  template <size_t kRows, size_t kWidth, bool kWhole, class Taps>
  static FB_INLINE void sum(const Args& args, const Taps& taps, size_t c, size_t count, int64_t* sums) {
    const size_t padded = round_up(args.channels, kLanes);
    const int32_t* w = static_cast<const int32_t*>(args.packed) + padded + c;
    for (size_t begin = 0; begin == 0 || begin < args.in.taps; begin += kMostTaps) {
      const size_t end = smaller(begin + kMostTaps, args.in.taps);
      I32 acc[kRows][kWidth];
      unroll<kRows>([&]<size_t r>()
                        FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { acc[r][v] = Simd::set(0); }); });
      for (size_t t = begin; t < end; t += 2, w += padded) {
        const size_t second = t + 1 < args.in.taps ? t + 1 : t;  // an odd last tap meets itself with a weight of 0
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
          const I32 weights = Simd::load(w + v * kLanes);
          unroll<kRows>([&]<size_t r>() FB_LAMBDA {
            const int16_t *p = taps(t, r) + c + v * kLanes, *q = taps(second, r) + c + v * kLanes;
            const I32 pairs = kWhole ? Simd::load_pairs_s16(p, q) : Simd::load_pairs_s16(p, q, count);
            acc[r][v] = Simd::add_pair_products(acc[r][v], pairs, weights);
          });
        });
      }
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
          int64_t* to = sums + (r * kWidth + v) * kLanes;
          if (begin == 0) {
            Simd::store_s64(to, acc[r][v]);
          } else {
            Simd::add_to_s64(to, acc[r][v]);
          }
        });
      });
    }
  }

  static FB_INLINE void finish(const Args& args, size_t row, size_t rows, size_t c, size_t count, const int64_t* sums,
                               size_t stride) {
    const int32_t* weight_sums = static_cast<const int32_t*>(args.packed) + c;
    if (args.rule != ShortRule::kReduced || args.out_zero_point != 0) {
      for (size_t r = 0; r < rows; ++r) finish_s16s8(args, row + r, c, count, sums + r * stride, weight_sums);
    } else {
      finish_shorts(args, args.in_zero_point, row, rows, c, count, sums, stride, weight_sums);
    }
  }
};

}  // namespace

// Weights as the int8 kernels pack theirs: sums, then pairs of taps.
const DepthwiseS16S8Kernel kDepthwiseS16S8Avx512 = {"depthwise_s16s8_avx512",
                                                    Isa::kAvx512,
                                                    Simd::kLanes,
                                                    false,
                                                    true,
                                                    &DepthwiseS8Core::packed_size,
                                                    &DepthwiseS8Core::pack,
                                                    &Depthwise<DepthwiseS16S8Core>::run};

}  // namespace fewbits
