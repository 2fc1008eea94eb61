// The extension module fewbits._native, and what its parts share.
#include "bindings.h"
#include "fewbits/version.h"

namespace fewbits::python {
namespace {

const char* class_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidModel: return "InvalidModelError";
    case ErrorCode::kInvalidArgument: return "InvalidArgumentError";
    case ErrorCode::kInvalidData: return "InvalidDataError";
    case ErrorCode::kNotFound: return "NotFoundError";
    case ErrorCode::kUnsupported: return "UnsupportedError";
    case ErrorCode::kIo: return "FileError";
    case ErrorCode::kResource: return "ResourceError";
    default: return "InternalError";
  }
}

// An exception of fewbits.errors, thrown.
[[noreturn]] void raise_as(const char* class_name, const std::string& message) {
  const nb::object type = nb::module_::import_("fewbits.errors").attr(class_name);
  PyErr_SetObject(type.ptr(), type(message).ptr());
  throw nb::python_error();
}

struct Kind {
  DType type;
  nb::dlpack::dtype_code code;
  uint8_t bits;
};
constexpr Kind kKinds[] = {
    {DType::kFloat32, nb::dlpack::dtype_code::Float, 32},
    {DType::kFloat16, nb::dlpack::dtype_code::Float, 16},
    {DType::kFloat64, nb::dlpack::dtype_code::Float, 64},
    {DType::kInt8, nb::dlpack::dtype_code::Int, 8},
    {DType::kInt16, nb::dlpack::dtype_code::Int, 16},
    {DType::kInt32, nb::dlpack::dtype_code::Int, 32},
    {DType::kInt64, nb::dlpack::dtype_code::Int, 64},
    {DType::kUInt8, nb::dlpack::dtype_code::UInt, 8},
    {DType::kUInt16, nb::dlpack::dtype_code::UInt, 16},
    {DType::kUInt32, nb::dlpack::dtype_code::UInt, 32},
    {DType::kUInt64, nb::dlpack::dtype_code::UInt, 64},
    {DType::kBool, nb::dlpack::dtype_code::Bool, 8},
    {DType::kComplex64, nb::dlpack::dtype_code::Complex, 64},
    {DType::kComplex128, nb::dlpack::dtype_code::Complex, 128},
};

nb::dlpack::dtype dlpack_dtype(DType type) {
  for (const Kind& kind : kKinds) {
    if (kind.type == type) return {static_cast<uint8_t>(kind.code), kind.bits, 1};
  }
  raise_as("UnsupportedError", std::string("numpy has no ") + dtype_name(type));
}

std::vector<size_t> sizes_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

}  // namespace

void raise(const Error& error) { raise_as(class_of(error.code), error.message); }

nb::object numpy_dtype(DType type) {
  dlpack_dtype(type);
  const std::string name = type == DType::kBool ? "bool_" : dtype_name(type);
  return nb::module_::import_("numpy").attr(name.c_str());
}

DType dtype_of(const ArrayIn& array) {
  const nb::dlpack::dtype type = array.dtype();
  for (const Kind& kind : kKinds) {
    if (static_cast<uint8_t>(kind.code) == type.code && kind.bits == type.bits) return kind.type;
  }
  raise_as("InvalidDataError", "no tensor can hold this array's type");
}

Shape shape_of(const ArrayIn& array) {
  Shape shape;
  for (size_t i = 0; i < array.ndim(); ++i) {
    if (array.shape(i) > INT32_MAX) raise_as("InvalidDataError", "a dimension of the array is above 2147483647");
    shape.push_back(static_cast<int32_t>(array.shape(i)));
  }
  return shape;
}

Array copy_in(const ArrayIn& array, std::string name) {
  const auto* bytes = static_cast<const std::byte*>(array.data());
  Array out{std::move(name), dtype_of(array), shape_of(array), {}};
  if (array.nbytes() > 0) out.bytes.assign(bytes, bytes + array.nbytes());
  return out;
}

ArrayOut copy_out(DType type, const Shape& shape, std::span<const std::byte> bytes) {
  const nb::dlpack::dtype dtype = dlpack_dtype(type);
  auto copy = std::make_unique<std::vector<std::byte>>(bytes.begin(), bytes.end());
  copy->reserve(1);  // so that an empty array has an address
  void* data = copy->data();
  nb::capsule owner(copy.release(), [](void* p) noexcept { delete static_cast<std::vector<std::byte>*>(p); });
  const std::vector<size_t> sizes = sizes_of(shape);
  return ArrayOut(data, sizes.size(), sizes.data(), owner, nullptr, dtype);
}

ArrayOut view_out(DType type, const Shape& shape, const void* data, nb::handle owner) {
  const std::vector<size_t> sizes = sizes_of(shape);
  return ArrayOut(const_cast<void*>(data), sizes.size(), sizes.data(), owner, nullptr, dlpack_dtype(type));
}

Gate::Pass::Pass(Gate& gate, const char* what) : gate_(gate) {
  if (gate.taken_.exchange(true)) {
    raise_as("InUseError",
             std::string("another thread is using this ") + what +
                 " at this moment: give each thread one of its own (they share the weights of one Model), or "
                 "guard it with a lock");
  }
}

}  // namespace fewbits::python

NB_MODULE(_native, module) {
  using namespace fewbits::python;
  module.doc() = "The native side of fewbits. Use the package, not this module.";
  module.def("version", &fewbits::version, "The version of the library.");
  bind_model(module);
  bind_data(module);
  bind_quantize(module);
  bind_evaluate(module);
  bind_runtime(module);
  bind_interpreter(module);
  bind_report(module);
  bind_convert(module);
}
