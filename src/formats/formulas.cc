// Formulas that stay exact where a plain one would overflow.
#include "formats/formulas.h"

namespace fewbits::formats {

// max(x, 0) + log(1 + exp(-|x|))
ValueId softplus(GraphBuilder& b, ValueId x) {
  const ValueId small = b.unary(Op::EXP, b.unary(Op::NEG, b.unary(Op::ABS, x)));
  return b.add(b.unary(Op::RELU, x), b.unary(Op::LOG, b.add(small, b.scalar_like(1, x))));
}

ValueId softsign(GraphBuilder& b, ValueId x) { return b.div(x, b.add(b.unary(Op::ABS, x), b.scalar_like(1, x))); }

// scale * (max(x, 0) + alpha * elu(min(x, 0)))
ValueId selu(GraphBuilder& b, ValueId x) {
  constexpr double kScale = 1.0507009873554804934193349852946, kAlpha = 1.6732632423543772848170429916717;
  const ValueId above = b.mul(b.unary(Op::RELU, x), b.scalar_like(kScale, x));
  const ValueId below = b.unary(Op::ELU, b.binary(Op::MINIMUM, x, b.scalar_like(0, x)));
  return b.add(above, b.mul(below, b.scalar_like(kScale * kAlpha, x)));
}

ValueId silu(GraphBuilder& b, ValueId x) { return b.mul(x, b.unary(Op::LOGISTIC, x)); }

}  // namespace fewbits::formats
