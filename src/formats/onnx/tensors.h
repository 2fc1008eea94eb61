// ONNX tensors as constants, with the types that TFLite computes in.
#pragma once

#include <string>

#include "base/status.h"
#include "formats/onnx/onnx.pb.h"
#include "ir/model.h"

namespace fewbits::onnx {

namespace proto = ::fewbits::onnx_proto;

// Numbers of TensorProto.DataType.
enum : int32_t {
  kFloat = 1,
  kUInt8 = 2,
  kInt8 = 3,
  kUInt16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUInt32 = 12,
  kUInt64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kUInt4 = 21,
  kInt4 = 22,
};

// The type of an input or output of this ONNX type; an error for those that TFLite does not have.
Result<DType> border_type(int32_t onnx_type);
// The type that values of this ONNX type have inside the graph: int64 is int32 there, every float is float32.
Result<DType> inner_type(int32_t onnx_type);
DType inner_type(DType border) noexcept;
const char* type_name(int32_t onnx_type) noexcept;

struct Constant {
  DType dtype = DType::kFloat32;
  Shape shape;
  ConstData data;
  bool clipped = false;  // an int64 beyond int32 that is no "as far as it goes" became the nearest
};

// Takes the tensor's bytes over (raw data is moved out of `tensor`, not copied, where the type allows). External data is read
// from `folder`, whose files the tensor may not leave. Errors name the tensor.
Result<Constant> read_tensor(proto::Tensor& tensor, const std::string& folder);

}  // namespace fewbits::onnx
