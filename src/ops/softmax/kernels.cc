// prepare() of SOFTMAX and LOG_SOFTMAX.
#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "kernels/broadcast.h"
#include "kernels/quantize.h"
#include "ops/softmax/byte_rows.h"
#include "ops/softmax/op.h"
#include "ops/softmax/ref.h"
#include "ops/support.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// A kernel that calls row(in, out, depth) for every row of the last dimension, on the pool's threads.
template <class In, class Out, class Row>
Prepared row_kernel(const OpContext& context, const Row& row, const char* choice) {
  const auto depth = static_cast<size_t>(context.inputs[0].dim(-1));
  const size_t rows = depth == 0 ? 0 : context.inputs[0].count() / depth;
  const size_t grain = depth == 0 ? 1 : kCostlyGrain / depth + 1;
  return make_kernel(
      [row, rows, depth, grain](const RunArgs& args) noexcept {
        parallel_for(args.pool, rows, grain, [&](size_t begin, size_t end) {
          for (size_t r = begin; r < end; ++r) row(in<In>(args, 0) + r * depth, out<Out>(args) + r * depth, depth);
        });
      },
      choice);
}

Status require_rank(const OpContext& context) {
  if (context.inputs[0].rank() >= 1) return {};
  return context.fail(ErrorCode::kInvalidModel, "the input must have a dimension to normalize over");
}

// The output's parameters are prescribed; LiteRT accepts a scale within a thousandth.
Status require_output(const OpContext& context, float scale, int32_t zero_point) {
  const TensorInfo& output = context.outputs[0];
  FB_TRY(require_per_tensor(context, context.inputs[0], "the input"));
  FB_TRY(require_per_tensor(context, output, "the output"));
  if (std::abs(output.scale() - scale) <= 0.001f * scale && output.zero_point() == zero_point) return {};
  return context.fail(ErrorCode::kUnsupported, "the output must have scale {} and zero point {}, not {} and {}", scale,
                      zero_point, output.scale(), output.zero_point());
}

// Rows of bytes by tables (byte_rows.h), where they are long enough for tables to pay and short enough that sums of their
// exponentials, at most 2^19 each, do not overflow.
constexpr size_t kLeastByteDepth = 32, kMostByteDepth = 4095;

#if defined(__x86_64__)
class ByteSoftmax {
 public:
  ByteSoftmax(const ExpTable& table, uint8_t flip) : table_(table), flip_(flip) {
    for (size_t d = 0; d < 256; ++d) {
      for (size_t b = 0; b < 3; ++b) addend_[b][d] = static_cast<uint8_t>(table.addend[d] >> (8 * b));
    }
    count_ = std::min<size_t>(256, static_cast<size_t>(-static_cast<int64_t>(table.least_difference)) + 1);
  }

  void operator()(const uint8_t* in, uint8_t* out, size_t depth) const noexcept {
    const uint8_t most = softmax_maximum_avx512vbmi(in, depth, flip_);
    const uint32_t sum = softmax_sum_avx512vbmi(addend_.data(), in, depth, flip_, most);
    const auto [reciprocal, exponent] = softmax_scaling(sum, 8);
    softmax_shares_avx512vbmi({table_.exponential.data(), count_, reciprocal, exponent}, in, out, depth, flip_, most);
  }

 private:
  ExpTable table_;
  std::array<uint8_t[256], 3> addend_{};  // the bytes of ExpTable::addend
  size_t count_ = 0;
  uint8_t flip_;
};
#endif

template <class In>
Result<Prepared> prepare_softmax_8bit(const OpContext& context, float beta) {
  const TensorInfo& output = context.outputs[0];
  const ExpTable table(static_cast<double>(beta), static_cast<double>(context.inputs[0].scale()));
  if (output.dtype == DType::kInt16) {
    FB_TRY(require_per_tensor(context, context.inputs[0], "the input"));
    return row_kernel<In, int16_t>(
        context,
        [table](const In* x, int16_t* y, size_t depth) noexcept { softmax_row_8bit<In, int16_t>(table, x, y, depth); },
        "softmax 8 to 16 bits");
  }
  if (output.dtype != context.inputs[0].dtype) return unsupported_types(context);
  FB_TRY(require_output(context, 1.0f / 256, type_range(output.dtype).lo));
#if defined(__x86_64__)
  const auto length = static_cast<size_t>(context.inputs[0].dim(-1));
  if (has_byte_permutes() && length >= kLeastByteDepth && length <= kMostByteDepth) {
    return row_kernel<uint8_t, uint8_t>(context, ByteSoftmax(table, std::is_same_v<In, int8_t> ? 0x80 : 0),
                                        "softmax 8 bits by byte tables avx512vbmi");
  }
#endif
  return row_kernel<In, In>(
      context, [table](const In* x, In* y, size_t depth) noexcept { softmax_row_8bit<In, In>(table, x, y, depth); },
      "softmax 8 bits");
}

template <class T>
Result<Prepared> prepare_log_softmax_8bit(const OpContext& context) {
  FB_TRY(require_output(context, 16.0f / 256, type_range(context.outputs[0].dtype).hi));
  const LogSoftmaxArgs row(static_cast<double>(context.inputs[0].scale()), context.outputs[0].zero_point());
  return row_kernel<T, T>(
      context, [row](const T* x, T* y, size_t depth) noexcept { log_softmax_row_8bit<T>(row, x, y, depth); },
      "log_softmax 8 bits");
}

}  // namespace

Result<Prepared> prepare_softmax(const OpContext& context) {
  FB_TRY(require_rank(context));
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  const auto* options = context.node->options->AsSoftmaxOptions();
  const float beta = options == nullptr ? 0.0f : options->beta;
  const FloatRows& rows = select_float_rows(isa());
  if (input.dtype == DType::kFloat32 && output.dtype == DType::kFloat32) {
    return row_kernel<float, float>(
        context,
        [beta, &rows](const float* x, float* y, size_t depth) noexcept { softmax_row_f32(rows, x, y, depth, beta); },
        "softmax_f32");
  }
  if (input.dtype != DType::kFloat32 && !(beta > 0 && std::isfinite(beta))) {
    return context.fail(ErrorCode::kUnsupported, "beta must be positive for integers, not {}", beta);
  }
  if (input.dtype == DType::kInt8) return prepare_softmax_8bit<int8_t>(context, beta);
  if (input.dtype == DType::kUInt8) return prepare_softmax_8bit<uint8_t>(context, beta);
  if (input.dtype != DType::kInt16 || output.dtype != DType::kInt16) return unsupported_types(context);
  FB_TRY(require_output(context, 1.0f / 32768, 0));
  if (input.zero_point() != 0)
    return context.fail(ErrorCode::kUnsupported, "an int16 input must have the zero point 0");
  return row_kernel<int16_t, int16_t>(
      context,
      [row = SoftmaxInt16Args(input.scale(), beta)](const int16_t* x, int16_t* y, size_t depth) noexcept {
        softmax_row_int16(row, x, y, depth);
      },
      "softmax_s16");
}

Result<Prepared> prepare_log_softmax(const OpContext& context) {
  FB_TRY(require_rank(context));
  if (context.inputs[0].dtype != context.outputs[0].dtype) return unsupported_types(context);
  switch (context.inputs[0].dtype) {
    case DType::kFloat32:
      return row_kernel<float, float>(
          context,
          [&rows = select_float_rows(isa())](const float* x, float* y, size_t depth) noexcept {
            log_softmax_row_f32(rows, x, y, depth);
          },
          "log_softmax_f32");
    case DType::kInt8: return prepare_log_softmax_8bit<int8_t>(context);
    case DType::kUInt8: return prepare_log_softmax_8bit<uint8_t>(context);
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_l2_normalization(const OpContext& context) {
  FB_TRY(require_rank(context));
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  if (input.dtype != output.dtype) return unsupported_types(context);
  const auto* options = context.node->options->AsL2NormOptions();
  if (options != nullptr && options->fused_activation_function != tflite::ActivationFunctionType::NONE) {
    return context.fail(ErrorCode::kUnsupported, "a fused activation cannot be run");
  }
  const auto rows = [&]<class T>(T) {
    return row_kernel<T, T>(
        context,
        [in_zero = input.zero_point(), out_zero = output.zero_point()](const T* x, T* y, size_t depth) noexcept {
          l2_normalize_row_8bit<T>(in_zero, out_zero, x, y, depth);
        },
        "l2_normalization 8 bits");
  };
  switch (input.dtype) {
    case DType::kFloat32: return row_kernel<float, float>(context, l2_normalize_row_f32, "l2_normalization_f32");
    case DType::kInt8: FB_TRY(require_output(context, 1.0f / 128, 0)); return rows(int8_t());
    case DType::kUInt8: FB_TRY(require_output(context, 1.0f / 128, 128)); return rows(uint8_t());
    default: return unsupported_types(context);
  }
}

Result<Prepared> prepare_local_response_normalization(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the input", {DType::kFloat32}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kFloat32}));
  FB_TRY(require_rank(context));
  ResponseArgs row;
  if (const auto* options = context.node->options->AsLocalResponseNormalizationOptions()) {
    row = {options->radius, options->bias, options->alpha, options->beta};
  }
  if (row.radius < 0) return context.fail(ErrorCode::kInvalidModel, "the radius {} is negative", row.radius);
  return row_kernel<float, float>(
      context, [row](const float* x, float* y, size_t depth) noexcept { local_response_row(row, x, y, depth); },
      "local_response_normalization");
}

}  // namespace fewbits::ops
