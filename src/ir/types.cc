// Element types and shapes.
#include "ir/types.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/checked.h"

namespace fewbits {
namespace {

struct TypeInfo {
  const char* name;
  size_t bits;
};

constexpr TypeInfo kTypes[] = {
    {"float32", 32},  {"float16", 16}, {"int32", 32},     {"uint8", 8},         {"int64", 64},      {"string", 0},
    {"bool", 8},      {"int16", 16},   {"complex64", 64}, {"int8", 8},          {"float64", 64},    {"complex128", 128},
    {"uint64", 64},   {"resource", 0}, {"variant", 0},    {"uint32", 32},       {"uint16", 16},     {"int4", 4},
    {"bfloat16", 16}, {"int2", 2},     {"uint4", 4},      {"float8_e4m3fn", 8}, {"float8_e5m2", 8},
};
constexpr int kTypeCount = sizeof(kTypes) / sizeof(kTypes[0]);

}  // namespace

size_t dtype_bits(DType type) noexcept {
  const int index = static_cast<int>(type);
  return index >= 0 && index < kTypeCount ? kTypes[index].bits : 0;
}

const char* dtype_name(DType type) noexcept {
  const int index = static_cast<int>(type);
  return index >= 0 && index < kTypeCount ? kTypes[index].name : "unknown";
}

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  for (int index = 0; index < kTypeCount; ++index) {
    if (name == kTypes[index].name) return static_cast<DType>(index);
  }
  return std::nullopt;
}

bool is_float(DType type) noexcept {
  return type == DType::kFloat32 || type == DType::kFloat16 || type == DType::kBFloat16 || type == DType::kFloat64;
}

bool is_static(const Shape& shape) noexcept {
  for (int32_t dim : shape) {
    if (dim < 0) return false;
  }
  return true;
}

size_t element_count(const Shape& shape) noexcept { return checked_count(shape).value_or(0); }

std::optional<size_t> byte_size(DType type, size_t count) noexcept {
  const size_t bits = dtype_bits(type);
  if (bits == 0) return std::nullopt;
  const auto total = checked_mul(bits, count);
  if (!total) return std::nullopt;
  return *total / 8 + (*total % 8 != 0);
}

std::optional<size_t> byte_size(DType type, const Shape& shape) noexcept {
  const auto count = checked_count(shape);
  return count ? byte_size(type, *count) : std::nullopt;
}

std::string shape_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace fewbits
