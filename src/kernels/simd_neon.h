// NEON of 64-bit ARM as 4 lanes. The operations and their meaning are those of simd_avx512.h.
#pragma once

#include <arm_neon.h>

#include "kernels/simd.h"

namespace fewbits {
namespace {

struct Simd {
  static constexpr size_t kLanes = 4;
  static constexpr size_t kRegisters = 32;
  using F32 = float32x4_t;
  using I32 = int32x4_t;

  static FB_INLINE F32 zero() { return vdupq_n_f32(0); }
  static FB_INLINE F32 set(float x) { return vdupq_n_f32(x); }
  static FB_INLINE I32 set(int32_t x) { return vdupq_n_s32(x); }

  static FB_INLINE F32 load(const float* p) { return vld1q_f32(p); }
  static FB_INLINE I32 load(const int32_t* p) { return vld1q_s32(p); }
  static FB_INLINE F32 load(const float* p, size_t count) {
    if (count == kLanes) return vld1q_f32(p);
    float local[kLanes] = {};
    for (size_t i = 0; i < count; ++i) local[i] = p[i];
    return vld1q_f32(local);
  }
  static FB_INLINE I32 load(const int32_t* p, size_t count) {
    if (count == kLanes) return vld1q_s32(p);
    int32_t local[kLanes] = {};
    for (size_t i = 0; i < count; ++i) local[i] = p[i];
    return vld1q_s32(local);
  }
  static FB_INLINE void store(float* p, F32 x) { vst1q_f32(p, x); }
  static FB_INLINE void store(int32_t* p, I32 x) { vst1q_s32(p, x); }
  static FB_INLINE void store(float* p, F32 x, size_t count) {
    if (count == kLanes) return vst1q_f32(p, x);
    float local[kLanes];
    vst1q_f32(local, x);
    for (size_t i = 0; i < count; ++i) p[i] = local[i];
  }
  static FB_INLINE void store(int32_t* p, I32 x, size_t count) {
    if (count == kLanes) return vst1q_s32(p, x);
    int32_t local[kLanes];
    vst1q_s32(local, x);
    for (size_t i = 0; i < count; ++i) p[i] = local[i];
  }

  static FB_INLINE I32 load_s8(const int8_t* p, uint8_t flip) { return load_s8(p, flip, kLanes); }
  static FB_INLINE I32 load_s8(const int8_t* p, uint8_t flip, size_t count) {
    int32_t four = 0;
    if (count == kLanes) {
      __builtin_memcpy(&four, p, kLanes);
    } else {
      for (size_t i = 0; i < count; ++i) __builtin_memcpy(reinterpret_cast<int8_t*>(&four) + i, p + i, 1);
    }
    const int8x8_t bytes = veor_s8(vreinterpret_s8_s32(vdup_n_s32(four)), vdup_n_s8(static_cast<int8_t>(flip)));
    return vmovl_s16(vget_low_s16(vmovl_s8(bytes)));
  }
  static FB_INLINE void store_s8(int8_t* p, I32 x, uint8_t flip, size_t count) {
    const int16x4_t shorts = vmovn_s32(x);
    const int8x8_t bytes = veor_s8(vmovn_s16(vcombine_s16(shorts, shorts)), vdup_n_s8(static_cast<int8_t>(flip)));
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    if (count == kLanes) {
      __builtin_memcpy(p, &four, kLanes);
    } else {
      for (size_t i = 0; i < count; ++i) __builtin_memcpy(p + i, reinterpret_cast<const int8_t*>(&four) + i, 1);
    }
  }
  static FB_INLINE void store_s8(int8_t* p, I32 a, I32 b, I32 c, I32 d, uint8_t flip) {
    store_s8(p, a, flip, kLanes);
    store_s8(p + kLanes, b, flip, kLanes);
    store_s8(p + 2 * kLanes, c, flip, kLanes);
    store_s8(p + 3 * kLanes, d, flip, kLanes);
  }
  static FB_INLINE I32 load_s16(const int16_t* p, size_t count) {
    if (count == kLanes) return vmovl_s16(vld1_s16(p));
    int16_t local[kLanes] = {};
    for (size_t i = 0; i < count; ++i) local[i] = p[i];
    return vmovl_s16(vld1_s16(local));
  }
  static FB_INLINE void store_s16(int16_t* p, I32 x, size_t count) {
    if (count == kLanes) return vst1_s16(p, vmovn_s32(x));
    int16_t local[kLanes];
    vst1_s16(local, vmovn_s32(x));
    for (size_t i = 0; i < count; ++i) p[i] = local[i];
  }

  static FB_INLINE F32 add(F32 a, F32 b) { return vaddq_f32(a, b); }
  static FB_INLINE F32 mul(F32 a, F32 b) { return vmulq_f32(a, b); }
  static FB_INLINE F32 div(F32 a, F32 b) { return vdivq_f32(a, b); }
  static FB_INLINE F32 fma(F32 a, F32 b, F32 c) { return vfmaq_f32(c, a, b); }
  static FB_INLINE F32 min(F32 a, F32 b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static FB_INLINE F32 max(F32 a, F32 b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static FB_INLINE F32 abs(F32 x) { return vabsq_f32(x); }
  static FB_INLINE F32 copy_sign(F32 x, F32 sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, x); }
  static FB_INLINE F32 select_less(F32 a, F32 b, F32 yes, F32 no) { return vbslq_f32(vcltq_f32(a, b), yes, no); }
  static FB_INLINE float reduce_min(F32 x) { return vminvq_f32(x); }
  static FB_INLINE float reduce_max(F32 x) { return vmaxvq_f32(x); }

  static FB_INLINE I32 add(I32 a, I32 b) { return vaddq_s32(a, b); }
  static FB_INLINE I32 sub(I32 a, I32 b) { return vsubq_s32(a, b); }
  static FB_INLINE I32 mul(I32 a, I32 b) { return vmulq_s32(a, b); }

  static FB_INLINE I32 bit_and(I32 a, I32 b) { return vandq_s32(a, b); }
  template <int kBits>
  static FB_INLINE I32 shift_left(I32 x) {
    return vshlq_n_s32(x, kBits);
  }
  template <int kBits>
  static FB_INLINE I32 shift_right(I32 x) {
    return vshrq_n_s32(x, kBits);
  }
  static FB_INLINE I32 as_bits(F32 x) { return vreinterpretq_s32_f32(x); }
  static FB_INLINE F32 as_real(I32 x) { return vreinterpretq_f32_s32(x); }
  static FB_INLINE F32 lookup16(const float* table, I32 index) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(table);
    const uint8x16x4_t entries = {{vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
    // Of each index the places of its four bytes.
    const int32x4_t places = vmlaq_n_s32(vdupq_n_s32(0x03020100), vandq_s32(index, vdupq_n_s32(15)), 0x04040404);
    return vreinterpretq_f32_u8(vqtbl4q_u8(entries, vreinterpretq_u8_s32(places)));
  }

  static FB_INLINE F32 to_float(I32 x) { return vcvtq_f32_s32(x); }
  static FB_INLINE I32 to_int_nearest_even(F32 x) { return vcvtnq_s32_f32(x); }
  static FB_INLINE I32 to_int_half_away(F32 x) { return vcvtaq_s32_f32(x); }

  static FB_INLINE I32 load_pairs_s8(const int8_t* p, const int8_t* q, uint8_t flip) {
    return load_pairs_s8(p, q, flip, kLanes);
  }
  static FB_INLINE I32 load_pairs_s8(const int8_t* p, const int8_t* q, uint8_t flip, size_t count) {
    return vsliq_n_s32(load_s8(p, flip, count), load_s8(q, flip, count), 16);
  }
  static FB_INLINE I32 add_pair_products(I32 acc, I32 a, I32 b) {
    const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y));
    const int32x4_t high = vmull_high_s16(x, y);
    return vaddq_s32(acc, vpaddq_s32(low, high));
  }
};

// Sums of products of bytes, two at a time: a product of two int8 fits int16, and the pair's sum int32.
struct BytePairDot {
  using Staged = int8_t;
  using Packed = int8_t;
  using Vector = int32x4_t;
  static constexpr size_t kGroup = 2;
  static constexpr int32_t kOffset = 0;

  static FB_INLINE void stage(const int8_t* in, int8_t* out, size_t count, uint8_t flip) {
    size_t i = 0;
    const int8x16_t mask = vdupq_n_s8(static_cast<int8_t>(flip));
    for (; i + 16 <= count; i += 16) vst1q_s8(out + i, veorq_s8(vld1q_s8(in + i), mask));
    for (; i < count; ++i) out[i] = static_cast<int8_t>(in[i] ^ flip);
  }
  static FB_INLINE Vector zero() { return vdupq_n_s32(0); }
  // The two (or, for DotProductDot, four) bytes at a in every lane, and a vector of weights.
  static FB_INLINE Vector broadcast(const int8_t* a) {
    int16_t pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    return vreinterpretq_s32_s16(vdupq_n_s16(pair));
  }
  static FB_INLINE Vector load(const int8_t* b) { return vreinterpretq_s32_s8(vcombine_s8(vld1_s8(b), vdup_n_s8(0))); }
  static FB_INLINE Vector dot(Vector sum, Vector a, Vector b) {
    return vpadalq_s16(sum, vmull_s8(vget_low_s8(vreinterpretq_s8_s32(a)), vget_low_s8(vreinterpretq_s8_s32(b))));
  }
};

}  // namespace
}  // namespace fewbits
