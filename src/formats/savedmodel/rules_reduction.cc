// Reductions along axes, softmax, sorting.
#include <algorithm>
#include <numeric>

#include "formats/options.h"
#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {
namespace {

using enum fewbits::Op;

template <fewbits::Op kOp>
Result<Tensors> reduce(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(auto axes, op.axes(1, op.in(0), "axes"));
  if (axes.empty()) return Tensors{op.inputs[0]};
  std::sort(axes.begin(), axes.end());
  return one(b.reduce(kOp, op.in(0), axes, op.attrs.flag("keep_dims", false)));
}

Result<Tensors> euclidean_norm(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(const auto axes, op.axes(1, op.in(0), "axes"));
  return one(b.unary(SQRT, b.reduce(SUM, b.unary(SQUARE, op.in(0)), axes, op.attrs.flag("keep_dims", false))));
}

template <fewbits::Op kOp>
Result<Tensors> arg(const OpCall& op) {
  FB_ASSIGN(const int32_t axis, op.axis(1, op.in(0)));
  const bool wide = op.attrs.type("output_type", tf::DT_INT64) == tf::DT_INT64;
  return one(op.b().arg(kOp, op.in(0), axis, wide ? DType::kInt64 : DType::kInt32));
}

Result<Tensors> cumsum(const OpCall& op) {
  FB_ASSIGN(const int32_t axis, op.axis(1, op.in(0)));
  return one(op.b().cumsum(op.in(0), op.b().int_scalar(axis), op.attrs.flag("exclusive", false),
                           op.attrs.flag("reverse", false)));
}

Result<Tensors> softmax(const OpCall& op) { return one(op.b().softmax(op.in(0))); }
Result<Tensors> log_softmax(const OpCall& op) { return one(op.b().unary(LOG_SOFTMAX, op.in(0))); }

Result<Tensors> l2_loss(const OpCall& op) {
  GraphBuilder& b = op.b();
  std::vector<int32_t> axes(static_cast<size_t>(std::max(b.rank(op.in(0)), 0)));
  std::iota(axes.begin(), axes.end(), 0);
  const ValueId sum = b.reduce(SUM, b.unary(SQUARE, op.in(0)), axes, false);
  return one(b.mul(sum, b.scalar_like(0.5, sum)));
}

Result<Tensors> top_k(const OpCall& op) {
  return many(op.b().nodes(TOPK_V2, {op.in(0), op.index(1)}, 2, formats::options(tflite::TopKV2OptionsT())));
}

template <fewbits::Op kOp>
Result<Tensors> segments(const OpCall& op) {
  if (kOp == SEGMENT_SUM) return one(op.b().node(kOp, {op.in(0), op.index(1)}));
  return one(op.b().node(kOp, {op.in(0), op.index(1), op.index(2)}));
}

constexpr RuleEntry kRules[] = {
    {"All", reduce<REDUCE_ALL>},
    {"Any", reduce<REDUCE_ANY>},
    {"ArgMax", arg<ARG_MAX>},
    {"ArgMin", arg<ARG_MIN>},
    {"Cumsum", cumsum},
    {"EuclideanNorm", euclidean_norm},
    {"L2Loss", l2_loss},
    {"LogSoftmax", log_softmax},
    {"Max", reduce<REDUCE_MAX>},
    {"Mean", reduce<MEAN>},
    {"Min", reduce<REDUCE_MIN>},
    {"Prod", reduce<REDUCE_PROD>},
    {"SegmentSum", segments<SEGMENT_SUM>},
    {"Softmax", softmax},
    {"Sum", reduce<SUM>},
    {"TopKV2", top_k},
    {"UnsortedSegmentMax", segments<UNSORTED_SEGMENT_MAX>},
    {"UnsortedSegmentMin", segments<UNSORTED_SEGMENT_MIN>},
    {"UnsortedSegmentProd", segments<UNSORTED_SEGMENT_PROD>},
    {"UnsortedSegmentSum", segments<UNSORTED_SEGMENT_SUM>},
};

}  // namespace

std::span<const RuleEntry> reduction_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
