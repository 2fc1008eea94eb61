// The element functions of quantized arithmetic: LiteRT's reference formulas
// (kernels/internal/reference/{add,sub,mul,div}.h, kernels/squared_difference.cc), each on stored values widened to
// int32.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/fixed_point.h"
#include "ops/support.h"

namespace fewbits::ops {

inline int32_t wrapping_add(int32_t a, int32_t b) noexcept {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
inline int32_t wrapping_sub(int32_t a, int32_t b) noexcept {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}
inline int32_t wrapping_mul(int32_t a, int32_t b) noexcept {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

// Both operands are brought to a common scale, twice the larger of theirs, with left_shift more bits; their sum,
// difference or squared difference is brought to the output's.
struct CommonScaleArgs {
  int32_t a_zero = 0, b_zero = 0, out_zero = 0;
  int left_shift = 0;
  FixedMultiplier a, b, out;
  IntRange clamp{0, 0};
};

inline int32_t to_common_scale(int32_t x, int32_t zero, int left_shift, FixedMultiplier multiplier) noexcept {
  return multiply_by_quantized_multiplier(static_cast<int32_t>(static_cast<uint32_t>(x - zero) << left_shift),
                                          multiplier);
}
inline int32_t from_common_scale(const CommonScaleArgs& args, int32_t raw) noexcept {
  const int32_t q = wrapping_add(multiply_by_quantized_multiplier(raw, args.out), args.out_zero);
  return std::clamp(q, args.clamp.lo, args.clamp.hi);
}

struct QuantizedAdd {
  CommonScaleArgs args;
  int32_t operator()(int32_t a, int32_t b) const noexcept {
    return from_common_scale(args, wrapping_add(to_common_scale(a, args.a_zero, args.left_shift, args.a),
                                                to_common_scale(b, args.b_zero, args.left_shift, args.b)));
  }
};
struct QuantizedSub {
  CommonScaleArgs args;
  int32_t operator()(int32_t a, int32_t b) const noexcept {
    return from_common_scale(args, wrapping_sub(to_common_scale(a, args.a_zero, args.left_shift, args.a),
                                                to_common_scale(b, args.b_zero, args.left_shift, args.b)));
  }
};
struct QuantizedSquaredDifference {
  CommonScaleArgs args;
  int32_t operator()(int32_t a, int32_t b) const noexcept {
    const int32_t difference = wrapping_sub(to_common_scale(a, args.a_zero, args.left_shift, args.a),
                                            to_common_scale(b, args.b_zero, args.left_shift, args.b));
    return from_common_scale(args, wrapping_mul(difference, difference));
  }
};

// int16 whose scales are powers of two, one input's equal to the output's: the other is shifted right. From TFLite's
// LSTM cells.
struct PowerOfTwoAdd {
  int a_shift = 0, b_shift = 0;  // to the right
  bool subtract = false;
  IntRange clamp{0, 0};
  int32_t operator()(int32_t a, int32_t b) const noexcept {
    const int32_t x = rounding_divide_by_pot(a, a_shift), y = rounding_divide_by_pot(b, b_shift);
    return std::clamp(subtract ? x - y : x + y, clamp.lo, clamp.hi);
  }
};

struct ProductArgs {
  int32_t a_zero = 0, b_zero = 0, out_zero = 0;
  FixedMultiplier multiplier;
  IntRange clamp{0, 0};
};

struct QuantizedMul {
  ProductArgs args;
  int32_t operator()(int32_t a, int32_t b) const noexcept {
    const int32_t product = multiply_by_quantized_multiplier((a - args.a_zero) * (b - args.b_zero), args.multiplier);
    return std::clamp(wrapping_add(product, args.out_zero), args.clamp.lo, args.clamp.hi);
  }
};

// int16 operands as numbers in [-1, 1), an 8-bit output: the high half of the product.
struct HighMul {
  int32_t out_zero = 0;
  IntRange clamp{0, 0};
  int32_t operator()(int16_t a, int16_t b) const noexcept {
    const int16_t product = saturating_rounding_doubling_high_mul(a, b);
    return std::clamp(rounding_divide_by_pot<int32_t>(product, 8) + out_zero, clamp.lo, clamp.hi);
  }
};

// Through the fixed-point reciprocal of the denominator. A zero denominator, which LiteRT refuses, gives the output's
// zero point.
struct QuantizedDiv {
  ProductArgs args;  // multiplier: of the quotient
  int32_t operator()(int32_t a, int32_t b) const noexcept {
    int32_t x = a - args.a_zero, y = b - args.b_zero;
    if (y < 0) {
      x = -x;
      y = -y;
    }
    int32_t quotient = 0;
    if (x != 0 && y != 0) {
      int bits_over_unit = 0;
      const int32_t inverse = get_reciprocal(y, 31, &bits_over_unit);
      const int headroom = __builtin_clrsb(x);
      const int32_t unscaled =
          saturating_rounding_doubling_high_mul(static_cast<int32_t>(static_cast<uint32_t>(x) << headroom), inverse);
      const int32_t scaled = saturating_rounding_doubling_high_mul(unscaled, args.multiplier.value);
      const int exponent = bits_over_unit + headroom - args.multiplier.shift;
      quotient = exponent > 31 ? 0 : saturating_rounding_multiply_by_pot(scaled, std::min(-exponent, 31));
    }
    return static_cast<int32_t>(std::clamp<int64_t>(int64_t{quotient} + args.out_zero, args.clamp.lo, args.clamp.hi));
  }
};

}  // namespace fewbits::ops
