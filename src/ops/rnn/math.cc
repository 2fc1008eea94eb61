// Elementwise float arithmetic of the recurrent operators.
#include "ops/rnn/math.h"

#include <algorithm>
#include <cmath>

#include "kernels/float_rows.h"
#include "schema/tflite.h"

namespace fewbits::ops::rnn {

using tflite::ActivationFunctionType;

// tanh within 5 units in the last place, as a quotient of polynomials whose coefficients are those of Eigen's. LiteRT's
// recurrent kernels call Eigen, and a hybrid operator quantizes what it wrote: saturated states put the zero point on a
// tie, which the last bit decides. So here the last bit is theirs (of their builds without fused multiply-add).
float tanh_as_eigen(float value) noexcept {
  constexpr float kLimit = 7.90738964080810547f;  // beyond it the quotient rounds to 1
  const float x = std::clamp(value, -kLimit, kLimit);
  const float x2 = x * x;
  float p = 1.394553628e-8f;
  p = p * x2 + 2.102733560e-5f;
  p = p * x2 + 3.520756727e-3f;
  p = p * x2 + 1.340216100e-1f;
  float q = 8.015776984e-7f;
  q = q * x2 + 3.326951409e-4f;
  q = q * x2 + 2.597254514e-2f;
  q = q * x2 + 4.673548340e-1f;
  q = q * x2 + 1.0f;
  return (x2 * x * p + x) / q;
}

void apply_activation(ActivationFunctionType activation, float* x, size_t count) noexcept {
  switch (activation) {
    case ActivationFunctionType::RELU:
      for (size_t i = 0; i < count; ++i) x[i] = std::max(x[i], 0.0f);
      return;
    case ActivationFunctionType::RELU_N1_TO_1:
      for (size_t i = 0; i < count; ++i) x[i] = std::clamp(x[i], -1.0f, 1.0f);
      return;
    case ActivationFunctionType::RELU6:
      for (size_t i = 0; i < count; ++i) x[i] = std::clamp(x[i], 0.0f, 6.0f);
      return;
    case ActivationFunctionType::TANH:
      for (size_t i = 0; i < count; ++i) x[i] = tanh_as_eigen(x[i]);
      return;
    case ActivationFunctionType::SIGN_BIT:
      for (size_t i = 0; i < count; ++i) x[i] = std::signbit(x[i]) ? 1.0f : 0.0f;
      return;
    default: return;
  }
}

void apply_sigmoid(float* x, size_t count) noexcept { select_float_rows(isa()).logistic(x, x, count); }

void normalize(float* x, size_t count) noexcept {
  float sum = 0.0f;
  for (size_t i = 0; i < count; ++i) sum += x[i];
  const float mean = sum / static_cast<float>(count);
  float squares = 0.0f;
  for (size_t i = 0; i < count; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(count) + 1e-8f);
  for (size_t i = 0; i < count; ++i) x[i] = (x[i] - mean) * inverse;
}

void clip_to(float clip, float* x, size_t count) noexcept {
  if (!(clip > 0)) return;
  for (size_t i = 0; i < count; ++i) x[i] = std::clamp(x[i], -clip, clip);
}

}  // namespace fewbits::ops::rnn
