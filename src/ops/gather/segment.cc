// SEGMENT_SUM and UNSORTED_SEGMENT_SUM, PROD, MIN, MAX: rows reduced by the segment that each belongs to.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "ops/gather/op.h"
#include "ops/gather/rows.h"

namespace fewbits::ops {
namespace {

enum class Reduction { kSum, kProd, kMin, kMax };

Reduction reduction_of(Op op) noexcept {
  switch (op) {
    case Op::UNSORTED_SEGMENT_PROD: return Reduction::kProd;
    case Op::UNSORTED_SEGMENT_MIN: return Reduction::kMin;
    case Op::UNSORTED_SEGMENT_MAX: return Reduction::kMax;
    default: return Reduction::kSum;
  }
}

template <Reduction kReduction, class T>
constexpr T initial() noexcept {
  switch (kReduction) {
    case Reduction::kSum: return 0;
    case Reduction::kProd: return 1;
    case Reduction::kMin: return std::numeric_limits<T>::max();
    default: return std::numeric_limits<T>::lowest();
  }
}

template <Reduction kReduction, class T>
T reduce(T a, T b) noexcept {
  // Unsigned, so that what overflows wraps.
  using U = std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
  switch (kReduction) {
    case Reduction::kSum: return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
    case Reduction::kProd: return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
    case Reduction::kMin: return std::min(a, b);
    default: return std::max(a, b);
  }
}

struct Segments {
  size_t rows = 0, inner = 0, segments = 0;
  DType id_type = DType::kInt32;

  // Rows whose id is no segment are left out; segments without rows keep the reduction's neutral value.
  template <Reduction kReduction, class T>
  void run(const RunArgs& args) const noexcept {
    T* result = out<T>(args);
    std::fill_n(result, segments * inner, initial<kReduction, T>());
    const IntOperand ids{args.in[1], id_type};
    for (size_t row = 0; row < rows; ++row) {
      const int64_t id = ids[row];
      if (id < 0 || static_cast<size_t>(id) >= segments) continue;
      const T* from = in<T>(args, 0) + row * inner;
      T* to = result + static_cast<size_t>(id) * inner;
      for (size_t i = 0; i < inner; ++i) to[i] = reduce<kReduction>(to[i], from[i]);
    }
  }
};

template <class T>
Prepared make_segments(Reduction reduction, const Segments& segments) {
  switch (reduction) {
    case Reduction::kSum:
      return make_kernel([=](const RunArgs& a) noexcept { segments.run<Reduction::kSum, T>(a); }, "segment_sum");
    case Reduction::kProd:
      return make_kernel([=](const RunArgs& a) noexcept { segments.run<Reduction::kProd, T>(a); }, "segment_prod");
    case Reduction::kMin:
      return make_kernel([=](const RunArgs& a) noexcept { segments.run<Reduction::kMin, T>(a); }, "segment_min");
    default: return make_kernel([=](const RunArgs& a) noexcept { segments.run<Reduction::kMax, T>(a); }, "segment_max");
  }
}

// The output: `segments` rows of what the ids leave of the data's dimensions.
Status set_segment_shape(OpContext& context, int64_t segments) {
  const Shape& data = context.inputs[0].shape;
  std::vector<int64_t> shape(data.begin() + context.inputs[1].rank(), data.end());
  shape.insert(shape.begin(), segments);
  return set_shape(context, 0, shape);
}

}  // namespace

// SEGMENT_SUM(data, ids): ids rise from segment to segment; the last one tells how many there are.
Status infer_segment_sum(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& data = context.inputs[0].shape;
  const Shape& ids = context.inputs[1].shape;
  if (ids.size() != 1 || data.empty() || data[0] != ids[0]) {
    return context.fail(ErrorCode::kInvalidModel, "segment ids {} do not fit data {}", shape_text(ids),
                        shape_text(data));
  }
  FB_ASSIGN(const auto values, int_values(context, 1));
  if (!values) return infer_dynamic(context);
  if ((!values->empty() && values->front() < 0) || !std::is_sorted(values->begin(), values->end())) {
    return context.fail(ErrorCode::kInvalidModel, "segment ids must not be negative or fall");
  }
  if (!values->empty() && values->back() >= INT32_MAX)
    return context.fail(ErrorCode::kInvalidModel, "a segment id is too large");
  return set_segment_shape(context, values->empty() ? 0 : values->back() + 1);
}

// UNSORTED_SEGMENT_*(data, ids, segments): ids name a segment for each index of the data's first dimensions.
Status infer_unsorted_segment(OpContext& context) {
  if (any_dynamic(context)) return {};
  const Shape& data = context.inputs[0].shape;
  const Shape& ids = context.inputs[1].shape;
  if (ids.size() > data.size() || !std::equal(ids.begin(), ids.end(), data.begin()) || context.inputs[2].count() != 1) {
    return context.fail(ErrorCode::kInvalidModel, "segment ids {} do not fit data {}", shape_text(ids),
                        shape_text(data));
  }
  FB_ASSIGN(const auto segments, int_values(context, 2));
  if (!segments) return infer_dynamic(context);
  return set_segment_shape(context, (*segments)[0]);
}

Result<Prepared> prepare_segment(const OpContext& context) {
  FB_TRY(require_movable(context, {0}));
  FB_TRY(require_integers(context, 1));
  const TensorInfo& ids = context.inputs[1];
  const TensorInfo& output = context.outputs[0];
  const Segments segments{.rows = ids.count(),
                          .inner = count_dims(output.shape, 1, output.rank()),
                          .segments = static_cast<size_t>(output.dim(0)),
                          .id_type = ids.dtype};
  if (output.count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  const Reduction reduction = reduction_of(context.node->op);
  switch (output.dtype) {
    case DType::kFloat32: return make_segments<float>(reduction, segments);
    case DType::kInt32: return make_segments<int32_t>(reduction, segments);
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
