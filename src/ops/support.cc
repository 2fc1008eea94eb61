// Small pieces that prepare() and infer() of every family share.
#include "ops/support.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "schema/tflite.h"

namespace fewbits::ops {

std::unique_ptr<Kernel> BodyKernel::own(Owned body, Run call) {
  return std::unique_ptr<Kernel>(new BodyKernel(std::move(body), call));
}

std::unique_ptr<Kernel> BodyKernel::copy(const void* body, size_t bytes, Run call) {
  Owned owned(::operator new(bytes), [](void* self) noexcept { ::operator delete(self); });
  std::memcpy(owned.get(), body, bytes);
  return own(std::move(owned), call);
}

Prepared prepared_kernel(std::unique_ptr<Kernel> kernel, std::string choice, size_t workspace) {
  Prepared prepared;
  prepared.kernel = std::move(kernel);
  prepared.workspace = workspace;
  prepared.choice = std::move(choice);
  return prepared;
}

Status copy_to_output(DynamicArgs& args, size_t i, const TensorView& value) {
  const bool sized = dtype_bits(value.dtype) != 0;
  FB_ASSIGN(void* const to,
            sized ? args.resize_output(i, value.shape) : args.resize_output_bytes(i, value.shape, value.bytes));
  if (value.bytes > 0) std::memcpy(to, value.data, value.bytes);
  return {};
}

tflite::ActivationFunctionType fused_activation(const Node& node) {
  if (const auto* add = node.options->AsAddOptions()) return add->fused_activation_function;
  if (const auto* sub = node.options->AsSubOptions()) return sub->fused_activation_function;
  if (const auto* mul = node.options->AsMulOptions()) return mul->fused_activation_function;
  if (const auto* div = node.options->AsDivOptions()) return div->fused_activation_function;
  return tflite::ActivationFunctionType::NONE;
}

Status infer_same_as_input(OpContext& context) {
  for (TensorInfo& output : context.outputs) {
    output.shape = context.inputs[0].shape;
    output.dynamic = context.inputs[0].dynamic;
  }
  return {};
}

Status infer_dynamic(OpContext& context) {
  for (TensorInfo& output : context.outputs) output.dynamic = true;
  return {};
}

bool any_dynamic(OpContext& context) {
  for (const TensorInfo& input : context.inputs) {
    if (input.present && (input.dynamic || !is_static(input.shape))) {
      for (TensorInfo& output : context.outputs) output.dynamic = true;
      return true;
    }
  }
  return false;
}

std::optional<Shape> broadcast_shapes(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const int32_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int32_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) return std::nullopt;
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

Status infer_broadcast(OpContext& context) {
  if (any_dynamic(context)) return {};
  const auto shape = broadcast_shapes(context.inputs[0].shape, context.inputs[1].shape);
  if (!shape) {
    return context.fail(ErrorCode::kInvalidModel, "the shapes {} and {} do not broadcast",
                        shape_text(context.inputs[0].shape), shape_text(context.inputs[1].shape));
  }
  context.outputs[0].shape = *shape;
  return {};
}

Result<int> normalize_axis(const OpContext& context, int64_t axis, int rank) {
  const int64_t normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= rank) {
    return context.fail(ErrorCode::kInvalidModel, "axis {} is outside a tensor of rank {}", axis, rank);
  }
  return static_cast<int>(normal);
}

namespace {
template <class T>
std::vector<int64_t> widen(const TensorInfo& tensor) {
  const T* data = tensor.as<T>();
  return {data, data + tensor.count()};
}
}  // namespace

Result<std::optional<std::vector<int64_t>>> int_values(const OpContext& context, size_t i) {
  const TensorInfo& tensor = context.inputs[i];
  if (tensor.dynamic || !is_static(tensor.shape)) return std::optional<std::vector<int64_t>>();
  if (tensor.count() == 0) return std::optional(std::vector<int64_t>());
  if (tensor.data == nullptr) return std::optional<std::vector<int64_t>>();
  switch (tensor.dtype) {
    case DType::kInt32: return std::optional(widen<int32_t>(tensor));
    case DType::kInt64: return std::optional(widen<int64_t>(tensor));
    case DType::kInt16: return std::optional(widen<int16_t>(tensor));
    case DType::kInt8: return std::optional(widen<int8_t>(tensor));
    case DType::kUInt8: return std::optional(widen<uint8_t>(tensor));
    default:
      return context.fail(ErrorCode::kUnsupported, "input {} ('{}') must hold integers, not {}", i, tensor.value->name,
                          dtype_name(tensor.dtype));
  }
}

Status require_type(const OpContext& context, const TensorInfo& tensor, const char* what,
                    std::initializer_list<DType> types) {
  if (tensor.present && std::find(types.begin(), types.end(), tensor.dtype) != types.end()) return {};
  std::string wanted;
  for (DType type : types) wanted += (wanted.empty() ? "" : " or ") + std::string(dtype_name(type));
  return context.fail(ErrorCode::kUnsupported, "{} must be {}, not {}", what, wanted,
                      tensor.present ? dtype_name(tensor.dtype) : "absent");
}

tl::unexpected<Error> unsupported_types(const OpContext& context) {
  std::string text;
  for (const TensorInfo& input : context.inputs) {
    text += (text.empty() ? "" : ", ") + std::string(input.present ? dtype_name(input.dtype) : "none");
  }
  text += " ->";
  for (const TensorInfo& output : context.outputs) text += std::string(" ") + dtype_name(output.dtype);
  return context.fail(ErrorCode::kUnsupported, "no kernel for these types: {}", text);
}

Status require_per_tensor(const OpContext& context, const TensorInfo& tensor, const char* what) {
  if (tensor.quant->scale.size() != 1) {
    return context.fail(ErrorCode::kInvalidModel, "{} ('{}') must have one scale, not {}", what, tensor.value->name,
                        tensor.quant->scale.size());
  }
  const float scale = tensor.quant->scale[0];
  if (!(scale > 0) || !std::isfinite(scale)) {
    return context.fail(ErrorCode::kInvalidModel, "{} ('{}') has the scale {}, which is not a positive number", what,
                        tensor.value->name, scale);
  }
  if (tensor.dtype == DType::kInt8 || tensor.dtype == DType::kUInt8 || tensor.dtype == DType::kInt16) {
    const IntRange range = type_range(tensor.dtype);
    if (tensor.quant->zero() < range.lo || tensor.quant->zero() > range.hi) {
      return context.fail(ErrorCode::kInvalidModel, "{} ('{}') has the zero point {}, outside {}", what,
                          tensor.value->name, tensor.quant->zero(), dtype_name(tensor.dtype));
    }
  }
  return {};
}

Result<FloatRange> activation_range(const OpContext& context, tflite::ActivationFunctionType activation) {
  constexpr float kMax = std::numeric_limits<float>::max();
  switch (activation) {
    case tflite::ActivationFunctionType::NONE: return FloatRange{-kMax, kMax};
    case tflite::ActivationFunctionType::RELU: return FloatRange{0.0f, kMax};
    case tflite::ActivationFunctionType::RELU_N1_TO_1: return FloatRange{-1.0f, 1.0f};
    case tflite::ActivationFunctionType::RELU6: return FloatRange{0.0f, 6.0f};
    default:
      return context.fail(ErrorCode::kUnsupported, "fused activation {} cannot be run", static_cast<int>(activation));
  }
}

IntRange type_range(DType type) {
  switch (type) {
    case DType::kUInt8: return {0, 255};
    case DType::kInt16: return {-32768, 32767};
    default: return {-128, 127};
  }
}

Result<IntRange> activation_range_quantized(const OpContext& context, tflite::ActivationFunctionType activation,
                                            const TensorInfo& output) {
  FB_ASSIGN(const FloatRange real, activation_range(context, activation));
  IntRange range = type_range(output.dtype);
  const auto quantize = [&](float value) {
    const double q = output.zero_point() + std::round(static_cast<double>(value / output.scale()));
    return static_cast<int32_t>(std::clamp(q, -2147483648.0, 2147483647.0));
  };
  constexpr float kMax = std::numeric_limits<float>::max();
  if (real.lo != -kMax) range.lo = std::max(range.lo, quantize(real.lo));
  if (real.hi != kMax) range.hi = std::min(range.hi, quantize(real.hi));
  range.lo = std::min(range.lo, type_range(output.dtype).hi);
  range.hi = std::max(range.hi, range.lo);
  return range;
}

int32_t version_by_type(const OpContext& context) {
  switch (context.inputs[0].dtype) {
    case DType::kInt8: return 2;
    case DType::kInt16: return 3;
    default: return 1;
  }
}

}  // namespace fewbits::ops
