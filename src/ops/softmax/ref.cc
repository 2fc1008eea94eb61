// The rows of the softmax family.
#include "ops/softmax/ref.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace fewbits::ops {
namespace {

using Fixed0 = FixedPoint<int32_t, 0>;
using Fixed5 = FixedPoint<int32_t, 5>;
using Fixed12 = FixedPoint<int32_t, 12>;

template <class T>
T row_maximum(const T* in, size_t depth) noexcept {
  T most = std::numeric_limits<T>::min();
  for (size_t i = 0; i < depth; ++i) most = std::max(most, in[i]);
  return most;
}

int32_t saturated(int64_t value) noexcept {
  return static_cast<int32_t>(
      std::clamp<int64_t>(value, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

// ln x for x >= 1 with 5 integer bits, x in [1, 4096): the power of two next to x by its leading bits, a rational
// function for the rest (tflite's log_x_for_x_greater_than_or_equal_to_1).
int32_t log_of_sum(Fixed12 sum) noexcept {
  using Accumulator = FixedPoint<int32_t, 6>;
  constexpr int kInputBits = Fixed12::kIntegerBits, kPowerShift = Accumulator::kFractionalBits;
  constexpr Fixed0 kLog2{1488522236}, kFourthRootOfHalf{1805811301}, kRootOfHalf{1518500250};
  constexpr Fixed0 kAlphaN{117049297}, kAlphaD{127690142}, kAlphaI{1057819769}, kAlphaF{638450708};
  constexpr int32_t kQuarter = 1 << (kPowerShift - 2);
  const int32_t z = sum.raw;
  const auto shifted_left = [](int32_t x, int by) { return by == 0 ? x : saturating_rounding_multiply_by_pot(x, by); };

  const int a_leading = std::countl_zero(static_cast<uint32_t>(z));
  const Fixed0 a{shifted_left(z, a_leading - 1)};
  const int32_t r_a = shifted_left((a * kRootOfHalf).raw, 1);
  const int32_t power_a =
      saturated(int64_t{saturating_rounding_multiply_by_pot<int32_t>(kInputBits - a_leading, kPowerShift)} + kQuarter);

  const int b_headroom = std::countl_zero(static_cast<uint32_t>((Fixed0{z} * kRootOfHalf).raw)) - 1;
  const int32_t r_b = shifted_left(z, b_headroom);
  const int32_t power_b =
      saturated(int64_t{saturating_rounding_multiply_by_pot<int32_t>(kInputBits - b_headroom, kPowerShift)} - kQuarter);

  const Fixed0 r{std::min(r_a, r_b)};
  const Accumulator power{std::max(power_a, power_b)};
  const int64_t total = int64_t{r.raw} + kFourthRootOfHalf.raw;
  const Fixed0 p{static_cast<int32_t>((total + (total >= 0 ? 1 : -1)) / 2)};
  Fixed0 q = r - kFourthRootOfHalf;
  q = q + q;
  const Fixed0 square = q * q;
  const Fixed0 numerator = q * r + q * square * kAlphaN;
  const Fixed0 denominator = p * (kAlphaI + q + kAlphaD * square) + kAlphaF * q;
  return rescale<5>(power * kLog2 + rescale<6>(numerator) * one_over_one_plus_x(denominator)).raw;
}

}  // namespace

void softmax_row_f32(const FloatRows& rows, const float* in, float* out, size_t depth, float beta) noexcept {
  const auto sum = static_cast<float>(rows.exp_row(in, out, depth, rows.maximum(in, depth), beta));
  rows.divide(out, depth, sum);
}

void log_softmax_row_f32(const FloatRows& rows, const float* in, float* out, size_t depth) noexcept {
  const float most = rows.maximum(in, depth);
  const auto log_sum = static_cast<float>(std::log(rows.exp_sum(in, depth, most)));
  for (size_t i = 0; i < depth; ++i) out[i] = in[i] - most - log_sum;
}

void l2_normalize_row_f32(const float* in, float* out, size_t depth) noexcept {
  double sum = 0;
  for (size_t i = 0; i < depth; ++i) sum += static_cast<double>(in[i]) * static_cast<double>(in[i]);
  const float norm = std::max(static_cast<float>(std::sqrt(sum)), 1e-6f);
  for (size_t i = 0; i < depth; ++i) out[i] = in[i] / norm;
}

ExpTable::ExpTable(double beta, double scale) noexcept {
  constexpr int kBits = Fixed5::kFractionalBits;
  multiplier = quantize_multiplier(std::min(beta * scale * (1 << kBits), 2147483647.0));
  const double radius = 1.0 * ((1 << Fixed5::kIntegerBits) - 1) * (1LL << kBits) / std::exp2(multiplier.shift);
  least_difference = -static_cast<int32_t>(std::clamp(std::floor(radius), 0.0, 2147483647.0));
  for (int32_t i = 0; i < 256 && -i >= least_difference; ++i) {
    const auto at = static_cast<size_t>(i);
    scaled[at] = multiply_by_quantized_multiplier(-i, multiplier);
    const Fixed0 value = exp_on_negative_values(Fixed5{scaled[at]});
    exponential[at] = value.raw;
    addend[at] = rescale<12>(value).raw;
  }
}

SoftmaxScaling softmax_scaling(uint32_t sum, int bits) noexcept {
  int bits_over_unit = 0;
  const int32_t reciprocal = get_reciprocal(static_cast<int32_t>(sum), 12, &bits_over_unit);
  return {reciprocal, std::clamp(bits_over_unit + 31 - bits, 0, 31)};
}

template <class In, class Out>
void softmax_row_8bit(const ExpTable& table, const In* in, Out* out, size_t depth) noexcept {
  constexpr int32_t kLeast = std::numeric_limits<Out>::min(), kMost = std::numeric_limits<Out>::max();
  const int32_t most = row_maximum(in, depth);
  uint32_t sum = 0;  // wraps after 4096 ones, as LiteRT's
  for (size_t i = 0; i < depth; ++i) sum += static_cast<uint32_t>(table.addend[static_cast<size_t>(most - in[i])]);
  const auto [reciprocal, exponent] = softmax_scaling(sum, static_cast<int>(8 * sizeof(Out)));
  for (size_t i = 0; i < depth; ++i) {
    const auto difference = static_cast<size_t>(most - in[i]);
    const Fixed0 share = Fixed0{reciprocal} * Fixed0{table.exponential[difference]};
    const int32_t q = rounding_divide_by_pot(share.raw, exponent) + kLeast;
    out[i] = static_cast<Out>(
        -static_cast<int32_t>(difference) < table.least_difference ? kLeast : std::clamp(q, kLeast, kMost));
  }
}
template void softmax_row_8bit(const ExpTable&, const int8_t*, int8_t*, size_t) noexcept;
template void softmax_row_8bit(const ExpTable&, const int8_t*, int16_t*, size_t) noexcept;
template void softmax_row_8bit(const ExpTable&, const uint8_t*, uint8_t*, size_t) noexcept;
template void softmax_row_8bit(const ExpTable&, const uint8_t*, int16_t*, size_t) noexcept;

LogSoftmaxArgs::LogSoftmaxArgs(double scale, int32_t zero) noexcept : table(1.0, scale), out_zero(zero) {
  reverse = quantize_multiplier(std::exp2(31 - table.multiplier.shift) /
                                static_cast<double>(std::max(table.multiplier.value, 1)));
}

template <class T>
void log_softmax_row_8bit(const LogSoftmaxArgs& args, const T* in, T* out, size_t depth) noexcept {
  constexpr int32_t kLeast = std::numeric_limits<T>::min(), kMost = std::numeric_limits<T>::max();
  const int32_t most = row_maximum(in, depth);
  uint32_t sum = 0;
  for (size_t i = 0; i < depth; ++i) sum += static_cast<uint32_t>(args.table.addend[static_cast<size_t>(most - in[i])]);
  const int32_t log_sum = log_of_sum(Fixed12{static_cast<int32_t>(sum)});
  const int32_t threshold =
      std::max(args.table.least_difference - 1,
               multiply_by_quantized_multiplier(saturated(int64_t{log_sum} + std::numeric_limits<int32_t>::min()),
                                                args.reverse));
  for (size_t i = 0; i < depth; ++i) {
    const int32_t difference = in[i] - most;
    if (difference <= threshold) {
      out[i] = static_cast<T>(kLeast);
      continue;
    }
    const int64_t exponent = int64_t{args.table.scaled[static_cast<size_t>(-difference)]} - log_sum;
    const int32_t q = rounding_divide_by_pot(static_cast<int32_t>(exponent), 31 - 5 - 4) + args.out_zero;
    out[i] = static_cast<T>(std::clamp(q, kLeast, kMost));
  }
}
template void log_softmax_row_8bit(const LogSoftmaxArgs&, const int8_t*, int8_t*, size_t) noexcept;
template void log_softmax_row_8bit(const LogSoftmaxArgs&, const uint8_t*, uint8_t*, size_t) noexcept;

SoftmaxInt16Args::SoftmaxInt16Args(float scale, float beta)
    : multiplier(quantize_multiplier(static_cast<double>(scale * beta) / (10.0 / 65535.0))) {
  constexpr double kRange = 65535.0;
  fill_word_table<double>(exponential, 10.0 / kRange, 32767, 2.0 / kRange, 0, [](double x) { return std::exp(x); });
  fill_word_table<double>(reciprocal, 1.0 / kRange, -32768, 2.0 / kRange, 0, [](double x) { return 1.0 / (1.0 + x); });
}

void softmax_row_int16(const SoftmaxInt16Args& args, const int16_t* in, int16_t* out, size_t depth) noexcept {
  const int32_t most = row_maximum(in, depth);
  uint32_t sum = 0;  // 15 fractional bits
  for (size_t i = 0; i < depth; ++i) {
    const int64_t scaled = multiply_by_quantized_multiplier(in[i] - most, args.multiplier);
    out[i] = look_up(args.exponential, static_cast<int16_t>(std::clamp<int64_t>(scaled + 32767, -32768, 32767)));
    sum += static_cast<uint32_t>(out[i]);
  }
  const int leading = std::countl_zero(sum);
  const int64_t normal = ((static_cast<int64_t>(sum) << std::max(leading - 1, 0)) + (1 << 13)) >> 14;
  const int64_t centred = normal - ((1 << 15) + (1 << 16));
  const int16_t reciprocal =
      look_up(args.reciprocal, static_cast<int16_t>(std::clamp<int64_t>(centred, -32768, 32767)));
  const int right = std::max(31 - leading, 1);
  for (size_t i = 0; i < depth; ++i) {
    const int64_t share = (int64_t{out[i]} * reciprocal + (int64_t{1} << (right - 1))) >> right;
    out[i] = static_cast<int16_t>(std::clamp<int64_t>(share, 0, 32767));
  }
}

template <class T>
void l2_normalize_row_8bit(int32_t in_zero, int32_t out_zero, const T* in, T* out, size_t depth) noexcept {
  constexpr int32_t kLeast = std::numeric_limits<T>::min(), kMost = std::numeric_limits<T>::max();
  uint32_t sum = 0;
  for (size_t i = 0; i < depth; ++i) {
    const int32_t x = in[i] - in_zero;
    sum += static_cast<uint32_t>(x * x);
  }
  // Beyond 2^31, which takes 33,000 extreme values, the root of the largest sum.
  FixedMultiplier root = inverse_sqrt_multiplier(static_cast<int32_t>(std::min(sum, 0x7fffffffu)));
  root.shift += 7;  // the output's scale is 1/128
  for (size_t i = 0; i < depth; ++i) {
    const int32_t q = multiply_by_quantized_multiplier(in[i] - in_zero, root) + out_zero;
    out[i] = static_cast<T>(std::clamp(q, kLeast, kMost));
  }
}
template void l2_normalize_row_8bit(int32_t, int32_t, const int8_t*, int8_t*, size_t) noexcept;
template void l2_normalize_row_8bit(int32_t, int32_t, const uint8_t*, uint8_t*, size_t) noexcept;

void local_response_row(const ResponseArgs& args, const float* in, float* out, size_t depth) noexcept {
  const auto radius = static_cast<size_t>(args.radius);
  for (size_t c = 0; c < depth; ++c) {
    const size_t begin = c > radius ? c - radius : 0;
    const size_t end = std::min(depth, c + radius);  // LiteRT's window ends before c + radius
    float sum = 0;
    for (size_t i = begin; i < end; ++i) sum += in[i] * in[i];
    out[c] = in[c] * std::pow(args.bias + args.alpha * sum, -args.beta);
  }
}

}  // namespace fewbits::ops
