// Element types and shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fewbits {

// The numbers are those of the schema's TensorType.
enum class DType : int8_t {
  kFloat32 = 0, kFloat16 = 1, kInt32 = 2, kUInt8 = 3, kInt64 = 4, kString = 5, kBool = 6, kInt16 = 7, kComplex64 = 8,
  kInt8 = 9, kFloat64 = 10, kComplex128 = 11, kUInt64 = 12, kResource = 13, kVariant = 14, kUInt32 = 15, kUInt16 = 16,
  kInt4 = 17, kBFloat16 = 18, kInt2 = 19, kUInt4 = 20, kFloat8E4M3FN = 21, kFloat8E5M2 = 22,
};

// Bits of one stored element; 0 for strings, variants and resources, whose size the type does not tell.
size_t dtype_bits(DType type) noexcept;
// "float32", "int8": the names that numpy uses.
const char* dtype_name(DType type) noexcept;
std::optional<DType> dtype_from_name(std::string_view name) noexcept;
bool is_float(DType type) noexcept;  // float16, bfloat16, float32, float64

// Sizes, outermost first; -1 is a size that is not known yet. A scalar is empty.
using Shape = std::vector<int32_t>;

bool is_static(const Shape& shape) noexcept;
// Product of the sizes; call only on shapes that are static and were checked (see checked_count for shapes of a file).
size_t element_count(const Shape& shape) noexcept;
// Bytes that `count` elements take, int4 and int2 packed; nothing on overflow or for types without a size.
std::optional<size_t> byte_size(DType type, size_t count) noexcept;
std::optional<size_t> byte_size(DType type, const Shape& shape) noexcept;
std::string shape_text(const Shape& shape);  // "[1, 224, 224, 3]"

}  // namespace fewbits
