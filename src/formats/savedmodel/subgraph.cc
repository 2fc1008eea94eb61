// Functions as subgraphs: their inputs are the caller's values, their constants and variables are known inside.
#include "formats/savedmodel/subgraph.h"

namespace fewbits::savedmodel {

Result<const Body*> function_of(const OpCall& op, const char* attr) {
  const tf::NameAttrList* function = op.attrs.function(attr);
  const Body* body = nullptr;
  if (function != nullptr) {
    FB_ASSIGN(body, op.lowering.conversion().functions.find(function->name()));
  }
  if (body == nullptr) {
    return fail(ErrorCode::kInvalidModel, "'{}' names the function '{}', which is not there", attr,
                function == nullptr ? "" : function->name());
  }
  return body;
}

Subgraph new_subgraph(const OpCall& op, const std::string& name) {
  Model& model = op.lowering.conversion().model;
  Subgraph out;
  out.index = static_cast<int32_t>(model.graphs.size());
  model.graphs.emplace_back();
  model.graphs.back().name = name;
  out.lowering = std::make_unique<Lowering>(op.lowering.conversion(), out.index);
  return out;
}

Tensor argument_in(const OpCall& op, Subgraph& sub, const Tensor& tensor, size_t i, bool constant_inside,
                   const Shape* open_shape) {
  if (tensor.value == kNoValue) return tensor;
  GraphBuilder& outer = op.b();
  GraphBuilder& inner = sub.lowering->builder();
  Tensor out = tensor;
  if (constant_inside && outer.is_const(tensor.value)) {
    const Value value = outer.value(tensor.value);
    out.value = inner.constant(value.data, value.dtype, value.shape, value.name);
  } else if (open_shape != nullptr) {
    out.value = inner.input(fmt::format("arg{}", i), outer.dtype(tensor.value), *open_shape);
  } else {
    out.value = inner.input_like(fmt::format("arg{}", i), outer, tensor.value);
  }
  return out;
}

bool is_passed(const OpCall& op, const Tensor& tensor) {
  return tensor.value != kNoValue && !op.b().is_const(tensor.value);
}

Shape merged(const Shape& a, const Shape& b) {
  Shape out = a;
  for (size_t i = 0; i < out.size() && i < b.size(); ++i) {
    if (a[i] != b[i]) out[i] = -1;
  }
  return out;
}

}  // namespace fewbits::savedmodel
