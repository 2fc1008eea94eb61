// Elementwise float arithmetic of the recurrent operators.
#include "ops/rnn/math.h"

#include <algorithm>
#include <cmath>

#include "schema/tflite.h"

namespace fewbits::ops::rnn {

using tflite::ActivationFunctionType;

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
      for (size_t i = 0; i < count; ++i) x[i] = std::tanh(x[i]);
      return;
    case ActivationFunctionType::SIGN_BIT:
      for (size_t i = 0; i < count; ++i) x[i] = std::signbit(x[i]) ? 1.0f : 0.0f;
      return;
    default:
      return;
  }
}

void apply_sigmoid(float* x, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) x[i] = 1.0f / (1.0f + std::exp(-x[i]));
}

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
