// prepare() of the elementwise StableHLO operators that LiteRT runs, on two operands of one shape and plain numbers.
#include <type_traits>

#include "ops/binary/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

template <class T, class F>
Prepared kernel(const OpContext& context, F f, const char* choice) {
  return make_kernel(
      [f, count = context.outputs[0].count()](const RunArgs& args) noexcept {
        const T *a = in<T>(args, 0), *b = in<T>(args, 1);
        T* result = out<T>(args);
        parallel_for(args.pool, count, kCheapGrain, [&](size_t begin, size_t end) {
          FB_INDEPENDENT_LOOP
          for (size_t i = begin; i < end; ++i) result[i] = f(a[i], b[i]);
        });
      },
      choice);
}

// Integers wrap.
template <class T>
auto wide(T x) noexcept {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>>(x);
  } else {
    return x;
  }
}

template <class T>
Result<Prepared> prepare_typed(const OpContext& context) {
  switch (context.node->op) {
    case Op::STABLEHLO_ADD:
      return kernel<T>(context, [](T a, T b) noexcept { return static_cast<T>(wide(a) + wide(b)); }, "add plain");
    case Op::STABLEHLO_MULTIPLY:
      return kernel<T>(context, [](T a, T b) noexcept { return static_cast<T>(wide(a) * wide(b)); }, "mul plain");
    case Op::STABLEHLO_MAXIMUM:
      return kernel<T>(context, [](T a, T b) noexcept { return a > b ? a : b; }, "maximum plain");
    case Op::STABLEHLO_MINIMUM:
      return kernel<T>(context, [](T a, T b) noexcept { return a < b ? a : b; }, "minimum plain");
    default: break;
  }
  if constexpr (std::is_integral_v<T>) {
    if (context.node->op == Op::STABLEHLO_AND) {
      return kernel<T>(context, [](T a, T b) noexcept { return static_cast<T>(a & b); }, "and plain");
    }
    if (context.node->op == Op::STABLEHLO_SHIFT_LEFT) {
      // By the width or more, or by a negative number: nothing is left.
      return kernel<T>(
          context,
          [](T a, T b) noexcept {
            return static_cast<T>(b < 0 || b >= static_cast<T>(8 * sizeof(T)) ? 0
                                                                              : wide(a) << static_cast<unsigned>(b));
          },
          "shift_left plain");
    }
  }
  return unsupported_types(context);
}

}  // namespace

Result<Prepared> prepare_stablehlo(const OpContext& context) {
  const DType type = context.outputs[0].dtype;
  if (context.inputs[0].dtype != type || context.inputs[1].dtype != type) return unsupported_types(context);
  switch (type) {
    case DType::kFloat32: return prepare_typed<float>(context);
    case DType::kInt8: return prepare_typed<int8_t>(context);
    case DType::kInt16: return prepare_typed<int16_t>(context);
    case DType::kInt32: return prepare_typed<int32_t>(context);
    case DType::kInt64: return prepare_typed<int64_t>(context);
    case DType::kBool:
      if (context.node->op == Op::STABLEHLO_AND) return prepare_typed<uint8_t>(context);
      return unsupported_types(context);
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
