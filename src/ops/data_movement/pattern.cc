// RANGE, ONE_HOT, MATRIX_DIAG, MATRIX_SET_DIAG, DILATE: elements placed into a pattern that shapes or a few numbers
// give.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/data_movement/op.h"
#include "ops/mover.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// How many steps of RANGE(start, limit, delta) there are; negative when there is no such range.
int64_t range_steps(int64_t start, int64_t limit, int64_t delta) noexcept {
  if (start == limit && delta != 0) return 0;
  if (delta == 0 || (start < limit) != (delta > 0)) return -1;
  const uint64_t distance = delta > 0 ? static_cast<uint64_t>(limit) - static_cast<uint64_t>(start)
                                      : static_cast<uint64_t>(start) - static_cast<uint64_t>(limit);
  const uint64_t step = delta > 0 ? static_cast<uint64_t>(delta) : 0 - static_cast<uint64_t>(delta);
  return static_cast<int64_t>(std::min<uint64_t>((distance - 1) / step + 1, int64_t{INT32_MAX} + 1));
}

int64_t range_steps(float start, float limit, float delta) noexcept {
  const bool valid = (start >= limit && delta < 0) || (start <= limit && delta > 0);
  const float steps = std::ceil(std::abs((limit - start) / delta));
  if (!valid || !std::isfinite(steps)) return -1;
  return static_cast<int64_t>(std::min(steps, 4294967296.0f));
}

// As TFLite: the value is added up, so that float rounding accumulates.
template <class T>
void range_values(const RunArgs& args, size_t count) noexcept {
  T value = *in<T>(args, 0);
  const T delta = *in<T>(args, 2);
  for (size_t i = 0; i < count; ++i) {
    out<T>(args)[i] = value;
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      value = static_cast<T>(static_cast<U>(value) + static_cast<U>(delta));  // the step past the end may overflow
    } else {
      value += delta;
    }
  }
}

Result<int> one_hot_axis(const OpContext& context) {
  const auto* options = context.node->options->AsOneHotOptions();
  return normalize_axis(context, options == nullptr ? -1 : options->axis, context.inputs[0].rank() + 1);
}

}  // namespace

Status infer_range(OpContext& context) {
  if (any_dynamic(context)) return {};
  for (const TensorInfo& input : context.inputs) {
    if (input.count() != 1)
      return context.fail(ErrorCode::kInvalidModel, "start, limit and delta must be one number each");
    if (input.dtype != context.inputs[0].dtype) return unsupported_types(context);
    if (input.data == nullptr) return infer_dynamic(context);
  }
  int64_t steps = -1;
  if (context.inputs[0].dtype == DType::kFloat32) {
    steps = range_steps(*context.inputs[0].as<float>(), *context.inputs[1].as<float>(), *context.inputs[2].as<float>());
  } else {
    FB_TRY(require_integers(context, 0));
    const auto value = [&](size_t i) { return IntOperand{context.inputs[i].data, context.inputs[i].dtype}[0]; };
    steps = range_steps(value(0), value(1), value(2));
  }
  if (steps < 0) return context.fail(ErrorCode::kInvalidModel, "delta does not lead from start to limit");
  return set_shape(context, 0, std::array{steps});
}

Result<Prepared> prepare_range(const OpContext& context) {
  FB_TRY(require_movable(context, {0, 1, 2}));
  FB_TRY(require_type(context, context.outputs[0], "the range", {DType::kInt32, DType::kInt64, DType::kFloat32}));
  return make_kernel(
      [type = context.outputs[0].dtype, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        switch (type) {
          case DType::kInt32: return range_values<int32_t>(args, count);
          case DType::kInt64: return range_values<int64_t>(args, count);
          default: return range_values<float>(args, count);
        }
      },
      "range");
}

// ONE_HOT(indices, depth, on, off): an index outside the depth gives no `on`.
Status infer_one_hot(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const int axis, one_hot_axis(context));
  FB_ASSIGN(const auto depth, int_values(context, 1));
  if (context.inputs[1].count() != 1 || context.inputs[2].count() != 1 || context.inputs[3].count() != 1) {
    return context.fail(ErrorCode::kInvalidModel, "depth, on and off must be one value each");
  }
  if (!depth) return infer_dynamic(context);
  std::vector<int64_t> shape(context.inputs[0].shape.begin(), context.inputs[0].shape.end());
  shape.insert(shape.begin() + axis, (*depth)[0]);
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_one_hot(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {2, 3}));
  FB_TRY(require_integers(context, 0));
  FB_ASSIGN(const int axis, one_hot_axis(context));
  const TensorInfo& output = context.outputs[0];
  return make_mover(
      context,
      [element, type = context.inputs[0].dtype, outer = count_dims(output.shape, 0, axis),
       depth = int64_t{output.dim(axis)}, inner = count_dims(output.shape, axis + 1, output.rank()),
       off = fill_copy(output.count(), element)](const RunArgs& args) noexcept {
        off.run(args.in[3], args.out[0], args.pool);
        const IntOperand indices{args.in[0], type};
        for (size_t i = 0; depth > 0 && i < outer * inner; ++i) {
          const int64_t index = indices[i];
          if (index < 0 || index >= depth) continue;
          const size_t at = (i / inner * static_cast<size_t>(depth) + static_cast<size_t>(index)) * inner + i % inner;
          std::memcpy(out<char>(args) + at * element, args.in[2], element);
        }
      },
      "one_hot");
}

// MATRIX_DIAG(diagonals): zero bytes beside them.
Status infer_matrix_diag(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& in = context.inputs[0].shape;
  if (in.empty()) return context.fail(ErrorCode::kInvalidModel, "the diagonal must have a dimension");
  std::vector<int64_t> shape(in.begin(), in.end());
  shape.push_back(in.back());
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_matrix_diag(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const TensorInfo& input = context.inputs[0];
  const int64_t size = input.dim(-1), unit = static_cast<int64_t>(element);
  if (context.outputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  const CopyDim dims[] = {{static_cast<int64_t>(input.count()) / size, size * unit, size * size * unit},
                          {size, unit, (size + 1) * unit}};
  return make_mover(
      context,
      [diagonal = StridedCopy(dims, element),
       zeros = fill_copy(context.outputs[0].count() * element, 1)](const RunArgs& args) noexcept {
        constexpr char kZero = 0;
        zeros.run(&kZero, args.out[0], args.pool);
        diagonal.run(args.in[0], args.out[0], args.pool);
      },
      "matrix_diag");
}

// MATRIX_SET_DIAG(matrices, diagonals).
Status infer_matrix_set_diag(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& in = context.inputs[0].shape;
  const Shape& diagonal = context.inputs[1].shape;
  bool fits = in.size() >= 2 && diagonal.size() + 1 == in.size() &&
              std::equal(diagonal.begin(), diagonal.end() - 1, in.begin());
  if (!fits || diagonal.back() != std::min(in[in.size() - 1], in[in.size() - 2])) {
    return context.fail(ErrorCode::kInvalidModel, "{} is not the diagonal of {}", shape_text(diagonal), shape_text(in));
  }
  context.outputs[0].shape = in;
  return {};
}

Result<Prepared> prepare_matrix_set_diag(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0, 1}));
  const TensorInfo& input = context.inputs[0];
  const int64_t size = context.inputs[1].dim(-1), unit = static_cast<int64_t>(element);
  const int64_t columns = input.dim(-1);
  if (input.count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  const CopyDim dims[] = {
      {static_cast<int64_t>(context.inputs[1].count()) / size, size * unit, columns * input.dim(-2) * unit},
      {size, unit, (columns + 1) * unit}};
  return make_mover(
      context,
      [diagonal = StridedCopy(dims, element),
       whole = StridedCopy(input.count() * element)](const RunArgs& args) noexcept {
        whole.run(args.in[0], args.out[0], args.pool);
        diagonal.run(args.in[1], args.out[0], args.pool);
      },
      "matrix_set_diag");
}

// DILATE(input, dilations, padding): elements `dilation` apart, the padding value between them.
Status infer_dilate(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& in = context.inputs[0].shape;
  FB_ASSIGN(const auto dilations, int_values(context, 1));
  if (context.inputs[1].count() != in.size() || context.inputs[2].count() != 1) {
    return context.fail(ErrorCode::kInvalidModel, "{} dilations and {} padding values do not fit a tensor of rank {}",
                        context.inputs[1].count(), context.inputs[2].count(), in.size());
  }
  if (!dilations) return infer_dynamic(context);
  std::vector<int64_t> shape;
  for (size_t i = 0; i < in.size(); ++i) {
    const int64_t dilation = (*dilations)[i];
    if (dilation < 1 || dilation > INT32_MAX)
      return context.fail(ErrorCode::kInvalidModel, "a dilation is {}", dilation);
    shape.push_back(in[i] == 0 ? 0 : (in[i] - 1) * dilation + 1);
  }
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_dilate(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0, 2}));
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  const auto from = byte_strides(in, element), to = byte_strides(out, element);
  std::array<CopyDim, kMaxMoverRank> dims;
  for (size_t i = 0; i < in.size(); ++i) dims[i] = {in[i], from[i], in[i] > 1 ? (out[i] - 1) / (in[i] - 1) * to[i] : 0};
  return make_mover(
      context,
      [copy = StridedCopy({dims.data(), in.size()}, element), fill = fill_copy(context.outputs[0].count(), element),
       padded = in != out](const RunArgs& args) noexcept {
        if (padded) fill.run(args.in[2], args.out[0], args.pool);
        copy.run(args.in[0], args.out[0], args.pool);
      },
      "dilate");
}

}  // namespace fewbits::ops
