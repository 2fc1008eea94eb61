// ONNX reductions, arg-reductions, sorting and softmax.
#include <algorithm>
#include <numeric>

#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"
#include "formats/options.h"

namespace fewbits::onnx {
namespace {

// The axes that a reduction runs over; nothing when it leaves its input alone.
std::optional<std::vector<int32_t>> reduced_axes(Call& c, ValueId x) {
  const int rank = c.rank(x);
  auto given = c.ints_either("axes", 1);
  if (given && given->empty()) given.reset();
  if (!given && c.int_attr("noop_with_empty_axes", 0) != 0) return std::nullopt;
  std::vector<int32_t> all(static_cast<size_t>(rank));
  std::iota(all.begin(), all.end(), 0);
  return given ? c.axes(*given, rank) : all;
}

struct Reduction {
  Op op;
  ValueId (*before)(Call& c, ValueId x);  // null: nothing
  ValueId (*after)(Call& c, ValueId x);
};

void reduce(Call& c, const Reduction& reduction) {
  const ValueId source = c.need(0);
  const DType type = c.b.dtype(source);
  ValueId x = is_small_int(type) || type == DType::kBool ? c.b.cast(source, DType::kInt32) : source;
  const auto axes = reduced_axes(c, x);
  if (reduction.before != nullptr) x = reduction.before(c, x);
  if (axes) x = c.b.reduce(reduction.op, x, *axes, c.int_attr("keepdims", 1) != 0);
  if (reduction.after != nullptr) x = reduction.after(c, x);
  c.out(type == DType::kBool ? cast_like_onnx(c, x, type) : c.b.cast(x, type));
}

ValueId absolute(Call& c, ValueId x) { return c.b.unary(Op::ABS, x); }
ValueId square(Call& c, ValueId x) { return c.b.mul(x, x); }
ValueId root(Call& c, ValueId x) { return c.b.unary(Op::SQRT, x); }
ValueId logarithm(Call& c, ValueId x) { return c.b.unary(Op::LOG, x); }

void map_reduce_l1(Call& c) { reduce(c, {Op::SUM, absolute, nullptr}); }
void map_reduce_l2(Call& c) { reduce(c, {Op::SUM, square, root}); }
void map_reduce_log_sum(Call& c) { reduce(c, {Op::SUM, nullptr, logarithm}); }
void map_reduce_sum_square(Call& c) { reduce(c, {Op::SUM, square, nullptr}); }
void map_reduce_mean(Call& c) { reduce(c, {Op::MEAN, nullptr, nullptr}); }
void map_reduce_sum(Call& c) { reduce(c, {Op::SUM, nullptr, nullptr}); }
void map_reduce_prod(Call& c) { reduce(c, {Op::REDUCE_PROD, nullptr, nullptr}); }
void map_reduce_max(Call& c) { reduce(c, {Op::REDUCE_MAX, nullptr, nullptr}); }
void map_reduce_min(Call& c) { reduce(c, {Op::REDUCE_MIN, nullptr, nullptr}); }

// log(sum(exp(x))) from the largest on, so that nothing overflows.
void map_reduce_log_sum_exp(Call& c) {
  const ValueId x = c.need(0);
  const auto axes = reduced_axes(c, x);
  if (!axes) return c.out(x);
  const ValueId largest = c.b.reduce(Op::REDUCE_MAX, x, *axes, true);
  const ValueId sum = c.b.reduce(Op::SUM, c.b.unary(Op::EXP, c.b.sub(x, largest)), *axes, true);
  const ValueId y = c.b.add(c.b.unary(Op::LOG, sum), largest);
  c.out(c.int_attr("keepdims", 1) != 0 ? y : c.b.squeeze(y, *axes));
}

template <Op kOp>
void map_arg(Call& c) {
  ValueId x = c.need(0);
  const int rank = c.rank(x), axis = c.axis(c.int_attr("axis", 0), rank);
  const bool last = c.int_attr("select_last_index", 0) != 0;
  if (last) x = c.b.node(Op::REVERSE_V2, {x, c.b.ints({axis})}, formats::options(tflite::ReverseV2OptionsT()));
  ValueId y = c.b.arg(kOp, x, axis);
  if (last) y = c.b.sub(c.b.sub(c.b.size_of(x, axis), c.b.int_scalar(1)), y);
  if (c.int_attr("keepdims", 1) != 0) y = c.b.expand_dims(y, {axis});
  c.out(y);
}

// `axis` and the last dimension change places.
std::vector<int32_t> swap_with_last(int rank, int axis) {
  std::vector<int32_t> perm(static_cast<size_t>(rank));
  std::iota(perm.begin(), perm.end(), 0);
  if (rank > 0) std::swap(perm[static_cast<size_t>(axis)], perm.back());
  return perm;
}

void map_top_k(Call& c) {
  ValueId x = c.need(0);
  const int rank = c.rank(x), axis = c.axis(c.int_attr("axis", -1), rank);
  const auto perm = swap_with_last(rank, axis);
  x = c.b.transpose(x, perm);
  const bool largest = c.int_attr("largest", 1) != 0;
  const ValueId k = c.has_attr("k") ? c.b.int_scalar(static_cast<int32_t>(c.int_attr("k", 1)))
                                    : c.b.reshape(c.b.cast(c.need(1), DType::kInt32), {});
  if (!largest) x = c.b.unary(Op::NEG, x);
  const auto found = c.b.nodes(Op::TOPK_V2, {x, k}, 2, formats::options(tflite::TopKV2OptionsT()));
  c.out(c.b.transpose(largest ? found[0] : c.b.unary(Op::NEG, found[0]), perm), 0);
  c.out(c.b.transpose(found[1], perm), 1);
}

void map_cum_sum(Call& c) {
  const auto axis = c.const_ints(1);
  if (axis.empty()) return (void)c.invalid("there is no axis");
  const ValueId x = c.need(0);
  const ValueId at = c.b.int_scalar(c.axis(axis[0], c.rank(x)));
  c.out(c.b.cumsum(x, at, c.int_attr("exclusive", 0) != 0, c.int_attr("reverse", 0) != 0));
}

// Runs `along` on the last dimension. Before opset 13 the dimensions from `axis` on are one.
void along_axis(Call& c, ValueId (*along)(Call&, ValueId)) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  const int axis = c.axis(c.int_attr("axis", c.opset() < 13 ? 1 : -1), rank);
  if (axis == rank - 1) return c.out(along(c, x));
  if (c.opset() >= 13) {
    const auto perm = swap_with_last(rank, axis);
    return c.out(c.b.transpose(along(c, c.b.transpose(x, perm)), perm));
  }
  const ValueId y = along(c, c.b.flatten_from(x, axis));
  c.out(c.b.is_static(x) ? c.b.reshape(y, c.b.shape(x)) : c.b.reshape_to(y, c.b.shape_of(x)));
}

ValueId softmax_last(Call& c, ValueId x) { return c.b.softmax(x); }
ValueId log_softmax_last(Call& c, ValueId x) { return c.b.unary(Op::LOG_SOFTMAX, x); }
ValueId hardmax_last(Call& c, ValueId x) {
  const int rank = c.rank(x);
  tflite::OneHotOptionsT table;
  table.axis = rank - 1;
  const ValueId largest = c.b.arg(Op::ARG_MAX, x, std::max(rank - 1, 0));
  return c.b.node(Op::ONE_HOT, {largest, c.b.size_of(x, -1), c.b.scalar_like(1, x), c.b.scalar_like(0, x)},
                  formats::options(std::move(table)));
}
void map_softmax(Call& c) { along_axis(c, softmax_last); }
void map_log_softmax(Call& c) { along_axis(c, log_softmax_last); }
void map_hardmax(Call& c) { along_axis(c, hardmax_last); }

constexpr OpEntry kOps[] = {
    {"ArgMax", map_arg<Op::ARG_MAX>},
    {"ArgMin", map_arg<Op::ARG_MIN>},
    {"CumSum", map_cum_sum},
    {"Hardmax", map_hardmax},
    {"LogSoftmax", map_log_softmax},
    {"ReduceL1", map_reduce_l1},
    {"ReduceL2", map_reduce_l2},
    {"ReduceLogSum", map_reduce_log_sum},
    {"ReduceLogSumExp", map_reduce_log_sum_exp},
    {"ReduceMax", map_reduce_max},
    {"ReduceMean", map_reduce_mean},
    {"ReduceMin", map_reduce_min},
    {"ReduceProd", map_reduce_prod},
    {"ReduceSum", map_reduce_sum},
    {"ReduceSumSquare", map_reduce_sum_square},
    {"Softmax", map_softmax},
    {"TopK", map_top_k},
};

}  // namespace

std::span<const OpEntry> reduce_ops() { return kOps; }

}  // namespace fewbits::onnx
