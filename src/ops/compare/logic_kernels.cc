// prepare() of LOGICAL_AND, LOGICAL_OR, LOGICAL_NOT, SELECT and SELECT_V2.
#include "kernels/broadcast.h"
#include "ops/compare/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class F>
Prepared logical_kernel(const Broadcast<2>& plan, F f, const char* choice) {
  return make_kernel(
      [plan, f](const RunArgs& args) noexcept {
        map_broadcast(plan, in<uint8_t>(args, 0), in<uint8_t>(args, 1), out<uint8_t>(args), args.pool, kCheapGrain, f);
      },
      choice);
}

template <class T>
void select_rows(const Broadcast<3>& plan, const RunArgs& args) noexcept {
  const size_t step = plan.row_stride(0), x_step = plan.row_stride(1), y_step = plan.row_stride(2);
  for_each_row(plan, args.pool, kCheapGrain, [&](const std::array<size_t, 3>& offsets, size_t at, size_t length) {
    const uint8_t* condition = in<uint8_t>(args, 0) + offsets[0];
    const T* x = in<T>(args, 1) + offsets[1];
    const T* y = in<T>(args, 2) + offsets[2];
    T* z = out<T>(args) + at;
    if (step == 1 && x_step == 1 && y_step == 1) {
      FB_INDEPENDENT_LOOP
      for (size_t i = 0; i < length; ++i) {
        const T taken = x[i], otherwise = y[i];
        z[i] = condition[i] != 0 ? taken : otherwise;
      }
    } else {
      for (size_t i = 0; i < length; ++i) z[i] = condition[i * step] != 0 ? x[i * x_step] : y[i * y_step];
    }
  });
}

template <class T>
Prepared select_kernel(const Broadcast<3>& plan) {
  return make_kernel([plan](const RunArgs& args) noexcept { select_rows<T>(plan, args); },
                     plan.rank == 1 ? "select contiguous" : "select broadcast");
}

}  // namespace

Result<Prepared> prepare_logical(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the first operand", {DType::kBool}));
  FB_TRY(require_type(context, context.inputs[1], "the second operand", {DType::kBool}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kBool}));
  const auto plan = plan_broadcast<2>({context.inputs[0].shape, context.inputs[1].shape}, context.outputs[0].shape);
  if (!plan) return context.fail(ErrorCode::kUnsupported, "too many dimensions broadcast");
  if (context.node->op == Op::LOGICAL_AND) {
    return logical_kernel(
        *plan, [](uint8_t a, uint8_t b) noexcept { return static_cast<uint8_t>((a != 0) & (b != 0)); }, "and");
  }
  return logical_kernel(*plan, [](uint8_t a, uint8_t b) noexcept { return static_cast<uint8_t>((a | b) != 0); }, "or");
}

Result<Prepared> prepare_logical_not(const OpContext& context) {
  FB_TRY(require_type(context, context.inputs[0], "the operand", {DType::kBool}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kBool}));
  return make_kernel(
      [count = context.outputs[0].count()](const RunArgs& args) noexcept {
        map_elements(in<uint8_t>(args, 0), out<uint8_t>(args), count, args.pool, kCheapGrain,
                     [](uint8_t x) noexcept { return static_cast<uint8_t>(x == 0); });
      },
      "not");
}

Result<Prepared> prepare_select(const OpContext& context) {
  const TensorInfo &condition = context.inputs[0], &x = context.inputs[1], &y = context.inputs[2],
                   &result = context.outputs[0];
  FB_TRY(require_type(context, condition, "the condition", {DType::kBool}));
  if (x.dtype != y.dtype || x.dtype != result.dtype) return unsupported_types(context);
  Shape mask = condition.shape;
  // SELECT's condition may have one boolean for each slice of dimension 0.
  if (context.node->op == Op::SELECT && condition.rank() == 1 && x.rank() > 1) mask.resize(x.shape.size(), 1);
  const auto plan = plan_broadcast<3>({mask, x.shape, y.shape}, result.shape);
  if (!plan) return context.fail(ErrorCode::kUnsupported, "too many dimensions broadcast");
  switch (dtype_bits(x.dtype)) {
    case 8: return select_kernel<uint8_t>(*plan);
    case 16: return select_kernel<uint16_t>(*plan);
    case 32: return select_kernel<uint32_t>(*plan);
    case 64: return select_kernel<uint64_t>(*plan);
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
