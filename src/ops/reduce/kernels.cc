// prepare() of reductions of floats, plain integers and booleans.
#include <limits>
#include <type_traits>

#include "ops/reduce/column_sums.h"
#include "ops/reduce/op.h"
#include "ops/reduce/plan.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

constexpr size_t kNoBlocks = std::numeric_limits<size_t>::max();

// Integers are added and multiplied as unsigned ones: they wrap.
template <class T>
struct Wrapping {
  using type = T;
};
template <>
struct Wrapping<int64_t> {
  using type = uint64_t;
};
template <>
struct Wrapping<int32_t> {
  using type = uint32_t;
};
template <>
struct Wrapping<int16_t> {
  using type = uint32_t;
};
template <>
struct Wrapping<int8_t> {
  using type = uint32_t;
};
template <>
struct Wrapping<uint8_t> {
  using type = uint32_t;
};

// The sum, or the mean of `count` values (count 0: the sum).
struct FloatSum {
  using Value = float;
  using Out = float;
  using Acc = float;
  using Total = double;
  static constexpr size_t kBlock = 64;
  static constexpr bool kOrdered = false;
  size_t count = 0;
  ColumnSums<float, float> column_sums = select_column_sums<float, float>();

  static Acc start() noexcept { return 0; }
  static Total start_total() noexcept { return 0; }
  static Acc add(Acc acc, float x) noexcept { return acc + x; }
  static Total fold(Total total, Acc acc) noexcept { return total + static_cast<double>(acc); }
  float finish(Total total) const noexcept {
    return static_cast<float>(count == 0 ? total : total / static_cast<double>(count));
  }
};

template <class T>
struct IntegerSum {
  using Value = T;
  using Out = T;
  using Acc = uint64_t;
  using Total = uint64_t;
  static constexpr size_t kBlock = kNoBlocks;
  static constexpr bool kOrdered = false;
  size_t count = 0;

  static Acc start() noexcept { return 0; }
  static Total start_total() noexcept { return 0; }
  static Acc add(Acc acc, T x) noexcept { return acc + static_cast<uint64_t>(x); }
  static Total fold(Total total, Acc acc) noexcept { return total + acc; }
  T finish(Total total) const noexcept {
    return static_cast<T>(count == 0 ? static_cast<int64_t>(total)
                                     : static_cast<int64_t>(total) / static_cast<int64_t>(count));
  }
};

template <class T>
struct Product {
  using Value = T;
  using Out = T;
  using Acc = typename Wrapping<T>::type;
  using Total = Acc;
  static constexpr size_t kBlock = kNoBlocks;
  static constexpr bool kOrdered = false;

  static Acc start() noexcept { return 1; }
  static Total start_total() noexcept { return 1; }
  static Acc add(Acc acc, T x) noexcept { return acc * static_cast<Acc>(x); }
  static Total fold(Total total, Acc acc) noexcept { return total * acc; }
  static T finish(Total total) noexcept { return static_cast<T>(total); }
};

template <class T, bool kLarger>
struct Extreme {
  using Value = T;
  using Out = T;
  using Acc = T;
  using Total = T;
  static constexpr size_t kBlock = kNoBlocks;
  static constexpr bool kOrdered = false;

  static Acc start() noexcept {
    if constexpr (std::is_floating_point_v<T>) {
      return kLarger ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
    } else {
      return kLarger ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
    }
  }
  static Total start_total() noexcept { return start(); }
  static Acc add(Acc acc, T x) noexcept { return (kLarger ? x > acc : x < acc) ? x : acc; }
  static Total fold(Total total, Acc acc) noexcept { return add(total, acc); }
  static T finish(Total total) noexcept { return total; }
};

template <bool kAll>
struct Logical {
  using Value = uint8_t;
  using Out = uint8_t;
  using Acc = uint8_t;
  using Total = uint8_t;
  static constexpr size_t kBlock = kNoBlocks;
  static constexpr bool kOrdered = false;

  static Acc start() noexcept { return kAll ? 1 : 0; }
  static Total start_total() noexcept { return start(); }
  static Acc add(Acc acc, uint8_t x) noexcept {
    const uint8_t value = x != 0;
    return static_cast<Acc>(kAll ? acc & value : acc | value);
  }
  static Total fold(Total total, Acc acc) noexcept { return add(total, acc); }
  static uint8_t finish(Total total) noexcept { return total; }
};

template <class T>
Result<Prepared> prepare_extreme(const OpContext& context, const Axes& axes, const char* type) {
  if (context.node->op == Op::REDUCE_MAX)
    return reduce_kernel(context, axes, Extreme<T, true>(), std::string("max_") + type);
  return reduce_kernel(context, axes, Extreme<T, false>(), std::string("min_") + type);
}

Result<Prepared> prepare_extremes(const OpContext& context, const Axes& axes) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  if (input.quant->quantized() &&
      (input.quant->scale != output.quant->scale || input.zero_point() != output.zero_point())) {
    return context.fail(ErrorCode::kUnsupported, "input and output must have the same scale and zero point");
  }
  switch (input.dtype) {
    case DType::kFloat32: return prepare_extreme<float>(context, axes, "f32");
    case DType::kInt32: return prepare_extreme<int32_t>(context, axes, "s32");
    case DType::kInt64: return prepare_extreme<int64_t>(context, axes, "s64");
    case DType::kInt16: return prepare_extreme<int16_t>(context, axes, "s16");
    case DType::kInt8: return prepare_extreme<int8_t>(context, axes, "s8");
    case DType::kUInt8: return prepare_extreme<uint8_t>(context, axes, "u8");
    case DType::kBool:
      if (context.node->op == Op::REDUCE_MAX) return reduce_kernel(context, axes, Logical<false>(), "max_bool");
      return reduce_kernel(context, axes, Logical<true>(), "min_bool");
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_product(const OpContext& context, const Axes& axes) {
  switch (context.inputs[0].dtype) {
    case DType::kFloat32: return reduce_kernel(context, axes, Product<float>(), "prod_f32");
    case DType::kInt32: return reduce_kernel(context, axes, Product<int32_t>(), "prod_s32");
    case DType::kInt64: return reduce_kernel(context, axes, Product<int64_t>(), "prod_s64");
    case DType::kInt16: return reduce_kernel(context, axes, Product<int16_t>(), "prod_s16 plain");
    case DType::kInt8: return reduce_kernel(context, axes, Product<int8_t>(), "prod_s8 plain");
    case DType::kUInt8: return reduce_kernel(context, axes, Product<uint8_t>(), "prod_u8 plain");
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_sum(const OpContext& context, const Axes& axes) {
  const size_t outputs = context.outputs[0].count();
  const bool mean = context.node->op == Op::MEAN;
  const size_t count = mean && outputs > 0 ? context.inputs[0].count() / outputs : 0;
  switch (context.inputs[0].dtype) {
    case DType::kFloat32: return reduce_kernel(context, axes, FloatSum{.count = count}, mean ? "mean_f32" : "sum_f32");
    case DType::kInt32: return reduce_kernel(context, axes, IntegerSum<int32_t>{count}, mean ? "mean_s32" : "sum_s32");
    case DType::kInt64: return reduce_kernel(context, axes, IntegerSum<int64_t>{count}, mean ? "mean_s64" : "sum_s64");
    default: return unsupported_types(context);
  }
}

Prepared fill_with_nan(size_t count) {
  return make_kernel(
      [count](const RunArgs& args) noexcept {
        for (size_t i = 0; i < count; ++i) out<float>(args)[i] = std::numeric_limits<float>::quiet_NaN();
      },
      "mean of nothing");
}

}  // namespace

Result<Prepared> prepare_reduction(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  if (input.dtype != context.outputs[0].dtype) return unsupported_types(context);
  FB_ASSIGN(const Axes axes, read_axes(context, 1));
  switch (context.node->op) {
    case Op::REDUCE_ANY:
      FB_TRY(require_type(context, input, "the input", {DType::kBool}));
      return reduce_kernel(context, axes, Logical<false>(), "any");
    case Op::REDUCE_ALL:
      FB_TRY(require_type(context, input, "the input", {DType::kBool}));
      return reduce_kernel(context, axes, Logical<true>(), "all");
    case Op::REDUCE_MAX:
    case Op::REDUCE_MIN: return prepare_extremes(context, axes);
    case Op::REDUCE_PROD:
      return input.quant->quantized() ? prepare_quantized_reduction(context) : prepare_product(context, axes);
    default: break;
  }
  if (input.dtype == DType::kInt8 || input.dtype == DType::kUInt8 || input.dtype == DType::kInt16) {
    return prepare_quantized_reduction(context);
  }
  if (context.node->op == Op::MEAN && input.dtype == DType::kFloat32 && input.count() == 0) {
    return fill_with_nan(context.outputs[0].count());
  }
  return prepare_sum(context, axes);
}

}  // namespace fewbits::ops
