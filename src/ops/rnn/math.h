// Elementwise float arithmetic of the recurrent operators.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tflite {
enum class ActivationFunctionType : int8_t;
}

namespace fewbits::ops::rnn {

float tanh_as_eigen(float value) noexcept;
// x = activation(x), in place.
void apply_activation(tflite::ActivationFunctionType activation, float* x, size_t count) noexcept;
void apply_sigmoid(float* x, size_t count) noexcept;
// x = (x - mean) / sqrt(variance + 1e-8), over the whole array.
void normalize(float* x, size_t count) noexcept;
// x = clamp(x, -clip, clip); nothing when clip is not positive.
void clip_to(float clip, float* x, size_t count) noexcept;

}  // namespace fewbits::ops::rnn
