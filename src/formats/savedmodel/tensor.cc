// TensorProto keeps values as raw bytes or as a typed list whose last element fills the rest.
#include "formats/savedmodel/tensor.h"

#include <cstring>

#include "base/checked.h"

namespace fewbits::savedmodel {
namespace {

// A typed list of fewer values than the tensor has stands for more only by repeating its last, so a small message can ask
// for much memory: constants past this size must bring their bytes.
constexpr size_t kMaxFilled = size_t{1} << 28;

// Smaller contents are copied: a view keeps the whole message.
constexpr size_t kMinKept = 4096;

template <class T, class List>
Result<ConstData> spread(const List& list, size_t count, const std::string& what) {
  const auto given = static_cast<size_t>(list.size());
  if (given > count)
    return fail(ErrorCode::kInvalidModel, "{}: {} values for a tensor of {} elements", what, given, count);
  if (given < count && count * sizeof(T) > kMaxFilled) {
    return fail(ErrorCode::kResource, "{}: one value repeated {} times is more than a constant may take", what, count);
  }
  std::vector<T> values(count);
  for (size_t i = 0; i < count && given > 0; ++i) {
    values[i] = static_cast<T>(list.Get(static_cast<int>(std::min(i, given - 1))));
  }
  return ConstData::own(std::move(values));
}

Result<ConstData> listed(const tf::TensorProto& proto, DType dtype, size_t count, const std::string& what) {
  switch (dtype) {
    case DType::kFloat32: return spread<float>(proto.float_val(), count, what);
    case DType::kFloat64: return spread<double>(proto.double_val(), count, what);
    case DType::kInt32: return spread<int32_t>(proto.int_val(), count, what);
    case DType::kInt16: return spread<int16_t>(proto.int_val(), count, what);
    case DType::kUInt16: return spread<uint16_t>(proto.int_val(), count, what);
    case DType::kInt8: return spread<int8_t>(proto.int_val(), count, what);
    case DType::kUInt8: return spread<uint8_t>(proto.int_val(), count, what);
    case DType::kInt64: return spread<int64_t>(proto.int64_val(), count, what);
    case DType::kBool: return spread<uint8_t>(proto.bool_val(), count, what);
    case DType::kUInt32: return spread<uint32_t>(proto.uint32_val(), count, what);
    case DType::kUInt64: return spread<uint64_t>(proto.uint64_val(), count, what);
    case DType::kFloat16:
    case DType::kBFloat16: return spread<uint16_t>(proto.half_val(), count, what);
    case DType::kComplex64:  // pairs of float: only whole lists, TensorFlow writes contents otherwise
      if (static_cast<size_t>(proto.scomplex_val_size()) == 2 * count)
        return spread<float>(proto.scomplex_val(), 2 * count, what);
      break;
    default: break;
  }
  return fail(ErrorCode::kUnsupported, "{}: cannot read the values of a {} constant", what, dtype_name(dtype));
}

}  // namespace

std::string type_text(tf::DataType type) {
  const std::string& name = tf::DataType_Name(type);
  return name.empty() ? fmt::format("type {}", static_cast<int>(type)) : name;
}

Result<DType> dtype_of(tf::DataType type, const std::string& what) {
  switch (type) {
    case tf::DT_FLOAT: return DType::kFloat32;
    case tf::DT_DOUBLE: return DType::kFloat64;
    case tf::DT_HALF: return DType::kFloat16;
    case tf::DT_BFLOAT16: return DType::kBFloat16;
    case tf::DT_INT32: return DType::kInt32;
    case tf::DT_UINT8: return DType::kUInt8;
    case tf::DT_INT16: return DType::kInt16;
    case tf::DT_INT8: return DType::kInt8;
    case tf::DT_STRING: return DType::kString;
    case tf::DT_COMPLEX64: return DType::kComplex64;
    case tf::DT_COMPLEX128: return DType::kComplex128;
    case tf::DT_INT64: return DType::kInt64;
    case tf::DT_BOOL: return DType::kBool;
    case tf::DT_UINT16: return DType::kUInt16;
    case tf::DT_UINT32: return DType::kUInt32;
    case tf::DT_UINT64: return DType::kUInt64;
    case tf::DT_RESOURCE: return DType::kResource;
    case tf::DT_VARIANT: return DType::kVariant;
    default: return fail(ErrorCode::kUnsupported, "{}: .tflite has no type like {}", what, type_text(type));
  }
}

Result<Shape> shape_of(const tf::TensorShapeProto& proto, const std::string& what) {
  if (proto.unknown_rank()) return fail(ErrorCode::kUnsupported, "{}: its rank is unknown; give its shape", what);
  Shape shape;
  for (const auto& dim : proto.dim()) {
    if (dim.size() < -1 || dim.size() > INT32_MAX)
      return fail(ErrorCode::kInvalidModel, "{}: a size of {} is not possible", what, dim.size());
    shape.push_back(static_cast<int32_t>(dim.size()));
  }
  return shape;
}

Result<ConstTensor> read_tensor(const tf::TensorProto& proto, const std::shared_ptr<const void>& owner,
                                const std::string& what) {
  ConstTensor out;
  FB_ASSIGN(out.dtype, dtype_of(proto.dtype(), what));
  FB_ASSIGN(out.shape, shape_of(proto.tensor_shape(), what));
  const auto count = checked_count(out.shape);
  if (!count)
    return fail(ErrorCode::kInvalidModel, "{}: a constant cannot have the shape {}", what, shape_text(out.shape));
  if (out.dtype == DType::kString) {
    if (static_cast<size_t>(proto.string_val_size()) > *count || (*count > 0 && proto.string_val_size() == 0) ||
        *count > kMaxFilled / sizeof(std::string))
      return fail(ErrorCode::kInvalidModel, "{}: {} texts for {} elements", what, proto.string_val_size(), *count);
    for (size_t i = 0; i < *count; ++i)
      out.strings.push_back(proto.string_val(std::min(static_cast<int>(i), proto.string_val_size() - 1)));
    return out;
  }
  const auto bytes = byte_size(out.dtype, *count);
  if (!bytes) return fail(ErrorCode::kUnsupported, "{}: a {} cannot be a constant", what, dtype_name(out.dtype));
  const std::string& content = proto.tensor_content();
  if (content.empty()) {
    FB_ASSIGN(out.data, listed(proto, out.dtype, *count, what));
    return out;
  }
  if (content.size() != *bytes) {
    return fail(ErrorCode::kInvalidModel, "{}: {} bytes of values where {} of {} take {}", what, content.size(),
                shape_text(out.shape), dtype_name(out.dtype), *bytes);
  }
  // A std::string's bytes on the heap are aligned as any allocation.
  const auto* data = reinterpret_cast<const uint8_t*>(content.data());
  if (content.size() >= kMinKept && reinterpret_cast<uintptr_t>(data) % 16 == 0) {
    out.data = ConstData({data, content.size()}, owner);
  } else {
    std::vector<uint8_t> copy(content.size());
    std::memcpy(copy.data(), data, content.size());
    out.data = ConstData::own(std::move(copy));
  }
  return out;
}

}  // namespace fewbits::savedmodel
