// prepare() of the pool family.
#include <algorithm>
#include <cmath>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "ops/pool/op.h"
#include "ops/pool/pool_args.h"
#include "ops/support.h"
#include "ops/window.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// Elements that one thread should have at least.
constexpr size_t kGrain = 1 << 14;

template <class T>
Prepared make_pool(const PoolArgs& pool) {
  PoolRows<T> rows = pool_rows_baseline<T>;
  const char* choice = "pool rows baseline";
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx2 && isa() < Isa::kNeon) {
    rows = pool_rows_avx2<T>;
    choice = "pool rows avx2";
  }
#endif
  const size_t work = static_cast<size_t>(pool.out_w) * static_cast<size_t>(pool.channels) *
                      static_cast<size_t>(std::min(pool.filter_h, pool.in_h)) *
                      static_cast<size_t>(std::min(pool.filter_w, pool.in_w));
  const size_t grain = std::max<size_t>(1, kGrain / std::max<size_t>(1, work));
  return make_kernel(
      [pool, rows, grain](const RunArgs& args) noexcept {
        parallel_for(args.pool, static_cast<size_t>(pool.batch) * static_cast<size_t>(pool.out_h), grain,
                     [&](size_t begin, size_t end) { rows(pool, in<T>(args, 0), out<T>(args), begin, end); });
      },
      choice);
}

// Same parameters on both sides, as LiteRT's kernels demand of int8 and uint8; and sums that fit int32.
Status check_integers(const OpContext& context, const PoolArgs& pool) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  FB_TRY(require_per_tensor(context, input, "the input"));
  FB_TRY(require_per_tensor(context, output, "the output"));
  if (std::abs(input.scale() - output.scale()) > 1e-6f || input.zero_point() != output.zero_point()) {
    return context.fail(ErrorCode::kInvalidModel,
                        "input ({}, {}) and output ({}, {}) must have the same scale and zero point", input.scale(),
                        input.zero_point(), output.scale(), output.zero_point());
  }
  const int64_t window = static_cast<int64_t>(std::min(pool.filter_h, pool.in_h)) * std::min(pool.filter_w, pool.in_w);
  const int64_t most = input.dtype == DType::kInt16 ? INT64_C(1) << 15 : INT64_C(1) << 22;
  if (pool.kind == PoolKind::kAverage && window > most) {
    return context.fail(ErrorCode::kUnsupported, "the sum over a window of {} elements can overflow", window);
  }
  return {};
}

}  // namespace

Result<Prepared> prepare_pool(const OpContext& context) {
  const TensorInfo &input = context.inputs[0], &output = context.outputs[0];
  const auto* given = context.node->options->AsPool2DOptions();
  if (given == nullptr) return context.fail(ErrorCode::kInvalidModel, "the pooling options are missing");
  const bool same = given->padding == tflite::Padding::SAME;
  const auto y = place_windows(same, input.dim(1), given->filter_height, given->stride_h, 1);
  const auto x = place_windows(same, input.dim(2), given->filter_width, given->stride_w, 1);
  if (!y || !x) return context.fail(ErrorCode::kInternal, "the window was not checked");
  PoolArgs pool{.kind = context.node->op == Op::MAX_POOL_2D  ? PoolKind::kMax
                        : context.node->op == Op::L2_POOL_2D ? PoolKind::kL2
                                                             : PoolKind::kAverage,
                .batch = input.dim(0),
                .in_h = input.dim(1),
                .in_w = input.dim(2),
                .channels = input.dim(3),
                .out_h = y->out,
                .out_w = x->out,
                .filter_h = given->filter_height,
                .filter_w = given->filter_width,
                .stride_h = given->stride_h,
                .stride_w = given->stride_w,
                .pad_top = y->pad,
                .pad_left = x->pad};
  if (output.dtype != input.dtype) return unsupported_types(context);
  if (input.dtype == DType::kFloat32) {
    FB_ASSIGN(const FloatRange range, activation_range(context, given->fused_activation_function));
    pool.lo_f = range.lo;
    pool.hi_f = range.hi;
    return make_pool<float>(pool);
  }
  if (pool.kind == PoolKind::kL2) return unsupported_types(context);
  FB_TRY(require_type(context, input, "the input", {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16}));
  FB_TRY(check_integers(context, pool));
  FB_ASSIGN(const IntRange range, activation_range_quantized(context, given->fused_activation_function, output));
  pool.lo = range.lo;
  pool.hi = range.hi;
  switch (input.dtype) {
    case DType::kInt8: return make_pool<int8_t>(pool);
    case DType::kUInt8: return make_pool<uint8_t>(pool);
    default: return make_pool<int16_t>(pool);
  }
}

}  // namespace fewbits::ops
