// Formulas that stay exact where a plain one would overflow or round more than once.
#include "formats/formulas.h"

#include <cmath>

namespace fewbits::formats {
namespace {

// The numbers of a float32 vector that is a constant of `count` elements, or `otherwise` for kNoValue.
std::optional<std::vector<double>> vector_of(const GraphBuilder& b, ValueId id, size_t count, double otherwise) {
  if (id == kNoValue) return std::vector<double>(count, otherwise);
  auto values = b.dtype(id) == DType::kFloat32 ? b.number_values(id) : std::nullopt;
  return values && values->size() == count ? values : std::nullopt;
}

}  // namespace

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

ScaleAndShift batch_norm(GraphBuilder& b, ValueId scale, ValueId offset, ValueId mean, ValueId variance,
                         double epsilon) {
  const auto channels = b.rank(mean) == 1 ? static_cast<size_t>(std::max(b.dim(mean, 0), 0)) : 0;
  const auto means = vector_of(b, mean, channels, 0), variances = vector_of(b, variance, channels, 1);
  const auto scales = vector_of(b, scale, channels, 1), offsets = vector_of(b, offset, channels, 0);
  if (channels > 0 && means && variances && scales && offsets) {
    std::vector<float> factor(channels), addend(channels);
    for (size_t i = 0; i < channels; ++i) {
      const double exact = (*scales)[i] / std::sqrt((*variances)[i] + epsilon);
      factor[i] = static_cast<float>(exact);
      addend[i] = static_cast<float>((*offsets)[i] - (*means)[i] * exact);
    }
    return {b.floats(std::move(factor)), b.floats(std::move(addend))};
  }
  ValueId factor = b.unary(Op::RSQRT, b.add(variance, b.scalar_like(epsilon, variance)));
  if (scale != kNoValue) factor = b.mul(factor, scale);
  const ValueId shifted = b.mul(mean, factor);
  return {factor, offset == kNoValue ? b.unary(Op::NEG, shifted) : b.sub(offset, shifted)};
}

}  // namespace fewbits::formats
