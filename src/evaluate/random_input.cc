// Numbers that any model takes.
#include <cmath>
#include <cstring>
#include <random>

#include "base/half.h"
#include "base/status.h"
#include "fewbits/evaluate.h"
#include "ir/types.h"

namespace fewbits {
namespace {

// std::mt19937_64 gives the same bits everywhere; the distributions of <random> do not promise to.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  float unit() {
    return static_cast<float>(static_cast<int64_t>(engine_() >> 40) - (int64_t{1} << 23)) * 0x1p-23f;
  }  // [-1, 1)
  uint64_t bits() { return engine_() >> 11; }

 private:
  std::mt19937_64 engine_;
};

template <class T, class Next>
void fill(std::vector<std::byte>& bytes, const Next& next) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    const T value = static_cast<T>(next());
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
}

bool fill_random(DType type, bool quantized, Random& random, std::vector<std::byte>& bytes) {
  const auto unit = [&] { return random.unit(); };
  const auto whole = [&] { return random.bits(); };
  const auto index = [&] { return random.bits() & 1; };
  switch (type) {
    case DType::kFloat32: fill<float>(bytes, unit); return true;
    case DType::kFloat64: fill<double>(bytes, unit); return true;
    case DType::kFloat16: fill<uint16_t>(bytes, [&] { return float_to_half(random.unit()); }); return true;
    case DType::kBFloat16: fill<uint16_t>(bytes, [&] { return float_to_bfloat16(random.unit()); }); return true;
    case DType::kUInt8: fill<uint8_t>(bytes, whole); return true;
    case DType::kInt8:
      if (quantized)
        fill<uint8_t>(bytes, whole);
      else
        fill<uint8_t>(bytes, index);
      return true;
    case DType::kInt16:
    case DType::kUInt16:
      if (quantized)
        fill<uint16_t>(bytes, whole);
      else
        fill<uint16_t>(bytes, index);
      return true;
    case DType::kBool: fill<uint8_t>(bytes, index); return true;
    case DType::kInt32:
    case DType::kUInt32: fill<uint32_t>(bytes, index); return true;
    case DType::kInt64:
    case DType::kUInt64: fill<uint64_t>(bytes, index); return true;
    default: return false;
  }
}

}  // namespace

Result<Array> random_input(const TensorSpec& spec, uint64_t seed, const Shape& shape) {
  Array array{spec.label(), spec.dtype, shape.empty() ? spec.shape : shape, {}};
  for (int32_t& size : array.shape) size = size < 0 ? 1 : size;
  const auto bytes = byte_size(spec.dtype, array.shape);
  if (!bytes) {
    return fail(ErrorCode::kUnsupported, "input '{}' is of type {} and shape {}: there are no random numbers for it",
                spec.label(), dtype_name(spec.dtype), shape_text(array.shape));
  }
  array.bytes.resize(*bytes);
  Random random(seed);
  if (!fill_random(spec.dtype, spec.scale > 0, random, array.bytes)) {
    return fail(ErrorCode::kUnsupported, "input '{}' is of type {}: there are no random numbers for it", spec.label(),
                dtype_name(spec.dtype));
  }
  return array;
}

}  // namespace fewbits
