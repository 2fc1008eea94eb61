// int8 matrix products for ARM with dot products: sdot sums four products a lane.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_neon.h"
// after the ISA's vectors:
#include "kernels/gemm_s8_neon.h"

namespace fewbits {
namespace {

struct DotProductDot : BytePairDot {
  static constexpr size_t kGroup = 4;

  static FB_INLINE Vector broadcast(const int8_t* a) {
    int32_t four;
    __builtin_memcpy(&four, a, sizeof four);
    return vdupq_n_s32(four);
  }
  static FB_INLINE Vector load(const int8_t* b) { return vreinterpretq_s32_s8(vld1q_s8(b)); }
  static FB_INLINE Vector dot(Vector sum, Vector a, Vector b) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
  }
};

// Four groups at a time: sdot takes any of a register's four as the factor of all its lanes, so a row is one load and no
// instruction broadcasts. 24 sums, 6 rows and the weights that pass by fit the 32 registers.
struct NeonDotCore : NeonS8Core<DotProductDot> {
  template <size_t kRows, size_t kWidth>
  struct Acc : DotAcc<DotProductDot, kRows, kWidth> {
    static constexpr size_t kGroups = 4, kBytes = 16;  // a register's

    template <size_t kStride>
    FB_INLINE void multiply(const int8_t* a, const int8_t* b, size_t depth) {
      for (; depth >= kBytes; depth -= kBytes, a += kBytes, b += kGroups * kWidth * kBytes) {
        int8x16_t x[kRows];
        unroll<kRows>([&]<size_t m>() FB_LAMBDA { x[m] = vld1q_s8(a + m * kStride); });
        unroll<kGroups * kWidth>([&]<size_t i>() FB_LAMBDA {
          const int8x16_t w = vld1q_s8(b + i * kBytes);
          unroll<kRows>([&]<size_t m>() FB_LAMBDA {
            int32x4_t& total = this->sum[m][i % kWidth];
            total = vdotq_laneq_s32(total, w, x[m], i / kWidth);
          });
        });
      }
      DotAcc<DotProductDot, kRows, kWidth>::template multiply<kStride>(a, b, depth);
    }
  };
};

}  // namespace

using Kernel = Gemm<NeonDotCore>;
const GemmS8Kernel kGemmS8NeonDot = {"gemm_s8_6x16_neondot", Isa::kNeonDot, Kernel::kMr, Kernel::kNr,
                                     &Kernel::packed_size,   &Kernel::pack, &Kernel::run};

}  // namespace fewbits
