// ONNX tensors as constants.
#include "formats/onnx/tensors.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/checked.h"
#include "base/file.h"
#include "base/half.h"

namespace fewbits::onnx {
namespace {

size_t element_bits(int32_t type) noexcept {
  switch (type) {
    case kUInt4:
    case kInt4: return 4;
    case kUInt8:
    case kInt8:
    case kBool: return 8;
    case kUInt16:
    case kInt16:
    case kFloat16:
    case kBFloat16: return 16;
    case kFloat:
    case kInt32:
    case kUInt32: return 32;
    case kInt64:
    case kUInt64:
    case kDouble: return 64;
    default: return 0;
  }
}

// "As far as it goes" in slices: not worth a word.
bool is_sentinel(int64_t v) { return v > (int64_t{1} << 62) || v < -(int64_t{1} << 62); }

template <class From, class To>
std::vector<To> convert(std::span<const uint8_t> bytes, size_t count, bool* clipped = nullptr) {
  std::vector<To> out(count);
  for (size_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    if constexpr (std::is_integral_v<From> && sizeof(From) > sizeof(To)) {
      constexpr auto kLow = std::numeric_limits<To>::min(), kHigh = std::numeric_limits<To>::max();
      const bool below = std::is_signed_v<From> && static_cast<int64_t>(value) < int64_t{kLow};
      const bool above = value > static_cast<From>(kHigh);
      if (clipped != nullptr && (below || above)) *clipped = *clipped || !is_sentinel(static_cast<int64_t>(value));
      out[i] = below ? kLow : above ? kHigh : static_cast<To>(value);
    } else {
      out[i] = static_cast<To>(value);
    }
  }
  return out;
}

// The tensor's elements as little-endian bytes of its own type, and who keeps them.
struct Bytes {
  std::span<const uint8_t> bytes;
  std::shared_ptr<const void> owner;
};

template <class T>
Bytes own(std::vector<T> values) {
  auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return {{reinterpret_cast<const uint8_t*>(owner->data()), owner->size() * sizeof(T)}, owner};
}

template <class T, class Field>
Bytes from_field(const Field& field) {
  return own(std::vector<T>(field.begin(), field.end()));
}

// Elements in the typed fields; small types stand in int32_data.
Bytes typed_bytes(const proto::Tensor& tensor) {
  switch (tensor.data_type()) {
    case kFloat: return from_field<float>(tensor.float_data());
    case kDouble: return from_field<double>(tensor.double_data());
    case kInt64: return from_field<int64_t>(tensor.int64_data());
    case kUInt64:
    case kUInt32:
      if (tensor.data_type() == kUInt32) return from_field<uint32_t>(tensor.uint64_data());
      return from_field<uint64_t>(tensor.uint64_data());
    case kInt32: return from_field<int32_t>(tensor.int32_data());
    case kInt16:
    case kUInt16:
    case kFloat16:
    case kBFloat16: return from_field<uint16_t>(tensor.int32_data());
    default: return from_field<uint8_t>(tensor.int32_data());
  }
}

Result<uint64_t> number(const std::string& text, const std::string& what) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorCode::kInvalidModel, "its external {} is '{}', not a number", what, text);
  }
  return value;
}

Result<Bytes> external_bytes(const proto::Tensor& tensor, const std::string& folder, size_t size) {
  std::string location;
  uint64_t offset = 0;
  for (const proto::StringPair& pair : tensor.external_data()) {
    if (pair.key() == "location") location = pair.value();
    if (pair.key() == "offset") {
      FB_ASSIGN(offset, number(pair.value(), "offset"));
    }
  }
  const std::filesystem::path relative(location);
  bool leaves = location.empty() || relative.is_absolute() || folder.empty();
  for (const auto& part : relative) leaves = leaves || part == "..";
  if (leaves) {
    return fail(ErrorCode::kInvalidModel, "its external data is at '{}', which is not a file in the model's folder",
                location);
  }
  FB_ASSIGN(const auto file, MappedFile::open((std::filesystem::path(folder) / relative).string()));
  if (offset > file->bytes().size() || size > file->bytes().size() - offset) {
    return fail(ErrorCode::kInvalidModel, "'{}' has {} bytes, too few for {} at {}", file->path(), file->bytes().size(),
                size, offset);
  }
  return Bytes{file->bytes().subspan(offset, size), file};
}

Result<Constant> to_constant(int32_t type, Shape shape, size_t count, Bytes source) {
  Constant out;
  out.shape = std::move(shape);
  const auto& bytes = source.bytes;
  FB_ASSIGN(out.dtype, inner_type(type));
  switch (type) {
    case kInt64: out.data = ConstData::own(convert<int64_t, int32_t>(bytes, count, &out.clipped)); return out;
    case kUInt64: out.data = ConstData::own(convert<uint64_t, int32_t>(bytes, count, &out.clipped)); return out;
    case kUInt32: out.data = ConstData::own(convert<uint32_t, int32_t>(bytes, count, &out.clipped)); return out;
    case kDouble: out.data = ConstData::own(convert<double, float>(bytes, count)); return out;
    case kUInt16: out.data = ConstData::own(convert<uint16_t, int32_t>(bytes, count)); return out;
    case kFloat16:
    case kBFloat16: {
      std::vector<float> wide(count);
      for (size_t i = 0; i < count; ++i) {
        uint16_t half;
        std::memcpy(&half, bytes.data() + i * 2, 2);
        const uint32_t shifted = uint32_t{half} << 16;
        if (type == kFloat16) {
          wide[i] = half_to_float(half);
        } else {
          std::memcpy(&wide[i], &shifted, 4);
        }
      }
      out.data = ConstData::own(std::move(wide));
      return out;
    }
    case kUInt4:
    case kInt4: {
      std::vector<int8_t> wide(count);
      for (size_t i = 0; i < count; ++i) {
        const int nibble = (bytes[i / 2] >> (i % 2 * 4)) & 15;
        wide[i] = static_cast<int8_t>(type == kInt4 && nibble > 7 ? nibble - 16 : nibble);
      }
      out.data = ConstData::own(std::move(wide));
      return out;
    }
    default: break;
  }
  if (reinterpret_cast<uintptr_t>(bytes.data()) % (element_bits(type) / 8) != 0) {
    // A string's own buffer is aligned; a file's offset need not be.
    out.data = ConstData::own(std::vector<uint8_t>(bytes.begin(), bytes.end()));
  } else {
    out.data = ConstData(bytes, source.owner);
  }
  return out;
}

Result<Constant> read(proto::Tensor& tensor, const std::string& folder) {
  Shape shape;
  for (int64_t dim : tensor.dims()) {
    if (dim < 0 || dim > INT32_MAX) return fail(ErrorCode::kInvalidModel, "a size is {}", dim);
    shape.push_back(static_cast<int32_t>(dim));
  }
  const int32_t type = tensor.data_type();
  const auto count = checked_count(shape);
  const size_t bits = element_bits(type);
  if (bits == 0) return fail(ErrorCode::kUnsupported, "constants of type {} have no place in TFLite", type_name(type));
  const auto total = count ? checked_mul(*count, bits) : std::nullopt;
  if (!total) return fail(ErrorCode::kInvalidModel, "has the impossible shape {}", shape_text(shape));
  const size_t size = (*total + 7) / 8;
  Bytes source;
  if (tensor.data_location() == 1) {
    FB_ASSIGN(source, external_bytes(tensor, folder, size));
  } else if (tensor.has_raw_data()) {
    const std::shared_ptr<const std::string> raw(tensor.release_raw_data());
    source = {{reinterpret_cast<const uint8_t*>(raw->data()), raw->size()}, raw};
  } else {
    source = typed_bytes(tensor);
  }
  if (source.bytes.size() < size) {
    return fail(ErrorCode::kInvalidModel, "holds {} bytes where {} of {} need {}", source.bytes.size(),
                shape_text(shape), type_name(type), size);
  }
  source.bytes = source.bytes.first(size);
  return to_constant(type, std::move(shape), *count, std::move(source));
}

}  // namespace

const char* type_name(int32_t onnx_type) noexcept {
  static constexpr const char* kNames[] = {"undefined", "float",  "uint8",     "int8",       "uint16",  "int16",
                                           "int32",     "int64",  "string",    "bool",       "float16", "double",
                                           "uint32",    "uint64", "complex64", "complex128", "bfloat16"};
  if (onnx_type >= 0 && onnx_type < static_cast<int32_t>(std::size(kNames))) return kNames[onnx_type];
  return onnx_type == kUInt4 ? "uint4" : onnx_type == kInt4 ? "int4" : "of a kind that fewbits does not read";
}

Result<DType> border_type(int32_t onnx_type) {
  switch (onnx_type) {
    case kFloat: return DType::kFloat32;
    case kUInt8: return DType::kUInt8;
    case kInt8: return DType::kInt8;
    case kUInt16: return DType::kUInt16;
    case kInt16: return DType::kInt16;
    case kInt32: return DType::kInt32;
    case kInt64: return DType::kInt64;
    case kBool: return DType::kBool;
    case kFloat16: return DType::kFloat16;
    case kDouble: return DType::kFloat64;
    case kUInt32: return DType::kUInt32;
    default: return fail(ErrorCode::kUnsupported, "values of type {} have no place in TFLite", type_name(onnx_type));
  }
}

DType inner_type(DType border) noexcept {
  switch (border) {
    case DType::kInt64:
    case DType::kUInt64:
    case DType::kUInt32:
    case DType::kUInt16: return DType::kInt32;
    case DType::kFloat64:
    case DType::kFloat16:
    case DType::kBFloat16: return DType::kFloat32;
    default: return border;
  }
}

Result<DType> inner_type(int32_t onnx_type) {
  switch (onnx_type) {
    case kUInt64: return DType::kInt32;
    case kBFloat16: return DType::kFloat32;
    case kUInt4:
    case kInt4: return DType::kInt8;
    default: {
      FB_ASSIGN(const DType type, border_type(onnx_type));
      return inner_type(type);
    }
  }
}

Result<Constant> read_tensor(proto::Tensor& tensor, const std::string& folder) {
  auto constant = read(tensor, folder);
  if (!constant) return with_context(constant.error(), fmt::format("tensor '{}'", tensor.name()));
  return constant;
}

}  // namespace fewbits::onnx
