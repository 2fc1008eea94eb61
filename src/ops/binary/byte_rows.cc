// The choice of rows of bytes, and of float formulas for their sums, each compared with the rule on all pairs.
#include "ops/binary/byte_rows.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/cpu.h"
#include "kernels/requantize.h"

namespace fewbits::ops {
namespace {

constexpr size_t kBytes = 256;

// The rule's results: row x holds those of byte x with every byte.
template <class T, class Args>
std::vector<T> all_pairs(BinaryRow<Args, T> exact, const Args& args) {
  std::array<T, kBytes> bytes;
  for (size_t i = 0; i < kBytes; ++i) bytes[i] = static_cast<T>(i);
  std::vector<T> results(kBytes * kBytes);
  for (size_t x = 0; x < kBytes; ++x) exact(args, &bytes[x], 0, bytes.data(), 1, &results[x * kBytes], kBytes);
  return results;
}

template <class T, class Row, class Args>
bool equals(Row row, const Args& args, const std::vector<T>& results) {
  std::array<T, kBytes> bytes, out;
  for (size_t i = 0; i < kBytes; ++i) bytes[i] = static_cast<T>(i);
  for (size_t x = 0; x < kBytes; ++x) {
    row(args, &bytes[x], 0, bytes.data(), 1, out.data(), kBytes);
    if (std::memcmp(out.data(), &results[x * kBytes], kBytes) != 0) return false;
  }
  return true;
}

// Neighbours of a float: rounding differs between them just enough to move the few pairs that lie next to a tie.
float neighbour(float value, int step) {
  if (step == 0) return value;
  return std::nextafter(value, step > 0 ? std::numeric_limits<float>::max() : std::numeric_limits<float>::lowest());
}

double real(const RowMultiplier& m) { return std::ldexp(static_cast<double>(m.value), m.left - m.right - 31); }

}  // namespace

FloatRow select_float_row(const char** name) noexcept {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) {
    *name = "avx512";
    return float_row_avx512;
  }
#endif
  *name = "";
  return nullptr;
}

template <class T>
std::optional<FloatSumArgs> find_float_row(FloatRow row, BinaryRow<SumRowArgs, T> exact, const SumRowArgs& args) {
  if (row == nullptr) return std::nullopt;
  constexpr int32_t kShift = std::is_same_v<T, uint8_t> ? 128 : 0;
  FloatSumArgs candidate;
  candidate.out_zero = args.out_zero - kShift;
  candidate.lo = args.lo - kShift;
  candidate.hi = args.hi - kShift;
  candidate.flip = kShift;
  const double common = std::ldexp(real(args.out), args.left_shift);
  const double a_scale = real(args.a) * common, b_scale = real(args.b) * common * (args.subtract ? -1 : 1);
  const double offset = -((args.a_zero - kShift) * a_scale + (args.b_zero - kShift) * b_scale);
  const std::vector<T> results = all_pairs(exact, args);
  for (const double nudge : {0.0, 0x1p-18, -0x1p-18}) {
    for (const int a_step : {0, 1, -1}) {
      for (const int b_step : {0, 1, -1}) {
        candidate.a_scale = neighbour(static_cast<float>(a_scale), a_step);
        candidate.b_scale = neighbour(static_cast<float>(b_scale), b_step);
        candidate.offset = static_cast<float>(offset + nudge);
        if (equals(row, candidate, results)) return candidate;
      }
    }
  }
  return std::nullopt;
}

FloatProductRows select_float_product_rows(const char** name) noexcept {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) {
    *name = "avx512";
    return {float_product_row_avx512, float_gate_row_avx512};
  }
#endif
  *name = "";
  return {};
}

template <class T>
std::optional<FloatProductArgs> find_float_product(FloatProductRow row, BinaryRow<ProductRowArgs, T> exact,
                                                   const ProductRowArgs& args) {
  if (row == nullptr) return std::nullopt;
  constexpr int32_t kShift = std::is_same_v<T, uint8_t> ? 128 : 0;
  FloatProductArgs candidate;
  candidate.a_zero = static_cast<float>(args.a_zero - kShift);
  candidate.b_zero = static_cast<float>(args.b_zero - kShift);
  candidate.power = std::ldexp(kSlightlyMore, -args.out.right);
  candidate.offset = -kWholeNumbers * candidate.power;
  candidate.out_zero = args.out_zero - kShift;
  candidate.lo = args.lo - kShift;
  candidate.hi = args.hi - kShift;
  candidate.flip = kShift;
  const auto fraction = static_cast<float>(std::ldexp(static_cast<double>(args.out.value), args.out.left - 31));
  const std::vector<T> results = all_pairs(exact, args);
  for (const int step : {0, 1, -1}) {
    candidate.fraction = neighbour(fraction, step);
    if (equals(row, candidate, results)) return candidate;
  }
  return std::nullopt;
}

ByteProductRow select_byte_product_row(const char** name) noexcept {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx512) {
    *name = "avx512";
    return byte_product_row_avx512;
  }
#endif
  *name = "";
  return nullptr;
}

template <class T>
std::optional<ByteProductArgs> byte_product_args(const ProductRowArgs& args) {
  if (args.out.left > kMostLeft) return std::nullopt;
  constexpr int32_t kShift = std::is_same_v<T, uint8_t> ? 128 : 0;
  return ByteProductArgs{args.a_zero - kShift,
                         args.b_zero - kShift,
                         args.out_zero - kShift,
                         args.out,
                         args.lo - kShift,
                         args.hi - kShift,
                         kShift};
}

template std::optional<ByteProductArgs> byte_product_args<int8_t>(const ProductRowArgs&);
template std::optional<ByteProductArgs> byte_product_args<uint8_t>(const ProductRowArgs&);
template std::optional<FloatSumArgs> find_float_row(FloatRow, BinaryRow<SumRowArgs, int8_t>, const SumRowArgs&);
template std::optional<FloatProductArgs> find_float_product(FloatProductRow, BinaryRow<ProductRowArgs, int8_t>,
                                                            const ProductRowArgs&);
template std::optional<FloatProductArgs> find_float_product(FloatProductRow, BinaryRow<ProductRowArgs, uint8_t>,
                                                            const ProductRowArgs&);
template std::optional<FloatSumArgs> find_float_row(FloatRow, BinaryRow<SumRowArgs, uint8_t>, const SumRowArgs&);

}  // namespace fewbits::ops
