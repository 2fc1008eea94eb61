// The elements of any tensor as real numbers.
#include "evaluate/real_values.h"

#include <algorithm>

#include "base/half.h"
#include "ir/types.h"

namespace fewbits::evaluate {
namespace {

template <class T>
void widen(const void* data, size_t begin, std::span<double> out) noexcept {
  const T* values = static_cast<const T*>(data) + begin;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(values[i]);
}

template <float (*kConvert)(uint16_t) noexcept>
void widen_half(const void* data, size_t begin, std::span<double> out) noexcept {
  const auto* values = static_cast<const uint16_t*>(data) + begin;
  for (size_t i = 0; i < out.size(); ++i) out[i] = kConvert(values[i]);
}

// Several signed numbers a byte, the first in the low bits.
template <int kBits>
void widen_packed(const void* data, size_t begin, std::span<double> out) noexcept {
  constexpr size_t kEach = 8 / kBits;
  const auto* bytes = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t at = begin + i;
    const auto raised = static_cast<int8_t>(bytes[at / kEach] << (8 - kBits * (at % kEach + 1)));
    out[i] = raised >> (8 - kBits);
  }
}

using Widen = void (*)(const void*, size_t, std::span<double>) noexcept;

Widen widen_for(DType type) noexcept {
  switch (type) {
    case DType::kFloat32: return widen<float>;
    case DType::kFloat64: return widen<double>;
    case DType::kFloat16: return widen_half<static_cast<float (*)(uint16_t) noexcept>(half_to_float)>;
    case DType::kBFloat16: return widen_half<bfloat16_to_float>;
    case DType::kInt8: return widen<int8_t>;
    case DType::kInt16: return widen<int16_t>;
    case DType::kInt32: return widen<int32_t>;
    case DType::kInt64: return widen<int64_t>;
    case DType::kUInt8:
    case DType::kBool: return widen<uint8_t>;
    case DType::kUInt16: return widen<uint16_t>;
    case DType::kUInt32: return widen<uint32_t>;
    case DType::kUInt64: return widen<uint64_t>;
    case DType::kInt4: return widen_packed<4>;
    case DType::kInt2: return widen_packed<2>;
    default: return nullptr;
  }
}

void dequantize(const QuantParams& quant, const Shape& shape, size_t begin, std::span<double> out) noexcept {
  size_t inner = 1, channels = 1;
  if (quant.per_axis() && quant.axis >= 0 && static_cast<size_t>(quant.axis) < shape.size()) {
    const auto axis = static_cast<size_t>(quant.axis);
    for (size_t d = axis + 1; d < shape.size(); ++d) inner *= static_cast<size_t>(std::max(shape[d], 1));
    channels = std::min(quant.scale.size(), static_cast<size_t>(std::max(shape[axis], 1)));
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t channel = (begin + i) / inner % channels;
    out[i] = static_cast<double>(quant.scale[channel]) * (out[i] - static_cast<double>(quant.zero(channel)));
  }
}

}  // namespace

bool is_real(DType type) noexcept { return widen_for(type) != nullptr; }

void read_real(const TensorView& tensor, const QuantParams* quant, size_t begin, std::span<double> out) noexcept {
  widen_for(tensor.dtype)(tensor.data, begin, out);
  if (quant != nullptr && quant->quantized() && !is_float(tensor.dtype)) dequantize(*quant, tensor.shape, begin, out);
}

size_t real_count(const TensorView& tensor) noexcept {
  const size_t bits = dtype_bits(tensor.dtype);
  if (bits == 0) return 0;
  return std::min(element_count(tensor.shape), tensor.bytes * 8 / bits);
}

}  // namespace fewbits::evaluate
