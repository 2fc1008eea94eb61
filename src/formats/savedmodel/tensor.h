// TensorFlow's types and constant tensors as the library knows them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/savedmodel/tensorflow.pb.h"
#include "ir/model.h"

namespace fewbits::savedmodel {

// "DT_FLOAT", or "type 99".
std::string type_text(tf::DataType type);
// kUnsupported for types that .tflite has no word for; `what` names the owner of the type in the message.
Result<DType> dtype_of(tf::DataType type, const std::string& what);
// Sizes, -1 where unknown; kUnsupported for an unknown rank, kInvalidModel for sizes past int32.
Result<Shape> shape_of(const tf::TensorShapeProto& proto, const std::string& what);

// A tensor whose values are known. Strings are kept beside the bytes.
struct ConstTensor {
  DType dtype = DType::kFloat32;
  Shape shape;
  ConstData data;
  std::vector<std::string> strings;
};

// The tensor in a Const node; `owner` keeps the message alive: large contents stay views of it.
Result<ConstTensor> read_tensor(const tf::TensorProto& proto, const std::shared_ptr<const void>& owner,
                                const std::string& what);

}  // namespace fewbits::savedmodel
