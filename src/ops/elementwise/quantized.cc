// prepare() of elementwise functions on int8 and int16 with scales: tables, and ABS and SQRT of int16 value by value.
#include <algorithm>
#include <cmath>

#include "kernels/broadcast.h"
#include "kernels/fixed_point.h"
#include "kernels/lut.h"
#include "ops/byte_table.h"
#include "ops/elementwise/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

// The input's and the output's parameters.
struct Params {
  float in_scale, out_scale;
  int32_t in_zero, out_zero;
};

// int32 -> int32: |x| on the output's scale.
struct Abs {
  Params p;
  bool rescales;
  FixedMultiplier multiplier;
  explicit Abs(const Params& params)
      : p(params),
        rescales(p.in_scale != p.out_scale),
        multiplier(quantize_multiplier(static_cast<double>(p.in_scale / p.out_scale))) {}
  int32_t operator()(int32_t q) const noexcept {
    const int32_t value = std::abs(q - p.in_zero);
    return (rescales ? multiply_by_quantized_multiplier(value, multiplier) : value) + p.out_zero;
  }
};

// The root in float32, truncated.
struct Sqrt {
  Params p;
  int32_t operator()(int32_t q) const noexcept {
    const float real = p.in_scale * static_cast<float>(std::max(q - p.in_zero, 0));
    return static_cast<int32_t>(std::min(std::sqrt(real) / p.out_scale, 65535.0f)) + p.out_zero;
  }
};

// int8: the fixed-point reciprocal root of the integer, with 20 more bits, on the output's scale.
struct Rsqrt {
  Params p;
  FixedMultiplier multiplier;
  explicit Rsqrt(const Params& params)
      : p(params), multiplier(quantize_multiplier(1.0 / static_cast<double>(std::sqrt(p.in_scale) * p.out_scale))) {}
  int32_t operator()(int32_t q) const noexcept {
    constexpr int kMoreBits = 20;
    const int32_t value = q - p.in_zero;
    if (value <= 0) return 127;
    const FixedMultiplier root = inverse_sqrt_multiplier(value);
    const int32_t data = multiply_by_quantized_multiplier(1, FixedMultiplier{root.value, root.shift + kMoreBits});
    const int right = multiplier.shift - kMoreBits;
    if (right < -31) return p.out_zero;
    return multiply_by_quantized_multiplier(data, FixedMultiplier{multiplier.value, right}) + p.out_zero;
  }
};

Prepared table_kernel(const WordTable& table, size_t count, const char* choice) {
  return make_kernel(
      [table, count](const RunArgs& args) noexcept {
        map_elements(in<int16_t>(args, 0), out<int16_t>(args), count, args.pool, kCheapGrain,
                     [&](int16_t x) noexcept { return look_up(table, x); });
      },
      choice);
}

Result<Prepared> prepare_int8(const OpContext& context, const Params& p) {
  ByteTable table{};
  const char* choice = "";
  switch (context.node->op) {
    case Op::ABS:
      fill_table<int8_t>(table, Abs(p));
      choice = "abs_s8 table";
      break;
    case Op::SQRT:
      fill_table<int8_t>(table, Sqrt{p});
      choice = "sqrt_s8 table";
      break;
    case Op::RSQRT:
      fill_table<int8_t>(table, Rsqrt(p));
      choice = "rsqrt_s8 table";
      break;
    case Op::EXP:
      fill_table_of_reals<int8_t>(table, p.in_scale, p.in_zero, p.out_scale, p.out_zero,
                                  [](float x) { return std::exp(x); });
      choice = "exp_s8 table";
      break;
    case Op::LOG: {
      const float least = static_cast<float>(-128 - p.out_zero) * p.out_scale;
      fill_table_of_reals<int8_t>(table, p.in_scale, p.in_zero, p.out_scale, p.out_zero,
                                  [least](float x) { return x <= 0 ? least : std::log(x); });
      choice = "log_s8 table";
      break;
    }
    default: return unsupported_types(context);
  }
  return byte_table_kernel(table, context.outputs[0].count(), choice);
}

template <class F>
Prepared value_kernel(F f, size_t count, const char* choice) {
  return make_kernel(
      [f, count](const RunArgs& args) noexcept {
        map_elements(in<int16_t>(args, 0), out<int16_t>(args), count, args.pool, kCheapGrain,
                     [&f](int16_t x) noexcept { return static_cast<int16_t>(std::clamp(f(x), -32768, 32767)); });
      },
      choice);
}

Result<Prepared> prepare_int16(const OpContext& context, const Params& p) {
  const size_t count = context.outputs[0].count();
  WordTable table{};
  switch (context.node->op) {
    case Op::ABS: return value_kernel(Abs(p), count, "abs_s16");
    case Op::SQRT: return value_kernel(Sqrt{p}, count, "sqrt_s16");
    case Op::EXP:
      fill_word_table<float>(table, p.in_scale, p.in_zero, p.out_scale, p.out_zero,
                             [](float x) { return std::exp(x); });
      return table_kernel(table, count, "exp_s16 table");
    case Op::LOG: {
      const float least = static_cast<float>(-32768 - p.out_zero) * p.out_scale;
      fill_word_table<float>(table, p.in_scale, p.in_zero, p.out_scale, p.out_zero,
                             [least](float x) { return x <= 0 ? least : std::log(x); });
      return table_kernel(table, count, "log_s16 table");
    }
    case Op::RSQRT: {
      const float most = 32767.0f * p.out_scale;
      fill_word_table<float>(table, p.in_scale, p.in_zero, p.out_scale, p.out_zero,
                             [most](float x) { return x <= 0 ? most : 1.0f / std::sqrt(x); });
      return table_kernel(table, count, "rsqrt_s16 table");
    }
    default: return unsupported_types(context);
  }
}

}  // namespace

Result<Prepared> prepare_quantized_elementwise(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  FB_TRY(require_per_tensor(context, input, "the input"));
  FB_TRY(require_per_tensor(context, output, "the output"));
  const Params params{input.scale(), output.scale(), input.zero_point(), output.zero_point()};
  return input.dtype == DType::kInt8 ? prepare_int8(context, params) : prepare_int16(context, params);
}

}  // namespace fewbits::ops
