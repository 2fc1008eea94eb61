// prepare() of elementwise functions on float32 and plain integers.
#include <cmath>
#include <type_traits>

#include "kernels/broadcast.h"
#include "kernels/float_rows.h"
#include "ops/elementwise/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class T, class F>
Prepared kernel(const OpContext& context, F f, const char* choice, size_t grain = kCheapGrain) {
  return make_kernel(
      [f, grain, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        map_elements(in<T>(args, 0), out<T>(args), count, args.pool, grain, f);
      },
      choice);
}

// A function that has rows for every ISA.
Prepared row_kernel(const OpContext& context, FloatRows::Row row, const char* name, size_t grain = kCheapGrain) {
  return make_kernel(
      [row, grain, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        parallel_for(args.pool, count, grain, [&](size_t begin, size_t end) {
          row(in<float>(args, 0) + begin, out<float>(args) + begin, end - begin);
        });
      },
      std::string(name) + " rows " + select_float_rows(isa()).name);
}

template <class T>
T negative(T x) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return -x;
  } else {
    return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(x));  // the least integer wraps
  }
}

template <class T>
T magnitude(T x) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::abs(x);
  } else {
    return x < 0 ? negative(x) : x;
  }
}

template <class T>
T sign(T x) noexcept {
  return x > 0 ? T{1} : x < 0 ? T{-1} : x == x ? T{0} : x;
}

Result<Prepared> prepare_float(const OpContext& context) {
  const FloatRows& rows = select_float_rows(isa());
  switch (context.node->op) {
    case Op::ABS: return kernel<float>(context, magnitude<float>, "abs_f32");
    case Op::NEG: return kernel<float>(context, negative<float>, "neg_f32");
    case Op::EXP: return row_kernel(context, rows.exp, "exp_f32", kCostlyGrain);
    case Op::LOG: return kernel<float>(context, [](float x) noexcept { return std::log(x); }, "log_f32", kCostlyGrain);
    case Op::SQRT: return kernel<float>(context, [](float x) noexcept { return std::sqrt(x); }, "sqrt_f32");
    case Op::RSQRT: return kernel<float>(context, [](float x) noexcept { return 1.0f / std::sqrt(x); }, "rsqrt_f32");
    case Op::SQUARE: return kernel<float>(context, [](float x) noexcept { return x * x; }, "square_f32");
    case Op::SIN: return kernel<float>(context, [](float x) noexcept { return std::sin(x); }, "sin_f32", kCostlyGrain);
    case Op::COS: return kernel<float>(context, [](float x) noexcept { return std::cos(x); }, "cos_f32", kCostlyGrain);
    case Op::FLOOR: return row_kernel(context, rows.floor, "floor_f32");
    case Op::CEIL: return row_kernel(context, rows.ceil, "ceil_f32");
    case Op::ROUND: return row_kernel(context, rows.round, "round_f32");
    case Op::SIGN: return kernel<float>(context, sign<float>, "sign_f32");
    default: return unsupported_types(context);
  }
}

template <class T>
Result<Prepared> prepare_integer(const OpContext& context) {
  switch (context.node->op) {
    case Op::NEG: return kernel<T>(context, negative<T>, "neg plain");
    case Op::ABS:
      if (sizeof(T) == 2 || sizeof(T) == 4) return kernel<T>(context, magnitude<T>, "abs plain");
      break;
    case Op::SIGN:
      if (sizeof(T) == 4) return kernel<T>(context, sign<T>, "sign_s32");
      break;
    default: break;
  }
  return unsupported_types(context);
}

}  // namespace

Result<Prepared> prepare_elementwise(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  if (input.dtype != output.dtype) return unsupported_types(context);
  const bool stored_values = context.node->op == Op::NEG;
  switch (input.dtype) {
    case DType::kFloat32: return prepare_float(context);
    case DType::kFloat64:
      if (context.node->op == Op::SIGN) return kernel<double>(context, sign<double>, "sign_f64");
      return unsupported_types(context);
    case DType::kInt64: return prepare_integer<int64_t>(context);
    case DType::kInt32: return prepare_integer<int32_t>(context);
    case DType::kInt16:
      if (stored_values || !input.quant->quantized()) return prepare_integer<int16_t>(context);
      return prepare_quantized_elementwise(context);
    case DType::kInt8:
      if (stored_values) return prepare_integer<int8_t>(context);
      return prepare_quantized_elementwise(context);
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
