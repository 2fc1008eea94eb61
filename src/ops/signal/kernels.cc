// prepare() of the operators that take complex numbers apart.
#include <complex>

#include "base/thread_pool.h"
#include "ops/signal/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

constexpr size_t kGrain = 1 << 14;  // elements for one thread

template <class T, class Part>
Prepared part_kernel(size_t count, Part part, const char* choice) {
  return make_kernel(
      [count, part](const RunArgs& args) noexcept {
        const auto* from = in<std::complex<T>>(args, 0);
        T* to = out<T>(args);
        parallel_for(args.pool, count, kGrain, [&](size_t begin, size_t end) {
          for (size_t i = begin; i < end; ++i) to[i] = part(from[i]);
        });
      },
      choice);
}

template <class Part>
Result<Prepared> prepare_part(const OpContext& context, Part part, const char* choice) {
  const size_t count = context.inputs[0].count();
  const DType from = context.inputs[0].dtype, to = context.outputs[0].dtype;
  if (from == DType::kComplex64 && to == DType::kFloat32) return part_kernel<float>(count, part, choice);
  if (from == DType::kComplex128 && to == DType::kFloat64) return part_kernel<double>(count, part, choice);
  return unsupported_types(context);
}

}  // namespace

Result<Prepared> prepare_complex_abs(const OpContext& context) {
  return prepare_part(context, [](auto x) { return std::abs(x); }, "abs");
}
Result<Prepared> prepare_real(const OpContext& context) {
  return prepare_part(context, [](auto x) { return x.real(); }, "real");
}
Result<Prepared> prepare_imag(const OpContext& context) {
  return prepare_part(context, [](auto x) { return x.imag(); }, "imag");
}

}  // namespace fewbits::ops
