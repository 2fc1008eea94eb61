// prepare() of CAST and BITCAST.
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/half.h"
#include "kernels/broadcast.h"
#include "ops/quantize/op.h"
#include "ops/quantize/ref.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

// 16-bit floats and booleans are stored in integers: types of their own, so that overloads tell them apart.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
struct Bool {
  uint8_t value;
};
using Complex = std::complex<float>;

// What a stored value is computed as.
inline float number(Half x) noexcept { return half_to_float(x.bits); }
inline float number(BFloat16 x) noexcept { return bfloat16_to_float(x.bits); }
inline uint8_t number(Bool x) noexcept { return x.value != 0; }
inline float number(Complex x) noexcept { return x.real(); }
template <class T>
T number(T x) noexcept {
  return x;
}

// Truncated and saturated; NaN gives the largest value.
template <class To, class From>
To saturate(From x) noexcept {
  // The largest value as a float may be one more than it: 2^31. Both bounds are exact powers of two, or exact.
  constexpr auto kLeast = static_cast<From>(std::numeric_limits<To>::lowest());
  constexpr auto kBeyond = static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * 2;
  if (x < kLeast) return std::numeric_limits<To>::lowest();
  if (x < kBeyond) return static_cast<To>(x);
  return std::numeric_limits<To>::max();
}

// `x` is what number() gives, or an int64 of an integer.
template <class To, class Number>
To stored(Number x) noexcept {
  if constexpr (std::is_same_v<To, Half>) {
    return Half{float_to_half(static_cast<float>(x))};
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return BFloat16{float_to_bfloat16(static_cast<float>(x))};
  } else if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_same_v<To, Complex>) {
    return Complex(static_cast<float>(x), 0.0f);
  } else if constexpr (std::is_floating_point_v<Number> && std::is_integral_v<To>) {
    return saturate<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

// The types whose conversions into each other get a loop of their own: what models cast.
template <class T>
constexpr bool kCommon = std::is_same_v<T, float> || std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t> ||
                         std::is_same_v<T, uint8_t> || std::is_same_v<T, int8_t> || std::is_same_v<T, Bool>;

template <class From, class To>
Prepared direct_cast(size_t count) {
  return make_kernel(
      [count](const RunArgs& args) noexcept {
        map_elements(in<From>(args, 0), out<To>(args), count, args.pool, kCheapGrain,
                     [](From x) noexcept { return stored<To>(number(x)); });
      },
      "cast");
}

// All others go through a few hundred numbers of the type that holds them exactly: as many loops as there are types, not
// their square.
template <class From>
using Exact = std::conditional_t<std::is_integral_v<decltype(number(From()))>, int64_t, decltype(number(From()))>;
constexpr size_t kAtOnce = 256;

using Load = void (*)(const void* from, size_t begin, size_t count, void* exact) noexcept;
using Store = void (*)(const void* exact, size_t begin, size_t count, void* to) noexcept;

template <class From>
void load(const void* from, size_t begin, size_t count, void* exact) noexcept {
  const From* x = static_cast<const From*>(from) + begin;
  for (size_t i = 0; i < count; ++i) static_cast<Exact<From>*>(exact)[i] = static_cast<Exact<From>>(number(x[i]));
}
template <class To, class Number>
void store(const void* exact, size_t begin, size_t count, void* to) noexcept {
  To* y = static_cast<To*>(to) + begin;
  for (size_t i = 0; i < count; ++i) y[i] = stored<To>(static_cast<const Number*>(exact)[i]);
}

Prepared cast_in_two(size_t count, Load load, Store store) {
  return make_kernel(
      [=](const RunArgs& args) noexcept {
        parallel_for(args.pool, count, kCheapGrain, [&](size_t begin, size_t end) {
          alignas(64) std::byte exact[kAtOnce * sizeof(int64_t)];
          for (; begin < end; begin += kAtOnce) {
            const size_t part = std::min(kAtOnce, end - begin);
            load(args.in[0], begin, part, exact);
            store(exact, begin, part, args.out[0]);
          }
        });
      },
      "cast");
}

template <class From, class To>
Prepared cast_kernel(size_t count) {
  if constexpr (std::is_same_v<From, To>) {
    return make_kernel(
        [count](const RunArgs& args) noexcept {
          if (args.in[0] != args.out[0] && count > 0) std::memcpy(args.out[0], args.in[0], count * sizeof(To));
        },
        "cast");
  } else if constexpr (kCommon<From> && kCommon<To>) {
    return direct_cast<From, To>(count);
  } else {
    return cast_in_two(count, &load<From>, &store<To, Exact<From>>);
  }
}

// Calls f(T()) with the C++ type of `type`; false when there is none.
template <class F>
bool with_type(DType type, const F& f) {
  switch (type) {
    case DType::kFloat32: f(float()); return true;
    case DType::kFloat64: f(double()); return true;
    case DType::kFloat16: f(Half()); return true;
    case DType::kBFloat16: f(BFloat16()); return true;
    case DType::kInt64: f(int64_t()); return true;
    case DType::kInt32: f(int32_t()); return true;
    case DType::kUInt32: f(uint32_t()); return true;
    case DType::kInt16: f(int16_t()); return true;
    case DType::kUInt16: f(uint16_t()); return true;
    case DType::kInt8: f(int8_t()); return true;
    case DType::kUInt8: f(uint8_t()); return true;
    case DType::kBool: f(Bool()); return true;
    case DType::kComplex64: f(Complex()); return true;
    default: return false;
  }
}

bool is_packed(DType type) { return type == DType::kInt4 || type == DType::kUInt4 || type == DType::kInt2; }

Prepared unpack_to_float(PackedInts packed, size_t count) {
  return make_kernel(
      [packed, count](const RunArgs& args) noexcept {
        parallel_for(args.pool, count, kCheapGrain, [&](size_t begin, size_t end) {
          for (size_t i = begin; i < end; ++i)
            out<float>(args)[i] = static_cast<float>(packed.get(in<uint8_t>(args, 0), i));
        });
      },
      "cast packed integers");
}

Prepared pack_from_float(PackedInts packed, size_t count) {
  return make_kernel(
      [packed, count](const RunArgs& args) noexcept {
        parallel_for(args.pool, (count + packed.per_byte() - 1) / packed.per_byte(), kCheapGrain,
                     [&](size_t begin, size_t end) {
                       for (size_t byte = begin; byte < end; ++byte) {
                         packed.put_byte(out<uint8_t>(args), byte, count, [&](size_t i) {
                           return std::clamp(saturate<int32_t>(in<float>(args, 0)[i]), packed.lo(), packed.hi());
                         });
                       }
                     });
      },
      "cast to packed integers");
}

}  // namespace

Result<Prepared> prepare_cast(const OpContext& context) {
  const DType from = context.inputs[0].dtype, to = context.outputs[0].dtype;
  const size_t count = context.outputs[0].count();
  if (is_packed(from) && to == DType::kFloat32) return unpack_to_float(PackedInts(from), count);
  if (is_packed(to) && from == DType::kFloat32) return pack_from_float(PackedInts(to), count);
  std::optional<Prepared> chosen;
  with_type(from,
            [&]<class From>(From) { with_type(to, [&]<class To>(To) { chosen = cast_kernel<From, To>(count); }); });
  if (!chosen) return unsupported_types(context);
  return *std::move(chosen);
}

Result<Prepared> prepare_bitcast(const OpContext& context) {
  const auto bytes = byte_size(context.inputs[0].dtype, context.inputs[0].shape);
  const auto result_bytes = byte_size(context.outputs[0].dtype, context.outputs[0].shape);
  if (!bytes || bytes != result_bytes) return unsupported_types(context);
  return make_kernel(
      [size = *bytes](const RunArgs& args) noexcept {
        if (args.in[0] != args.out[0] && size > 0) std::memcpy(args.out[0], args.in[0], size);
      },
      "view");
}

}  // namespace fewbits::ops
