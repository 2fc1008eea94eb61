// int8 rows by int4 weights in blocks, for ARM with dot products.
//
// sdot takes any four inputs of a register as the factor of all its lanes. Weights stay as weight + 8, so that a mask and a shift
// unpack them; a block's sums begin at what takes the 8 back, -8 times the block's inputs.
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/gemm_s8b4_simd.h"

namespace fewbits {
namespace {

struct Core {
  template <size_t kRows>
  static FB_INLINE void multiply(const uint8_t* lines, const int8_t* const (&a)[kRows],
                                 int32x4_t (&dot)[kRows][kPanelVectors]) {
    constexpr size_t kBytes = 16;  // of a register
    const uint8x16_t low_half = vdupq_n_u8(0x0f);
    const int8x16_t ones = vdupq_n_s8(1);
    unroll<2>([&]<size_t half>() FB_LAMBDA {
      int8x16_t x[kRows];
      unroll<kRows>([&]<size_t r>() FB_LAMBDA { x[r] = vld1q_s8(a[r] + half * kBytes); });
      unroll<2>([&]<size_t line>() FB_LAMBDA {
        unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA {
          const uint8x16_t both = vld1q_u8(lines + (half * 2 + line) * BlockLayout::kLine + v * kBytes);
          const int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both, low_half));
          const int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
          unroll<kRows>([&]<size_t r>() FB_LAMBDA {
            dot[r][v] = vdotq_laneq_s32(dot[r][v], low, x[r], 2 * line);
            dot[r][v] = vdotq_laneq_s32(dot[r][v], high, x[r], 2 * line + 1);
          });
        });
      });
      unroll<kRows>([&]<size_t r>() FB_LAMBDA {
        const int32_t sum = vaddvq_s32(vdotq_s32(vdupq_n_s32(0), ones, x[r]));
        const int32x4_t start = vdupq_n_s32(-BlockLayout::kOffset * sum);
        unroll<kPanelVectors>([&]<size_t v>() FB_LAMBDA { dot[r][v] = vaddq_s32(dot[r][v], start); });
      });
    });
  }
  static FB_INLINE float32x4_t scales(const uint8_t* halves) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const uint16_t*>(halves))));
  }
};

using Gemm = BlockGemm<Core>;

}  // namespace

const GemmS8B4Kernel kGemmS8B4NeonDot = {"gemm_s8b4_2x16_neondot", Isa::kNeonDot, Gemm::kTall, Gemm::kNr, &Gemm::run};

}  // namespace fewbits
