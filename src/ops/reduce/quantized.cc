// prepare() of SUM, MEAN and REDUCE_PROD on int8, uint8 and int16 with scales, as LiteRT's
// kernels/internal/reference/reduce.h.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/fixed_point.h"
#include "ops/reduce/column_sums.h"
#include "ops/reduce/op.h"
#include "ops/reduce/plan.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

constexpr size_t kNoBlocks = std::numeric_limits<size_t>::max();

// The sum of stored values less as many zero points, rescaled; for a mean, the multiplier holds the division.
template <class T>
struct QuantizedSum {
  using Value = T;
  using Out = T;
  using Acc = uint32_t;  // wraps
  using Total = uint32_t;
  static constexpr size_t kBlock = kNoBlocks;
  static constexpr bool kOrdered = false;
  ColumnSums<T, Acc> column_sums = select_column_sums<T, Acc>();
  uint32_t zeros = 0;  // the input's zero point times the number of values
  int32_t out_zero = 0;
  FixedMultiplier multiplier;

  static Acc start() noexcept { return 0; }
  static Total start_total() noexcept { return 0; }
  static Acc add(Acc acc, T x) noexcept { return acc + static_cast<uint32_t>(x); }
  static Total fold(Total total, Acc acc) noexcept { return total + acc; }
  T finish(Total total) const noexcept {
    const int64_t q =
        int64_t{multiply_by_quantized_multiplier(static_cast<int32_t>(total - zeros), multiplier)} + out_zero;
    return static_cast<T>(std::clamp<int64_t>(q, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
};

// The product, rescaled at every step by the input's scale over the n-th root of the output's.
template <class T>
struct QuantizedProduct {
  struct Partial {
    int32_t value;
    bool any;
  };
  using Value = T;
  using Out = T;
  using Acc = Partial;
  using Total = Partial;
  static constexpr size_t kBlock = kNoBlocks;
  static constexpr bool kOrdered = true;
  int32_t in_zero = 0, out_zero = 0;
  FixedMultiplier multiplier;

  static Acc start() noexcept { return {0, false}; }
  static Total start_total() noexcept { return {0, false}; }
  Acc add(Acc acc, T x) const noexcept {
    const int32_t factor = x - in_zero;
    if (!acc.any) return {factor, true};
    return {multiply_by_quantized_multiplier(int64_t{acc.value} * factor, multiplier), true};
  }
  static Total fold(Total total, Acc acc) noexcept { return acc.any ? acc : total; }
  T finish(Total total) const noexcept {
    const int64_t q = int64_t{multiply_by_quantized_multiplier(int64_t{total.value}, multiplier)} + out_zero;
    return static_cast<T>(std::clamp<int64_t>(q, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
};

// sum * m / count as one multiplier: as many bits of the division as fit.
FixedMultiplier divided(FixedMultiplier m, int64_t count) noexcept {
  int shift = 63 - std::countl_zero(static_cast<uint64_t>(count));
  shift = std::min({shift, 32, 31 + m.shift});
  return {static_cast<int32_t>((int64_t{m.value} << shift) / count), m.shift - shift};
}

template <class T>
Result<Prepared> prepare_sum(const OpContext& context, const Axes& axes, size_t values) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  QuantizedSum<T> sum;
  sum.zeros = static_cast<uint32_t>(values) * static_cast<uint32_t>(input.zero_point());
  sum.out_zero = output.zero_point();
  sum.multiplier = quantize_multiplier(static_cast<double>(input.scale()) / static_cast<double>(output.scale()));
  const bool mean = context.node->op == Op::MEAN;
  if (mean) sum.multiplier = divided(sum.multiplier, static_cast<int64_t>(values));
  return reduce_kernel(context, axes, sum, std::string(mean ? "mean_" : "sum_") + dtype_name(input.dtype));
}

template <class T>
Result<Prepared> prepare_product(const OpContext& context, const Axes& axes, size_t values) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  const double step = static_cast<double>(input.scale()) /
                      std::pow(static_cast<double>(output.scale()), 1.0 / static_cast<double>(values));
  QuantizedProduct<T> product{input.zero_point(), output.zero_point(), quantize_multiplier(step)};
  // What the 16-bit multiplication of 64-bit accumulators takes.
  if (product.multiplier.shift > 14) {
    return context.fail(ErrorCode::kUnsupported, "the scale {} is too large for the output's, {}", input.scale(),
                        output.scale());
  }
  return reduce_kernel(context, axes, product, std::string("prod_") + dtype_name(input.dtype));
}

template <class T>
Result<Prepared> prepare_typed(const OpContext& context, const Axes& axes, size_t values) {
  if (context.node->op == Op::REDUCE_PROD) return prepare_product<T>(context, axes, values);
  return prepare_sum<T>(context, axes, values);
}

}  // namespace

Result<Prepared> prepare_quantized_reduction(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  FB_ASSIGN(const Axes axes, read_axes(context, 1));
  FB_TRY(require_type(context, input, "the input", {DType::kInt8, DType::kUInt8, DType::kInt16}));
  FB_TRY(require_per_tensor(context, input, "the input"));
  FB_TRY(require_per_tensor(context, output, "the output"));
  if (input.dtype == DType::kInt16 && (input.zero_point() != 0 || output.zero_point() != 0)) {
    return context.fail(ErrorCode::kUnsupported, "int16 tensors must have the zero point 0");
  }
  const size_t values = output.count() == 0 ? 0 : input.count() / output.count();
  if (values == 0) {
    return make_kernel(
        [bytes = byte_size(output.dtype, output.shape).value_or(0)](const RunArgs& args) noexcept {
          if (bytes > 0) std::memset(args.out[0], 0, bytes);
        },
        "reduction of nothing");
  }
  if (input.dtype == DType::kInt8) return prepare_typed<int8_t>(context, axes, values);
  if (input.dtype == DType::kUInt8 && context.node->op != Op::REDUCE_PROD)
    return prepare_typed<uint8_t>(context, axes, values);
  if (input.dtype == DType::kInt16) return prepare_typed<int16_t>(context, axes, values);
  return unsupported_types(context);
}

}  // namespace fewbits::ops
