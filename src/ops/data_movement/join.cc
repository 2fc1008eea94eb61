// CONCATENATION, PACK, SPLIT, SPLIT_V, UNPACK: many tensors side by side along one axis of another.
#include <algorithm>
#include <cmath>

#include "ops/data_movement/op.h"
#include "ops/mover.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// The tensor as `outer` rows of `bytes` bytes; part i is `part_bytes[i]` bytes of each row, one after the other.
struct Layout {
  size_t outer = 1, bytes = 0;
  std::vector<size_t> part_bytes;
};

// The copies that gather the parts, or that scatter them when `split`.
std::vector<StridedCopy> part_copies(const Layout& layout, bool split) {
  std::vector<StridedCopy> copies;
  int64_t offset = 0;
  for (size_t part : layout.part_bytes) {
    const auto whole_step = static_cast<int64_t>(layout.bytes), part_step = static_cast<int64_t>(part);
    const CopyDim dims[] = {
        {static_cast<int64_t>(layout.outer), split ? whole_step : part_step, split ? part_step : whole_step},
        {part_step, 1, 1}};
    copies.emplace_back(dims, 1, split ? offset : 0, split ? 0 : offset);
    offset += part_step;
  }
  return copies;
}

// Where parts of one row begin; nothing where the row is not whole bytes of its parts.
std::vector<size_t> part_places(const OpContext& context, const Layout& layout) {
  std::vector<size_t> places;
  if (layout.outer != 1 || dtype_bits(context.outputs[0].dtype) < 8) return places;
  size_t offset = 0;
  for (size_t part : layout.part_bytes) {
    places.push_back(offset);
    offset += part;
  }
  return places;
}

Prepared make_join(const OpContext& context, const Layout& layout, const char* name) {
  const std::vector<size_t> places = part_places(context, layout);
  Prepared prepared = make_mover(
      context,
      [copies = part_copies(layout, false), places](const RunArgs& args) noexcept {
        for (size_t i = 0; i < copies.size(); ++i) {
          const bool there = !places.empty() && args.in[i] == static_cast<std::byte*>(args.out[0]) + places[i];
          if (!there) copies[i].run(args.in[i], args.out[0], args.pool);
        }
      },
      name);
  prepared.places = places;
  return prepared;
}

Prepared make_split(const OpContext& context, const Layout& layout, size_t input, const char* name) {
  return make_mover(
      context,
      [copies = part_copies(layout, true), input](const RunArgs& args) noexcept {
        for (size_t i = 0; i < copies.size(); ++i) copies[i].run(args.in[input], args.out[i], args.pool);
      },
      name);
}

// ---- CONCATENATION ----

Result<int> concatenation_axis(const OpContext& context) {
  const auto* options = context.node->options->AsConcatenationOptions();
  return normalize_axis(context, options == nullptr ? 0 : options->axis, context.inputs[0].rank());
}

bool same_parameters(const TensorInfo& a, const TensorInfo& b) {
  return a.quant->scale == b.quant->scale && (a.quant->scale.empty() || a.zero_point() == b.zero_point());
}

// An input's integers in the output's scale, as TFLite's ConcatenationWithScaling has it.
struct Rescale {
  bool needed = false;
  float scale = 1, bias = 0;
  int32_t zero_point = 0;
  IntRange range{};
};

template <class T>
void rescale_rows(const Rescale& rescale, const void* src, void* dst, const Layout& layout, size_t offset,
                  size_t part) noexcept {
  const size_t row = part / sizeof(T);
  for (size_t outer = 0; outer < layout.outer; ++outer) {
    const T* in = static_cast<const T*>(src) + outer * row;
    T* out = static_cast<T*>(dst) + (outer * layout.bytes + offset) / sizeof(T);
    for (size_t i = 0; i < row; ++i) {
      const float value = std::round(static_cast<float>(in[i]) * rescale.scale + rescale.bias);
      const float most = 65536.0f;  // beyond every output type and its zero point
      const auto q = static_cast<int32_t>(std::clamp(value, -most, most)) + rescale.zero_point;
      out[i] = static_cast<T>(std::clamp(q, rescale.range.lo, rescale.range.hi));
    }
  }
}

template <class T, class Range>
void clamp_all(void* data, size_t count, Range range) noexcept {
  T* values = static_cast<T*>(data);
  for (size_t i = 0; i < count; ++i) {
    values[i] = std::min(std::max(values[i], static_cast<T>(range.lo)), static_cast<T>(range.hi));
  }
}

// What follows the copies: nothing, or a fused activation on the whole output.
struct Clamp {
  bool needed = false;
  DType type = DType::kFloat32;
  FloatRange real{};
  IntRange integer{};

  void run(void* data, size_t count) const noexcept {
    if (!needed) return;
    switch (type) {
      case DType::kInt8: return clamp_all<int8_t>(data, count, integer);
      case DType::kUInt8: return clamp_all<uint8_t>(data, count, integer);
      case DType::kInt16: return clamp_all<int16_t>(data, count, integer);
      default: return clamp_all<float>(data, count, real);
    }
  }
};

Result<Clamp> concatenation_clamp(const OpContext& context) {
  const auto* options = context.node->options->AsConcatenationOptions();
  const TensorInfo& output = context.outputs[0];
  if (options == nullptr || options->fused_activation_function == tflite::ActivationFunctionType::NONE) return Clamp{};
  Clamp clamp{.needed = true, .type = output.dtype};
  if (output.dtype == DType::kFloat32) {
    FB_ASSIGN(clamp.real, activation_range(context, options->fused_activation_function));
    return clamp;
  }
  FB_TRY(require_type(context, output, "the output of a fused activation",
                      {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16}));
  FB_TRY(require_per_tensor(context, output, "the output"));
  FB_ASSIGN(clamp.integer, activation_range_quantized(context, options->fused_activation_function, output));
  return clamp;
}

Result<std::vector<Rescale>> concatenation_rescales(const OpContext& context) {
  const TensorInfo& output = context.outputs[0];
  std::vector<Rescale> rescales(context.inputs.size());
  for (size_t i = 0; i < rescales.size(); ++i) {
    const TensorInfo& input = context.inputs[i];
    if (!input.quant->quantized() || !output.quant->quantized() || same_parameters(input, output)) continue;
    FB_TRY(require_type(context, input, "an input whose scale is not the output's",
                        {DType::kUInt8, DType::kInt8, DType::kInt16}));
    FB_TRY(require_per_tensor(context, input, "an input"));
    FB_TRY(require_per_tensor(context, output, "the output"));
    const float inverse_output_scale = 1.0f / output.scale();
    const float scale = input.scale() * inverse_output_scale;
    rescales[i] = {true, scale, static_cast<float>(-input.zero_point()) * scale, output.zero_point(),
                   type_range(output.dtype)};
  }
  return rescales;
}

Prepared make_rescaling_join(const OpContext& context, Layout layout, std::vector<Rescale> rescales, Clamp clamp) {
  return make_mover(
      context,
      [copies = part_copies(layout, false), layout, rescales = std::move(rescales), clamp,
       type = context.outputs[0].dtype, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        size_t offset = 0;
        for (size_t i = 0; i < copies.size(); ++i) {
          const size_t part = layout.part_bytes[i];
          if (!rescales[i].needed) {
            copies[i].run(args.in[i], args.out[0], args.pool);
          } else if (type == DType::kInt8) {
            rescale_rows<int8_t>(rescales[i], args.in[i], args.out[0], layout, offset, part);
          } else if (type == DType::kUInt8) {
            rescale_rows<uint8_t>(rescales[i], args.in[i], args.out[0], layout, offset, part);
          } else {
            rescale_rows<int16_t>(rescales[i], args.in[i], args.out[0], layout, offset, part);
          }
          offset += part;
        }
        clamp.run(args.out[0], count);
      },
      "concatenation, rescaled");
}

// ---- splits ----

// `tensor` cut along `axis` into the outputs.
Layout split_layout(const OpContext& context, const TensorInfo& tensor, int axis, size_t element) {
  const size_t inner = element * count_dims(tensor.shape, axis + 1, tensor.rank());
  Layout layout{.outer = count_dims(tensor.shape, 0, axis), .bytes = inner * static_cast<size_t>(tensor.dim(axis))};
  for (const TensorInfo& output : context.outputs) {
    // UNPACK drops the axis: every output is one step of it.
    layout.part_bytes.push_back(output.rank() == tensor.rank() ? inner * static_cast<size_t>(output.dim(axis)) : inner);
  }
  return layout;
}

Result<std::optional<int>> axis_operand(const OpContext& context, size_t i, int rank) {
  FB_ASSIGN(const auto values, int_values(context, i));
  if (!values) return std::optional<int>();
  if (values->size() != 1) return context.fail(ErrorCode::kInvalidModel, "the axis must be one number");
  FB_ASSIGN(const int axis, normalize_axis(context, (*values)[0], rank));
  return std::optional(axis);
}

// The axis that SPLIT and SPLIT_V cut along, from the shapes that were inferred: the only dimension in which an output
// differs from the input. Where none does, any axis gives the same copies.
int split_axis(const OpContext& context, const TensorInfo& input) {
  for (int axis = 0; axis < input.rank(); ++axis) {
    for (const TensorInfo& output : context.outputs) {
      if (output.dim(axis) != input.dim(axis)) return axis;
    }
  }
  return 0;
}

Result<Prepared> prepare_any_split(const OpContext& context, size_t value, const char* name) {
  const TensorInfo& input = context.inputs[value];
  FB_ASSIGN(const size_t element, require_movable(context, {value}));
  return make_split(context, split_layout(context, input, split_axis(context, input), element), value, name);
}

}  // namespace

Status infer_concatenation(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const int axis, concatenation_axis(context));
  const Shape& first = context.inputs[0].shape;
  std::vector<int64_t> shape(first.begin(), first.end());
  for (size_t i = 1; i < context.inputs.size(); ++i) {
    const Shape& other = context.inputs[i].shape;
    bool fits = other.size() == first.size();
    for (size_t d = 0; fits && d < other.size(); ++d) fits = other[d] == first[d] || static_cast<int>(d) == axis;
    if (!fits) {
      return context.fail(ErrorCode::kInvalidModel, "cannot join {} and {} along axis {}", shape_text(first),
                          shape_text(other), axis);
    }
    shape[static_cast<size_t>(axis)] += other[static_cast<size_t>(axis)];
  }
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_concatenation(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_ASSIGN(const int axis, concatenation_axis(context));
  const TensorInfo& output = context.outputs[0];
  const size_t inner = element * count_dims(output.shape, axis + 1, output.rank());
  Layout layout{.outer = count_dims(output.shape, 0, axis), .bytes = inner * static_cast<size_t>(output.dim(axis))};
  for (const TensorInfo& input : context.inputs) {
    if (input.dtype != output.dtype) return unsupported_types(context);
    layout.part_bytes.push_back(inner * static_cast<size_t>(input.dim(axis)));
  }
  FB_ASSIGN(Clamp clamp, concatenation_clamp(context));
  FB_ASSIGN(std::vector<Rescale> rescales, concatenation_rescales(context));
  const bool plain =
      !clamp.needed && std::none_of(rescales.begin(), rescales.end(), [](const Rescale& r) { return r.needed; });
  if (plain) return make_join(context, layout, "concatenation");
  return make_rescaling_join(context, std::move(layout), std::move(rescales), clamp);
}

Status infer_pack(OpContext& context) {
  if (any_dynamic(context)) return {};
  const auto* options = context.node->options->AsPackOptions();
  const Shape& part = context.inputs[0].shape;
  FB_ASSIGN(const int axis,
            normalize_axis(context, options == nullptr ? 0 : options->axis, context.inputs[0].rank() + 1));
  for (const TensorInfo& input : context.inputs) {
    if (input.shape != part) {
      return context.fail(ErrorCode::kInvalidModel, "cannot pack {} and {}", shape_text(part), shape_text(input.shape));
    }
  }
  std::vector<int64_t> shape(part.begin(), part.end());
  shape.insert(shape.begin() + axis, static_cast<int64_t>(context.inputs.size()));
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_pack(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const auto* options = context.node->options->AsPackOptions();
  const TensorInfo& output = context.outputs[0];
  FB_ASSIGN(const int axis, normalize_axis(context, options == nullptr ? 0 : options->axis, output.rank()));
  const size_t inner = element * count_dims(output.shape, axis + 1, output.rank());
  for (const TensorInfo& input : context.inputs) {
    if (input.dtype != output.dtype) return unsupported_types(context);
  }
  Layout layout{.outer = count_dims(output.shape, 0, axis), .bytes = inner * context.inputs.size()};
  layout.part_bytes.assign(context.inputs.size(), inner);
  return make_join(context, layout, "pack");
}

// SPLIT(axis, value): equal parts.
Status infer_split(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[1];
  FB_ASSIGN(const auto axis, axis_operand(context, 0, input.rank()));
  if (!axis) return infer_dynamic(context);
  const auto parts = static_cast<int32_t>(context.outputs.size());
  if (input.dim(*axis) % parts != 0) {
    return context.fail(ErrorCode::kInvalidModel, "cannot split {} along axis {} into {} equal parts",
                        shape_text(input.shape), *axis, parts);
  }
  for (TensorInfo& output : context.outputs) {
    output.shape = input.shape;
    output.shape[static_cast<size_t>(*axis)] /= parts;
  }
  return {};
}

Result<Prepared> prepare_split(const OpContext& context) { return prepare_any_split(context, 1, "split"); }

// SPLIT_V(value, sizes, axis): parts of given sizes, one of which may be -1.
Status infer_split_v(OpContext& context) {
  if (any_dynamic(context)) return {};
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const auto axis, axis_operand(context, 2, input.rank()));
  FB_ASSIGN(const auto sizes, int_values(context, 1));
  if (context.inputs[1].count() != context.outputs.size()) {
    return context.fail(ErrorCode::kInvalidModel, "there are {} sizes for {} outputs", context.inputs[1].count(),
                        context.outputs.size());
  }
  if (!axis || !sizes) return infer_dynamic(context);
  int64_t rest = input.dim(*axis);
  int unknown = 0;
  bool fits = true;
  for (int64_t size : *sizes) {
    if (size == -1) {
      ++unknown;
    } else {
      fits = fits && size >= 0 && size <= rest;
      rest -= fits ? size : 0;
    }
  }
  if (!fits || unknown > 1 || (unknown == 0 && rest != 0)) {
    return context.fail(ErrorCode::kInvalidModel, "the sizes do not make up dimension {} of {}", *axis,
                        shape_text(input.shape));
  }
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    context.outputs[i].shape = input.shape;
    context.outputs[i].shape[static_cast<size_t>(*axis)] = static_cast<int32_t>((*sizes)[i] == -1 ? rest : (*sizes)[i]);
  }
  return {};
}

Result<Prepared> prepare_split_v(const OpContext& context) { return prepare_any_split(context, 0, "split_v"); }

Status infer_unpack(OpContext& context) {
  if (any_dynamic(context)) return {};
  const auto* options = context.node->options->AsUnpackOptions();
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const int axis, normalize_axis(context, options == nullptr ? 0 : options->axis, input.rank()));
  if (static_cast<size_t>(input.dim(axis)) != context.outputs.size()) {
    return context.fail(ErrorCode::kInvalidModel, "dimension {} of {} does not make {} outputs", axis,
                        shape_text(input.shape), context.outputs.size());
  }
  for (TensorInfo& output : context.outputs) {
    output.shape = input.shape;
    output.shape.erase(output.shape.begin() + axis);
  }
  return {};
}

Result<Prepared> prepare_unpack(const OpContext& context) {
  const auto* options = context.node->options->AsUnpackOptions();
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_ASSIGN(const int axis, normalize_axis(context, options == nullptr ? 0 : options->axis, input.rank()));
  return make_split(context, split_layout(context, input, axis, element), 0, "unpack");
}

}  // namespace fewbits::ops
