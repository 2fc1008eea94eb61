// Functions that TFLite has no operator for.
#include "formats/onnx/math.h"

namespace fewbits::onnx {

bool is_small_int(DType type) noexcept {
  return type == DType::kInt8 || type == DType::kUInt8 || type == DType::kInt16;
}

ValueId cast_like_onnx(Call& c, ValueId x, DType to) {
  if (to == DType::kBool && c.b.dtype(x) != DType::kBool) {
    return c.b.binary(Op::NOT_EQUAL, x, c.b.scalar_like(0, x));
  }
  return c.b.cast(x, to);
}

ValueId softplus(Call& c, ValueId x) {
  // max(x, 0) + log(1 + exp(-|x|))
  const ValueId tail = c.b.unary(Op::EXP, c.b.unary(Op::NEG, c.b.unary(Op::ABS, x)));
  return c.b.add(c.b.unary(Op::RELU, x), c.b.unary(Op::LOG, c.b.add(tail, c.b.scalar_like(1, x))));
}

ValueId scaled_elu(Call& c, ValueId x, double gamma, double alpha, double divisor) {
  const auto number = [&](double v) { return c.b.scalar_like(v, x); };
  const ValueId scaled = divisor == 1 ? x : c.b.mul(x, number(1 / divisor));
  // ELU(min(x, 0)) keeps exp() from overflowing where x is large.
  const ValueId curve = c.b.mul(c.b.unary(Op::ELU, c.b.binary(Op::MINIMUM, scaled, number(0))), number(alpha * gamma));
  const ValueId line = gamma == 1 ? c.b.unary(Op::RELU, x) : c.b.mul(c.b.unary(Op::RELU, x), number(gamma));
  return c.b.add(line, curve);
}

ValueId normalize(Call& c, ValueId x, const std::vector<int32_t>& axes, double epsilon) {
  const ValueId centred = c.b.sub(x, c.b.reduce(Op::MEAN, x, axes, true));
  const ValueId variance = c.b.reduce(Op::MEAN, c.b.mul(centred, centred), axes, true);
  return c.b.mul(centred, c.b.unary(Op::RSQRT, c.b.add(variance, c.b.scalar_like(epsilon, x))));
}

}  // namespace fewbits::onnx
