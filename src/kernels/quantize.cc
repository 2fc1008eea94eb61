// The reference array kernels, the parameters of dynamic quantization, and the choice of a tier.
#include "kernels/quantize.h"

#include <algorithm>
#include <cmath>

#include "kernels/quantize_kernels.h"
#include "kernels/select.h"

namespace fewbits {
namespace {

constexpr const QuantizeKernels* kAll[] = {
#if defined(__x86_64__)
    &kQuantizeAvx512, &kQuantizeAvx2,
#elif defined(__aarch64__)
    &kQuantizeNeon,
#endif
    &kQuantizeRef};

// Clamped before the conversion, which is not defined for numbers beyond int32; NaN gives lo.
int32_t to_int(float value, int32_t lo, int32_t hi) noexcept {
  value = value > static_cast<float>(lo) ? value : static_cast<float>(lo);
  value = value < static_cast<float>(hi) ? value : static_cast<float>(hi);
  return static_cast<int32_t>(std::round(value));
}

void f32_to_s8(const float* in, int8_t* out, size_t count, float scale, int32_t zero_point, int32_t lo, int32_t hi,
               uint8_t flip) noexcept {
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<int8_t>((to_int(in[i] / scale, lo - zero_point, hi - zero_point) + zero_point) ^ flip);
  }
}

void f32_to_s16(const float* in, int16_t* out, size_t count, float scale, int32_t zero_point, int32_t lo,
                int32_t hi) noexcept {
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<int16_t>(to_int(in[i] / scale, lo - zero_point, hi - zero_point) + zero_point);
  }
}

void s8_to_f32(const int8_t* in, float* out, size_t count, float scale, int32_t zero_point, uint8_t flip) noexcept {
  for (size_t i = 0; i < count; ++i) {
    out[i] = scale * static_cast<float>(static_cast<int8_t>(in[i] ^ flip) - zero_point);
  }
}

void s16_to_f32(const int16_t* in, float* out, size_t count, float scale, int32_t zero_point) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = scale * static_cast<float>(in[i] - zero_point);
}

float gated(const DynamicInput& in, size_t row, size_t column) noexcept {
  const float x = in.data[row * in.width + column];
  return in.gate == nullptr ? x : x * in.gate[column];
}

DynamicRange dynamic_range(const DynamicInput& in) noexcept {
  DynamicRange range;
  for (size_t r = 0; r < in.rows; ++r) {
    for (size_t c = 0; c < in.width; ++c) {
      const float x = gated(in, r, c);
      range.least = x < range.least ? x : range.least;
      range.most = x > range.most ? x : range.most;
    }
  }
  return range;
}

void dynamic_to_s8(const DynamicInput& in, const DynamicPlan& plan, int8_t* out) noexcept {
  const float offset = static_cast<float>(plan.params.zero_point);
  for (size_t r = 0; r < in.rows; ++r) {
    for (size_t c = 0; c < in.width; ++c) {
      const float x = offset + gated(in, r, c) * plan.inverse_scale;
      *out++ = plan.zero ? int8_t{0} : static_cast<int8_t>(to_int(x, plan.lo, 127));
    }
  }
}

}  // namespace

// TFLite's PortableSymmetricQuantizeFloats and PortableAsymmetricQuantizeFloats: the zero point that errs least at the
// end of the range from which it is computed.
DynamicPlan plan_dynamic(const DynamicRange& range, bool symmetric) noexcept {
  const float least = range.least, most = range.most;
  DynamicPlan plan;
  plan.lo = symmetric ? -127 : -128;
  if (least == most) {
    plan.zero = true;
    return plan;
  }
  if (symmetric) {
    const float largest = std::max(std::fabs(least), std::fabs(most));
    plan.params.scale = largest / 127;
    plan.inverse_scale = 127 / largest;
    return plan;
  }
  constexpr double kLo = -128, kHi = 127;
  const double scale = (static_cast<double>(most) - static_cast<double>(least)) / (kHi - kLo);
  const double from_least = kLo - least / scale, from_most = kHi - most / scale;
  const double error_of_least = -kLo + std::fabs(least / scale), error_of_most = kHi + std::fabs(most / scale);
  const double zero_point = error_of_least < error_of_most ? from_least : from_most;
  // Written so that NaN, from an infinite range, becomes the least.
  plan.params.zero_point = static_cast<int32_t>(zero_point > kLo ? std::round(std::min(zero_point, kHi)) : kLo);
  plan.params.scale = static_cast<float>(scale);
  plan.inverse_scale = 1.0f / plan.params.scale;
  return plan;
}

const QuantizeKernels kQuantizeRef = {"quantize_ref", Isa::kBaseline, &f32_to_s8,     &f32_to_s16,
                                      &s8_to_f32,     &s16_to_f32,    &dynamic_range, &dynamic_to_s8};

std::span<const QuantizeKernels* const> quantize_kernels() noexcept { return kAll; }
const QuantizeKernels& select_quantize(Isa isa) noexcept { return first_usable(quantize_kernels(), isa); }

namespace {

void apply_lut_ref(const uint8_t* in, uint8_t* out, size_t count, const uint8_t* table) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = table[in[i]];
}

using ApplyLut = void (*)(const uint8_t*, uint8_t*, size_t, const uint8_t*) noexcept;

ApplyLut select_lut() noexcept {
#if defined(__x86_64__)
  if (has_byte_permutes()) return apply_lut_avx512vbmi;
#endif
  return apply_lut_ref;
}

}  // namespace

bool has_byte_permutes() noexcept {
#if defined(__x86_64__)
  return isa() >= Isa::kAvx512Vnni && __builtin_cpu_supports("avx512vbmi") != 0;
#else
  return false;
#endif
}

void apply_lut(const uint8_t* in, uint8_t* out, size_t count, const uint8_t table[256]) noexcept {
  static const ApplyLut best = select_lut();
  best(in, out, count, table);
}

}  // namespace fewbits
