// ONNX quantization: QDQ pairs, QOperator forms. Activations become QUANTIZE and DEQUANTIZE with the model's own parameters,
// constants become float with a note of the integers that they are; passes/integers_from_qdq.cc makes integer operators of both.
#include <algorithm>

#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"
#include "formats/onnx/products.h"

namespace fewbits::onnx {
namespace {

// A vector along `axis` of x, shaped to broadcast.
ValueId along(Call& c, ValueId vector, ValueId x, int64_t axis) {
  if (c.b.rank(vector) != 1 || c.b.dim(vector, 0) == 1) return c.b.reshape(vector, {});
  Shape shape(static_cast<size_t>(std::max(c.rank(x), 1)), 1);
  shape[static_cast<size_t>(c.axis(axis, c.rank(x)))] = -1;
  return c.b.reshape(vector, shape);
}

// The parameters, where they are known.
std::optional<QuantParams> params_of(Call& c, ValueId x, ValueId scale, ValueId zero_point, int64_t axis) {
  const auto scales = c.b.number_values(scale);
  if (!scales || scales->empty()) return std::nullopt;
  QuantParams params;
  for (double s : *scales) {
    if (!(s > 0)) return std::nullopt;
    params.scale.push_back(static_cast<float>(s));
  }
  params.zero_point.assign(scales->size(), 0);
  if (zero_point != kNoValue) {
    const auto zeros = c.b.int_values(zero_point);
    if (!zeros || zeros->size() != scales->size()) return std::nullopt;
    params.zero_point = *zeros;
  }
  if (params.per_axis()) params.axis = c.axis(axis, c.rank(x));
  return params;
}

bool has_integer_kernels(DType type) { return type == DType::kInt8 || type == DType::kUInt8 || type == DType::kInt16; }

}  // namespace

ValueId dequantized(Call& c, ValueId x, ValueId scale, ValueId zero_point, int64_t axis) {
  const auto params = params_of(c, x, scale, zero_point, axis);
  const bool constant = c.b.is_const(x);
  if (!constant && params && !params->per_axis() && has_integer_kernels(c.b.dtype(x))) {
    Value& value = c.b.graph().value(x);
    const bool same =
        value.quant.quantized() && value.quant.scale == params->scale && value.quant.zero() == params->zero();
    if (!value.quant.quantized() || same) {
      value.quant = *params;
      return c.b.dequantize(x);
    }
  }
  ValueId y = c.b.cast(x, DType::kFloat32);
  if (zero_point != kNoValue) y = c.b.sub(y, c.b.cast(along(c, zero_point, x, axis), DType::kFloat32));
  y = c.b.mul(y, along(c, scale, x, axis));
  if (c.b.is_const(y) && params && has_integer_kernels(c.b.dtype(x))) {
    QuantParams origin = *params;
    if (c.b.dtype(x) == DType::kUInt8) {
      for (int64_t& z : origin.zero_point) z -= 128;
    }
    c.b.set_origin(y, std::move(origin));
  }
  return y;
}

ValueId quantized(Call& c, ValueId x, ValueId scale, ValueId zero_point, int64_t axis, DType type) {
  const auto params = params_of(c, x, scale, zero_point, axis);
  if (params && !params->per_axis() && has_integer_kernels(type) && !c.b.is_const(x)) {
    return c.b.quantize(c.b.cast(x, DType::kFloat32), type, *params);
  }
  ValueId y = c.b.unary(Op::ROUND, c.b.div(c.b.cast(x, DType::kFloat32), along(c, scale, x, axis)));
  if (zero_point != kNoValue) y = c.b.add(y, c.b.cast(along(c, zero_point, x, axis), DType::kFloat32));
  const bool wide = type == DType::kInt16;
  y = type == DType::kUInt8 ? c.b.clamp(y, 0, 255) : c.b.clamp(y, wide ? -32768 : -128, wide ? 32767 : 127);
  return c.b.cast(y, type);
}

namespace {

void map_quantize(Call& c) {
  DType type = c.has(2) ? c.b.dtype(c.in(2)) : DType::kUInt8;
  if (c.has_attr("output_dtype") && c.int_attr("output_dtype", 0) != 0) {
    const auto given = inner_type(static_cast<int32_t>(c.int_attr("output_dtype", 0)));
    if (!given) return (void)c.unsupported(given.error().message);
    type = *given;
  }
  if (c.int_attr("block_size", 0) != 0) return (void)c.unsupported("quantization by blocks");
  if (!has_integer_kernels(type)) return (void)c.unsupported("quantization to this type");
  c.out(quantized(c, c.need(0), c.need(1), c.in(2), c.int_attr("axis", 1), type));
}

void map_dequantize(Call& c) {
  if (c.int_attr("block_size", 0) != 0) return (void)c.unsupported("quantization by blocks");
  c.out(dequantized(c, c.need(0), c.need(1), c.in(2), c.int_attr("axis", 1)));
}

// The range of x in 8 bits, with zero in it.
void map_dynamic_quantize(Call& c) {
  const ValueId x = c.need(0);
  std::vector<int32_t> axes;
  for (int i = 0; i < c.rank(x); ++i) axes.push_back(i);
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const ValueId low = c.b.binary(Op::MINIMUM, c.b.reduce(Op::REDUCE_MIN, x, axes, false), number(0));
  const ValueId high = c.b.binary(Op::MAXIMUM, c.b.reduce(Op::REDUCE_MAX, x, axes, false), number(0));
  // An input of zeros alone has the scale 1, as in ONNX Runtime.
  const ValueId range = c.b.sub(high, low);
  const ValueId scale = c.b.select(c.b.binary(Op::GREATER, range, number(0)), c.b.div(range, number(255)), number(1));
  const ValueId zero = c.b.clamp(c.b.unary(Op::ROUND, c.b.div(c.b.unary(Op::NEG, low), scale)), 0, 255);
  const ValueId y = c.b.add(c.b.unary(Op::ROUND, c.b.div(x, scale)), zero);
  c.out(c.b.cast(c.b.clamp(y, 0, 255), DType::kUInt8), 0);
  c.out(scale, 1);
  c.out(c.b.cast(zero, DType::kUInt8), 2);
}

// x, scale, zero, w, scale, zero, scale, zero, bias
void map_qlinear_conv(Call& c) {
  const ValueId x = dequantized(c, c.need(0), c.need(1), c.in(2), 1),
                w = dequantized(c, c.need(3), c.need(4), c.in(5), 0);
  ValueId bias = kNoValue;
  if (c.has(8)) bias = c.b.mul(c.b.cast(c.in(8), DType::kFloat32), c.b.mul(c.b.reshape(c.need(1), {}), c.need(4)));
  c.out(quantized(c, convolve(c, x, w, bias), c.need(6), c.in(7), 1, c.b.dtype(c.need(7))));
}

void map_qlinear_matmul(Call& c) {
  const ValueId a = dequantized(c, c.need(0), c.need(1), c.in(2), -2),
                b = dequantized(c, c.need(3), c.need(4), c.in(5), -1);
  c.out(quantized(c, multiply(c, a, b), c.need(6), c.in(7), -1, c.b.dtype(c.need(7))));
}

// Sums of products of 8-bit integers are exact in float32 up to 2^24.
ValueId centred(Call& c, ValueId x, ValueId zero, int64_t axis) {
  const ValueId f = c.b.cast(x, DType::kFloat32);
  return zero == kNoValue ? f : c.b.sub(f, c.b.cast(along(c, zero, x, axis), DType::kFloat32));
}
void map_conv_integer(Call& c) {
  const ValueId y = convolve(c, centred(c, c.need(0), c.in(2), 1), centred(c, c.need(1), c.in(3), 0), kNoValue);
  c.out(c.b.cast(y, DType::kInt32));
}
void map_matmul_integer(Call& c) {
  const ValueId y = multiply(c, centred(c, c.need(0), c.in(2), -2), centred(c, c.need(1), c.in(3), -1));
  c.out(c.b.cast(y, DType::kInt32));
}

constexpr OpEntry kOps[] = {
    {"ConvInteger", map_conv_integer},
    {"DequantizeLinear", map_dequantize},
    {"DynamicQuantizeLinear", map_dynamic_quantize},
    {"MatMulInteger", map_matmul_integer},
    {"QLinearConv", map_qlinear_conv},
    {"QLinearMatMul", map_qlinear_matmul},
    {"QuantizeLinear", map_quantize},
};

}  // namespace

std::span<const OpEntry> quant_ops() { return kOps; }

}  // namespace fewbits::onnx
