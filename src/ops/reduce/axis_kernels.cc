// prepare() of ARG_MAX, ARG_MIN, CUMSUM and TOPK_V2.
#include <algorithm>
#include <bit>
#include <type_traits>

#include "ops/reduce/op.h"
#include "ops/reduce/plan.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// A tensor seen along one of its dimensions: [outer, depth, inner].
struct Along {
  size_t outer = 1, depth = 1, inner = 1;
};

Along see_along(const Shape& shape, uint32_t axes) noexcept {
  Along along;
  const auto axis = static_cast<size_t>(std::countr_zero(axes));
  for (size_t i = 0; i < shape.size(); ++i) {
    (i < axis ? along.outer : i == axis ? along.depth : along.inner) *= static_cast<size_t>(shape[i]);
  }
  return along;
}

// A kernel that calls run(along, args), the axis known now or read from operand 1 at run time.
template <class Run>
Result<Prepared> axis_kernel(const OpContext& context, const Run& run, std::string choice) {
  FB_ASSIGN(const Axes axes, read_axes(context, 1));
  if (axes.count != 1 || axes.rank == 0) {
    return context.fail(ErrorCode::kInvalidModel, "there must be one axis and a dimension for it");
  }
  if (!axes.live) {
    return make_kernel([run, along = see_along(context.inputs[0].shape, axes.known)](
                           const RunArgs& args) noexcept { run(along, args); },
                       std::move(choice));
  }
  return make_kernel(
      [run, axes, shape = context.inputs[0].shape](const RunArgs& args) noexcept {
        if (const uint32_t axis = axes.read(args.in[1]); axis != 0) run(see_along(shape, axis), args);
      },
      std::move(choice));
}

// ---- ARG_MAX, ARG_MIN ----

template <bool kLargest, class T, class Index>
void arg_extreme(const Along& along, const T* input, Index* output, const ThreadPool* pool) noexcept {
  const size_t grain = kCheapGrain / (along.depth + 1) + 1;
  parallel_for(pool, along.outer * along.inner, grain, [&](size_t begin, size_t end) {
    for (size_t item = begin; item < end; ++item) {
      const T* column = input + item / along.inner * along.depth * along.inner + item % along.inner;
      size_t best = 0;
      T best_value = column[0];
      for (size_t i = 1; i < along.depth; ++i) {
        const T value = column[i * along.inner];
        if (kLargest ? value > best_value : value < best_value) {
          best_value = value;
          best = i;
        }
      }
      output[item] = static_cast<Index>(best);
    }
  });
}

template <class T>
Result<Prepared> prepare_arg_typed(const OpContext& context, const char* choice) {
  const bool wide = context.outputs[0].dtype == DType::kInt64;
  return axis_kernel(
      context,
      [largest = context.node->op == Op::ARG_MAX, wide](const Along& along, const RunArgs& args) noexcept {
        if (along.depth == 0) return;
        const T* input = in<T>(args, 0);
        const auto of = [&]<class Index>(Index* output) {
          return largest ? arg_extreme<true>(along, input, output, args.pool)
                         : arg_extreme<false>(along, input, output, args.pool);
        };
        wide ? of(out<int64_t>(args)) : of(out<int32_t>(args));
      },
      choice);
}

// ---- CUMSUM ----

template <class T>
void cumulative_sum(const Along& along, bool exclusive, bool reverse, const RunArgs& args) noexcept {
  using Acc = std::conditional_t<std::is_floating_point_v<T>, T,
                                 std::make_unsigned_t<std::conditional_t<std::is_floating_point_v<T>, int, T>>>;
  parallel_for(args.pool, along.outer * along.inner, kCheapGrain / (along.depth + 1) + 1,
               [&](size_t begin, size_t end) {
                 for (size_t item = begin; item < end; ++item) {
                   const size_t first = item / along.inner * along.depth * along.inner + item % along.inner;
                   Acc sum = 0;
                   for (size_t i = 0; i < along.depth; ++i) {
                     const size_t at = first + (reverse ? along.depth - 1 - i : i) * along.inner;
                     const Acc before = sum;
                     sum += static_cast<Acc>(in<T>(args, 0)[at]);
                     out<T>(args)[at] = static_cast<T>(exclusive ? before : sum);
                   }
                 }
               });
}

template <class T>
Result<Prepared> prepare_cumsum_typed(const OpContext& context, const char* choice) {
  const auto* options = context.node->options->AsCumsumOptions();
  return axis_kernel(
      context,
      [exclusive = options != nullptr && options->exclusive, reverse = options != nullptr && options->reverse](
          const Along& along, const RunArgs& args) noexcept { cumulative_sum<T>(along, exclusive, reverse, args); },
      choice);
}

// ---- TOPK_V2 ----

// Whether value i of the row comes before value j: larger, or equal and earlier. NaN comes last.
template <class T>
bool comes_before(const T* row, int32_t i, int32_t j) noexcept {
  const T a = row[i], b = row[j];
  if (a > b) return true;
  if (b > a) return false;
  if constexpr (std::is_floating_point_v<T>) {
    const bool a_is_nan = a != a, b_is_nan = b != b;
    if (a_is_nan != b_is_nan) return b_is_nan;
  }
  return i < j;
}

template <class T, class Index>
Prepared top_k_kernel(const OpContext& context) {
  const auto depth = static_cast<size_t>(context.inputs[0].dim(-1));
  const auto k = static_cast<size_t>(context.outputs[0].dim(-1));
  const size_t rows = depth == 0 ? 0 : context.inputs[0].count() / depth;
  return make_kernel(
      [depth, k, rows](const RunArgs& args) noexcept {
        auto* order = reinterpret_cast<int32_t*>(args.workspace);
        for (size_t r = 0; r < rows && k > 0; ++r) {
          const T* row = in<T>(args, 0) + r * depth;
          for (size_t i = 0; i < depth; ++i) order[i] = static_cast<int32_t>(i);
          std::partial_sort(order, order + k, order + depth,
                            [row](int32_t i, int32_t j) { return comes_before(row, i, j); });
          for (size_t i = 0; i < k; ++i) {
            out<T>(args, 0)[r * k + i] = row[order[i]];
            out<Index>(args, 1)[r * k + i] = static_cast<Index>(order[i]);
          }
        }
      },
      "top_k partial sort", depth * sizeof(int32_t));
}

template <class T>
Result<Prepared> prepare_top_k_typed(const OpContext& context) {
  switch (context.outputs[1].dtype) {
    case DType::kInt32: return top_k_kernel<T, int32_t>(context);
    case DType::kInt16: return top_k_kernel<T, int16_t>(context);
    default: return unsupported_types(context);
  }
}

}  // namespace

Result<Prepared> prepare_arg(const OpContext& context) {
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kInt32, DType::kInt64}));
  switch (context.inputs[0].dtype) {
    case DType::kFloat32: return prepare_arg_typed<float>(context, "arg_f32");
    case DType::kInt8: return prepare_arg_typed<int8_t>(context, "arg_s8");
    case DType::kUInt8: return prepare_arg_typed<uint8_t>(context, "arg_u8");
    case DType::kInt16: return prepare_arg_typed<int16_t>(context, "arg_s16");
    case DType::kInt32: return prepare_arg_typed<int32_t>(context, "arg_s32");
    case DType::kInt64: return prepare_arg_typed<int64_t>(context, "arg_s64");
    case DType::kBool: return prepare_arg_typed<uint8_t>(context, "arg_bool");
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_cumsum(const OpContext& context) {
  if (context.inputs[0].dtype != context.outputs[0].dtype) return unsupported_types(context);
  switch (context.inputs[0].dtype) {
    case DType::kFloat32: return prepare_cumsum_typed<float>(context, "cumsum_f32");
    case DType::kInt32: return prepare_cumsum_typed<int32_t>(context, "cumsum_s32");
    case DType::kInt64: return prepare_cumsum_typed<int64_t>(context, "cumsum_s64");
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_top_k(const OpContext& context) {
  if (context.inputs[0].dtype != context.outputs[0].dtype) return unsupported_types(context);
  switch (context.inputs[0].dtype) {
    case DType::kFloat32: return prepare_top_k_typed<float>(context);
    case DType::kInt8: return prepare_top_k_typed<int8_t>(context);
    case DType::kUInt8: return prepare_top_k_typed<uint8_t>(context);
    case DType::kInt16: return prepare_top_k_typed<int16_t>(context);
    case DType::kInt32: return prepare_top_k_typed<int32_t>(context);
    case DType::kInt64: return prepare_top_k_typed<int64_t>(context);
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
