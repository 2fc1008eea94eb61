// Element types, shapes, and arrays of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewbits {

// The numbers are those of the .tflite schema's TensorType.
enum class DType : int8_t {
  // clang-format off: a table
  kFloat32 = 0, kFloat16 = 1, kInt32 = 2, kUInt8 = 3, kInt64 = 4, kString = 5, kBool = 6, kInt16 = 7, kComplex64 = 8,
  kInt8 = 9, kFloat64 = 10, kComplex128 = 11, kUInt64 = 12, kResource = 13, kVariant = 14, kUInt32 = 15, kUInt16 = 16,
  kInt4 = 17, kBFloat16 = 18, kInt2 = 19, kUInt4 = 20, kFloat8E4M3FN = 21, kFloat8E5M2 = 22,
  // clang-format on
};

// Bits of one stored element; 0 for strings, variants and resources, whose size the type does not tell.
size_t dtype_bits(DType type) noexcept;
// "float32", "int8": the names that numpy uses.
const char* dtype_name(DType type) noexcept;
std::optional<DType> dtype_from_name(std::string_view name) noexcept;

// Sizes, outermost first; -1 is a size that is not known yet. A scalar is empty.
using Shape = std::vector<int32_t>;

// Product of the sizes; 0 when one is negative or the product overflows.
size_t element_count(const Shape& shape) noexcept;
// Bytes that a tensor of this shape takes, int4 and int2 packed; nothing for sizes that are not known, on overflow, or for types
// without a size.
std::optional<size_t> byte_size(DType type, const Shape& shape) noexcept;
std::string shape_text(const Shape& shape);  // "[1, 224, 224, 3]"

// A tensor's worth of numbers, owned: C order, this machine's byte order. bytes.size() == byte_size(dtype, shape).
struct Array {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::vector<std::byte> bytes;

  size_t count() const noexcept { return element_count(shape); }
  // The elements as T, whose size must be that of dtype. The span lives as long as the array is not changed.
  template <class T>
  std::span<const T> as() const noexcept {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

// Makes an array of values; for callers that have numbers at hand.
template <class T>
Array make_array(std::string name, DType dtype, Shape shape, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {std::move(name), dtype, std::move(shape), {bytes.begin(), bytes.end()}};
}

}  // namespace fewbits
