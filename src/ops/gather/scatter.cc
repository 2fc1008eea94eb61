// SCATTER_ND and SPARSE_TO_DENSE: values put at the positions that index tuples name.
#include <algorithm>
#include <type_traits>

#include "ops/gather/op.h"
#include "ops/gather/rows.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// sum += row; integers wrap, booleans are or'ed.
template <class T>
void add_row(T* sum, const T* row, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<T, bool>) {
      sum[i] = sum[i] || row[i];
    } else if constexpr (std::is_integral_v<T>) {
      sum[i] =
          static_cast<T>(static_cast<std::make_unsigned_t<T>>(sum[i]) + static_cast<std::make_unsigned_t<T>>(row[i]));
    } else {
      sum[i] += row[i];
    }
  }
}

// indices, updates -> a tensor of zeros to which each update is added where its tuple says.
struct Scatter {
  IndexTuples positions;
  size_t tuples = 0, inner = 0, outputs = 0;

  template <class T>
  void run(const RunArgs& args) const noexcept {
    T* result = out<T>(args);
    std::fill_n(result, outputs, T{0});
    for (size_t i = 0; i < tuples; ++i) {
      const int64_t row = positions.row(args.in[0], i);
      if (row >= 0) add_row(result + static_cast<size_t>(row) * inner, in<T>(args, 1) + i * inner, inner);
    }
  }
};

template <class T>
Prepared make_scatter(const Scatter& scatter) {
  return make_kernel([scatter](const RunArgs& args) noexcept { scatter.run<T>(args); }, "scatter_nd");
}

// The tuples of SPARSE_TO_DENSE: a scalar, a list of indices of a vector, or one tuple a row.
Result<size_t> sparse_tuples(const OpContext& context, size_t rank) {
  const TensorInfo& indices = context.inputs[0];
  const size_t depth = indices.rank() == 2 ? static_cast<size_t>(indices.dim(1)) : 1;
  const size_t tuples = indices.rank() == 0 ? 1 : static_cast<size_t>(indices.dim(0));
  if (indices.rank() > 2 || depth != rank) {
    return context.fail(ErrorCode::kInvalidModel, "indices of shape {} do not fit an output of rank {}",
                        shape_text(indices.shape), rank);
  }
  const size_t values = context.inputs[2].count();
  if ((values != tuples && context.inputs[2].rank() != 0) || context.inputs[3].count() != 1) {
    return context.fail(ErrorCode::kInvalidModel, "{} values and {} defaults do not fit {} indices", values,
                        context.inputs[3].count(), tuples);
  }
  return tuples;
}

}  // namespace

// SCATTER_ND(indices, updates, shape).
Status infer_scatter_nd(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const auto shape, int_values(context, 2));
  if (!shape) return infer_dynamic(context);
  FB_TRY(set_shape(context, 0, *shape));
  const Shape& indices = context.inputs[0].shape;
  const Shape& updates = context.inputs[1].shape;
  const Shape& out = context.outputs[0].shape;
  bool fits = !indices.empty() && static_cast<size_t>(indices.back()) <= out.size();
  if (fits) {
    Shape expected(indices.begin(), indices.end() - 1);
    expected.insert(expected.end(), out.begin() + indices.back(), out.end());
    fits = updates == expected;
  }
  if (!fits) {
    return context.fail(ErrorCode::kInvalidModel, "indices {} and updates {} do not fit an output {}",
                        shape_text(indices), shape_text(updates), shape_text(out));
  }
  return {};
}

Result<Prepared> prepare_scatter_nd(const OpContext& context) {
  FB_TRY(require_movable(context, {1}));
  FB_TRY(require_integers(context, 0));
  const TensorInfo& indices = context.inputs[0];
  const TensorInfo& output = context.outputs[0];
  const int depth = indices.dim(-1);
  const Scatter scatter{.positions = IndexTuples(output.shape, static_cast<size_t>(depth), indices.dtype),
                        .tuples = count_dims(indices.shape, 0, indices.rank() - 1),
                        .inner = count_dims(output.shape, depth, output.rank()),
                        .outputs = output.count()};
  if (output.count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  FB_TRY(check_constant_tuples(context, 0, scatter.positions, scatter.tuples));
  switch (output.dtype) {
    case DType::kFloat32: return make_scatter<float>(scatter);
    case DType::kFloat64: return make_scatter<double>(scatter);
    case DType::kInt8: return make_scatter<int8_t>(scatter);
    case DType::kUInt8: return make_scatter<uint8_t>(scatter);
    case DType::kInt16: return make_scatter<int16_t>(scatter);
    case DType::kInt32: return make_scatter<int32_t>(scatter);
    case DType::kInt64: return make_scatter<int64_t>(scatter);
    case DType::kBool: return make_scatter<bool>(scatter);
    default: return unsupported_types(context);
  }
}

// SPARSE_TO_DENSE(indices, shape, values, default).
Status infer_sparse_to_dense(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_TRY(sparse_tuples(context, context.inputs[1].count()));
  FB_ASSIGN(const auto shape, int_values(context, 1));
  if (!shape) return infer_dynamic(context);
  return set_shape(context, 0, *shape);
}

Result<Prepared> prepare_sparse_to_dense(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {2, 3}));
  FB_TRY(require_integers(context, 0));
  const TensorInfo& output = context.outputs[0];
  FB_ASSIGN(const size_t tuples, sparse_tuples(context, output.shape.size()));
  const IndexTuples positions(output.shape, output.shape.size(), context.inputs[0].dtype);
  FB_TRY(check_constant_tuples(context, 0, positions, tuples));
  return make_mover(
      context,
      [element, tuples, positions, step = context.inputs[2].rank() == 0 ? 0 : element,
       fill = fill_copy(output.count(), element)](const RunArgs& args) noexcept {
        fill.run(args.in[3], args.out[0], args.pool);
        for (size_t i = 0; i < tuples; ++i) {
          const int64_t at = positions.row(args.in[0], i);
          if (at < 0) continue;
          std::memcpy(out<char>(args) + static_cast<size_t>(at) * element, in<char>(args, 2) + i * step, element);
        }
      },
      "sparse_to_dense");
}

}  // namespace fewbits::ops
