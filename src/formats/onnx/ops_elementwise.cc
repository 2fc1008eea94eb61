// ONNX operators that work element by element on numbers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"

namespace fewbits::onnx {
namespace {

using formats::Activation;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <Op kOp>
void map_unary(Call& c) {
  c.out(c.b.unary(kOp, c.need(0)));
}
// Operators that TFLite has for floats only, on integers through floats.
template <Op kOp>
void map_float_unary(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.cast(c.b.unary(kOp, c.b.cast(x, DType::kFloat32)), c.b.dtype(x)));
}

ValueId widened(Call& c, ValueId x) { return is_small_int(c.b.dtype(x)) ? c.b.cast(x, DType::kInt32) : x; }

template <Op kOp>
void map_binary(Call& c) {
  const ValueId a = c.need(0), b = c.need(1);
  c.out(c.b.cast(c.b.binary(kOp, widened(c, a), widened(c, b)), c.b.dtype(a)));
}

template <Op kOp>
void map_variadic(Call& c) {
  const std::vector<ValueId> xs = c.all_inputs();
  if (xs.empty()) return;
  ValueId sum = widened(c, xs[0]);
  for (size_t i = 1; i < xs.size(); ++i) sum = c.b.binary(kOp, sum, widened(c, xs[i]));
  c.out(c.b.cast(sum, c.b.dtype(xs[0])));
}

void map_mean(Call& c) {
  const std::vector<ValueId> xs = c.all_inputs();
  if (xs.empty()) return;
  ValueId sum = xs[0];
  for (size_t i = 1; i < xs.size(); ++i) sum = c.b.add(sum, xs[i]);
  c.out(c.b.mul(sum, c.b.scalar_like(1.0 / static_cast<double>(xs.size()), sum)));
}

void map_identity(Call& c) { c.out(c.need(0)); }

void map_dropout(Call& c) {
  const ValueId x = c.need(0);
  const auto training = c.has(2) ? c.b.int_values(c.in(2)) : std::nullopt;
  if (c.has(2) && (!training || (!training->empty() && (*training)[0] != 0))) {
    c.unsupported("dropout in training mode is random");
    return;
  }
  c.out(x);
  if (!c.wants(1)) return;
  c.out(c.b.cast(c.b.binary(Op::EQUAL, x, x), DType::kBool), 1);
}

void map_cast(Call& c) {
  const ValueId x = c.need(0);
  const auto to = inner_type(static_cast<int32_t>(c.int_attr("to", kFloat)));
  if (!to) {
    c.unsupported(to.error().message);
    return;
  }
  c.out(cast_like_onnx(c, x, *to));
}
void map_cast_like(Call& c) { c.out(cast_like_onnx(c, c.need(0), c.b.dtype(c.need(1)))); }

void map_relu(Call& c) {
  const ValueId x = c.need(0);
  const bool is_float = c.b.dtype(x) == DType::kFloat32;
  c.out(is_float ? c.b.unary(Op::RELU, x) : c.b.binary(Op::MAXIMUM, x, c.b.scalar_like(0, x)));
}

// A bound of Clip: an attribute before opset 11, an input since.
struct Bound {
  double value = 0;
  bool given = false;
  ValueId computed = kNoValue;
};
Bound bound(Call& c, const char* attribute, size_t input, double otherwise) {
  if (c.has_attr(attribute)) return {c.float_attr(attribute, otherwise), true};
  if (!c.has(input)) return {otherwise, false};
  const auto values = c.b.number_values(c.in(input));
  if (values && values->size() == 1) return {(*values)[0], true};
  return {otherwise, true, c.in(input)};
}

void map_clip(Call& c) {
  ValueId x = c.need(0);
  const DType type = c.b.dtype(x);
  if (is_small_int(type)) x = c.b.cast(x, DType::kInt32);
  const Bound low = bound(c, "min", 1, -kInfinity), high = bound(c, "max", 2, kInfinity);
  x = c.b.clamp(x, low.value, high.value);
  if (low.computed != kNoValue) x = c.b.binary(Op::MAXIMUM, x, c.b.cast(low.computed, c.b.dtype(x)));
  if (high.computed != kNoValue) x = c.b.binary(Op::MINIMUM, x, c.b.cast(high.computed, c.b.dtype(x)));
  c.out(c.b.cast(x, type));
}

void map_leaky_relu(Call& c) { c.out(c.b.leaky_relu(c.need(0), static_cast<float>(c.float_attr("alpha", 0.01)))); }

void map_prelu(Call& c) {
  const ValueId x = c.need(0), slope = c.need(1);
  if (c.b.dtype(x) == DType::kFloat32) {
    c.out(c.b.node(Op::PRELU, {x, slope}));
    return;
  }
  const ValueId zero = c.b.scalar_like(0, x);
  c.out(c.b.add(c.b.binary(Op::MAXIMUM, x, zero), c.b.mul(c.b.binary(Op::MINIMUM, x, zero), slope)));
}

void map_elu(Call& c) {
  const ValueId x = c.need(0);
  const double alpha = c.float_attr("alpha", 1);
  c.out(alpha == 1 ? c.b.unary(Op::ELU, x) : scaled_elu(c, x, 1, alpha, 1));
}
void map_selu(Call& c) {
  c.out(scaled_elu(c, c.need(0), c.float_attr("gamma", 1.05070102214813232421875),
                   c.float_attr("alpha", 1.67326319217681884765625), 1));
}
void map_celu(Call& c) {
  const double alpha = c.float_attr("alpha", 1);
  c.out(scaled_elu(c, c.need(0), 1, alpha, alpha));
}

// max(0, min(1, alpha * x + beta)), as relu6(6 * alpha * x + 6 * beta) / 6: what TFLite's own HARD_SWISH is made of.
void map_hard_sigmoid(Call& c) {
  const ValueId x = c.need(0);
  const double alpha = c.float_attr("alpha", 0.2), beta = c.float_attr("beta", 0.5);
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const double slope = std::abs(alpha * 6 - 1) < 1e-5 ? 1 : alpha * 6;
  const ValueId scaled = slope == 1 ? x : c.b.mul(x, number(slope));
  c.out(c.b.mul(c.b.unary(Op::RELU6, c.b.add(scaled, number(beta * 6))), number(1.0 / 6)));
}

void map_softplus(Call& c) { c.out(softplus(c, c.need(0))); }
void map_softsign(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.div(x, c.b.add(c.b.unary(Op::ABS, x), c.b.scalar_like(1, x))));
}
void map_mish(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.mul(x, c.b.unary(Op::TANH, softplus(c, x))));
}
void map_swish(Call& c) {
  const ValueId x = c.need(0);
  const double alpha = c.float_attr("alpha", 1);
  c.out(c.b.mul(x, c.b.unary(Op::LOGISTIC, alpha == 1 ? x : c.b.mul(x, c.b.scalar_like(alpha, x)))));
}
void map_gelu(Call& c) { c.out(c.b.gelu(c.need(0), c.string_attr("approximate", "none") == "tanh")); }

void map_thresholded_relu(Call& c) {
  const ValueId x = c.need(0);
  const ValueId above = c.b.binary(Op::GREATER, x, c.b.scalar_like(c.float_attr("alpha", 1), x));
  c.out(c.b.select(above, x, c.b.scalar_like(0, x)));
}

void map_shrink(Call& c) {
  const ValueId x = c.need(0), f = c.b.cast(x, DType::kFloat32);
  const double bias = c.float_attr("bias", 0), lambda = c.float_attr("lambd", 0.5);
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const ValueId below = c.b.binary(Op::LESS, f, number(-lambda)), above = c.b.binary(Op::GREATER, f, number(lambda));
  const ValueId y = c.b.select(below, c.b.add(f, number(bias)), c.b.select(above, c.b.sub(f, number(bias)), number(0)));
  c.out(c.b.cast(y, c.b.dtype(x)));
}

void map_reciprocal(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.div(c.b.scalar_like(1, x), x));
}

void map_pow(Call& c) {
  const ValueId x = c.need(0);
  ValueId exponent = c.need(1);
  const auto known = c.b.number_values(exponent);
  const bool is_float = c.b.dtype(x) == DType::kFloat32;
  if (known && known->size() == 1 && is_float) {
    const double e = (*known)[0];
    if (e == 1) return c.out(x);
    if (e == 2) return c.out(c.b.mul(x, x));
    if (e == 3) return c.out(c.b.mul(c.b.mul(x, x), x));
    if (e == 0.5) return c.out(c.b.unary(Op::SQRT, x));
    if (e == -0.5) return c.out(c.b.unary(Op::RSQRT, x));
    if (e == -1) return c.out(c.b.div(c.b.scalar_like(1, x), x));
  }
  if (!is_float && c.b.dtype(exponent) == DType::kFloat32) {
    const ValueId power = c.b.binary(Op::POW, c.b.cast(x, DType::kFloat32), exponent);
    return c.out(c.b.cast(power, c.b.dtype(x)));
  }
  exponent = c.b.cast(exponent, c.b.dtype(x));
  c.out(c.b.binary(Op::POW, x, exponent));
}

// The sign of ONNX's Mod is the divisor's, with fmod=1 the dividend's.
void map_mod(Call& c) {
  const ValueId a = c.need(0), b = c.need(1);
  const DType type = c.b.dtype(a);
  const ValueId x = widened(c, a), y = widened(c, b);
  if (c.int_attr("fmod", 0) == 0) return c.out(c.b.cast(c.b.binary(Op::FLOOR_MOD, x, y), type));
  const ValueId size = c.b.binary(Op::FLOOR_MOD, c.b.unary(Op::ABS, x), c.b.unary(Op::ABS, y));
  const ValueId negative = c.b.binary(Op::LESS, x, c.b.scalar_like(0, x));
  c.out(c.b.cast(c.b.select(negative, c.b.sub(c.b.scalar_like(0, size), size), size), type));
}

// ---- trigonometry ----

ValueId exp_half_sum(Call& c, ValueId x, bool minus) {
  const ValueId up = c.b.unary(Op::EXP, x), down = c.b.unary(Op::EXP, c.b.unary(Op::NEG, x));
  return c.b.mul(minus ? c.b.sub(up, down) : c.b.add(up, down), c.b.scalar_like(0.5, x));
}
void map_sinh(Call& c) { c.out(exp_half_sum(c, c.need(0), true)); }
void map_cosh(Call& c) { c.out(exp_half_sum(c, c.need(0), false)); }
void map_tan(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.div(c.b.unary(Op::SIN, x), c.b.unary(Op::COS, x)));
}
// sqrt(1 - x * x), without loss near 1.
ValueId cosine_of_sine(Call& c, ValueId x) {
  const ValueId one = c.b.scalar_like(1, x);
  return c.b.unary(Op::SQRT, c.b.mul(c.b.sub(one, x), c.b.add(one, x)));
}
void map_asin(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.binary(Op::ATAN2, x, cosine_of_sine(c, x)));
}
void map_acos(Call& c) {
  const ValueId x = c.need(0);
  c.out(c.b.binary(Op::ATAN2, cosine_of_sine(c, x), x));
}
void map_atan(Call& c) {
  const ValueId x = c.need(0);
  // ATAN2 wants operands of one shape: x * 0 + 1.
  c.out(c.b.binary(Op::ATAN2, x, c.b.add(c.b.mul(x, c.b.scalar_like(0, x)), c.b.scalar_like(1, x))));
}
void map_asinh(Call& c) {
  const ValueId x = c.need(0), size = c.b.unary(Op::ABS, x);
  const ValueId root = c.b.unary(Op::SQRT, c.b.add(c.b.mul(x, x), c.b.scalar_like(1, x)));
  c.out(c.b.mul(c.b.unary(Op::SIGN, x), c.b.unary(Op::LOG, c.b.add(size, root))));
}
void map_acosh(Call& c) {
  const ValueId x = c.need(0);
  const ValueId root = c.b.unary(Op::SQRT, c.b.sub(c.b.mul(x, x), c.b.scalar_like(1, x)));
  c.out(c.b.unary(Op::LOG, c.b.add(x, root)));
}
void map_atanh(Call& c) {
  const ValueId x = c.need(0), one = c.b.scalar_like(1, x);
  const ValueId ratio = c.b.div(c.b.add(one, x), c.b.sub(one, x));
  c.out(c.b.mul(c.b.unary(Op::LOG, ratio), c.b.scalar_like(0.5, x)));
}

void map_erf(Call& c) { c.out(c.b.erf(c.need(0))); }

constexpr OpEntry kOps[] = {
    {"Abs", map_unary<Op::ABS>},
    {"Acos", map_acos},
    {"Acosh", map_acosh},
    {"Add", map_binary<Op::ADD>},
    {"Asin", map_asin},
    {"Asinh", map_asinh},
    {"Atan", map_atan},
    {"Atanh", map_atanh},
    {"Cast", map_cast},
    {"CastLike", map_cast_like},
    {"Ceil", map_unary<Op::CEIL>},
    {"Celu", map_celu},
    {"Clip", map_clip},
    {"Cos", map_unary<Op::COS>},
    {"Cosh", map_cosh},
    {"Div", map_binary<Op::DIV>},
    {"Dropout", map_dropout},
    {"Elu", map_elu},
    {"Erf", map_erf},
    {"Exp", map_unary<Op::EXP>},
    {"Floor", map_unary<Op::FLOOR>},
    {"Gelu", map_gelu},
    {"HardSigmoid", map_hard_sigmoid},
    {"HardSwish", map_unary<Op::HARD_SWISH>},
    {"Identity", map_identity},
    {"LeakyRelu", map_leaky_relu},
    {"Log", map_unary<Op::LOG>},
    {"Max", map_variadic<Op::MAXIMUM>},
    {"Mean", map_mean},
    {"Min", map_variadic<Op::MINIMUM>},
    {"Mish", map_mish},
    {"Mod", map_mod},
    {"Mul", map_binary<Op::MUL>},
    {"Neg", map_unary<Op::NEG>},
    {"PRelu", map_prelu},
    {"Pow", map_pow},
    {"Reciprocal", map_reciprocal},
    {"Relu", map_relu},
    {"Round", map_unary<Op::ROUND>},
    {"Selu", map_selu},
    {"Shrink", map_shrink},
    {"Sigmoid", map_unary<Op::LOGISTIC>},
    {"Sign", map_float_unary<Op::SIGN>},
    {"Sin", map_unary<Op::SIN>},
    {"Sinh", map_sinh},
    {"Softplus", map_softplus},
    {"Softsign", map_softsign},
    {"Sqrt", map_unary<Op::SQRT>},
    {"Sub", map_binary<Op::SUB>},
    {"Sum", map_variadic<Op::ADD>},
    {"Swish", map_swish},
    {"Tan", map_tan},
    {"Tanh", map_unary<Op::TANH>},
    {"ThresholdedRelu", map_thresholded_relu},
};

}  // namespace

std::span<const OpEntry> elementwise_ops() { return kOps; }

}  // namespace fewbits::onnx
