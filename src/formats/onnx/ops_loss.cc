// ONNX losses, which graphs for training evaluate: the value at each target is a sum over the one that it marks.
#include <algorithm>

#include "formats/onnx/importer.h"
#include "formats/options.h"

namespace fewbits::onnx {
namespace {

// x [n, classes, ...] as [n, ..., classes], the dots as one dimension where there are several; the same of its target [n, ...].
struct Scores {
  ValueId x = kNoValue, target = kNoValue;
  Shape shape;  // of x
};

std::optional<Scores> scores(Call& c) {
  Scores s{c.need(0), c.b.cast(c.need(1), DType::kInt32), {}};
  const int rank = c.rank(s.x);
  s.shape = c.b.shape(s.x);
  if (rank < 2 || c.b.rank(s.target) != rank - 1 || s.shape[1] < 1 || (rank > 3 && !c.b.is_static(s.x))) {
    c.unsupported("scores and targets of these shapes");
    return std::nullopt;
  }
  if (rank > 3) {
    const auto places = static_cast<int32_t>(element_count(s.shape) / static_cast<size_t>(s.shape[0] * s.shape[1]));
    s.x = c.b.reshape(s.x, {s.shape[0], s.shape[1], places});
    s.target = c.b.reshape(s.target, {s.shape[0], places});
  }
  if (rank > 2) s.x = c.b.transpose(s.x, {0, 2, 1});
  return s;
}

void loss(Call& c, const Scores& s, ValueId log_probabilities) {
  GraphBuilder& b = c.b;
  tflite::OneHotOptionsT table;
  table.axis = -1;
  const ValueId hot = b.node(
      Op::ONE_HOT, {s.target, b.int_scalar(s.shape[1]), b.scalar(1, DType::kFloat32), b.scalar(0, DType::kFloat32)},
      formats::options(std::move(table)));
  const auto marked = [&](ValueId values) { return b.reduce(Op::SUM, b.mul(hot, values), {b.rank(hot) - 1}, false); };
  ValueId weight = c.has(2) ? marked(c.in(2)) : kNoValue;
  if (c.has_attr("ignore_index")) {
    const ValueId ignored = b.int_scalar(static_cast<int32_t>(c.int_attr("ignore_index", 0)));
    const ValueId counts = b.cast(b.binary(Op::NOT_EQUAL, s.target, ignored), DType::kFloat32);
    weight = weight == kNoValue ? counts : b.mul(weight, counts);
  }
  ValueId y = b.unary(Op::NEG, marked(log_probabilities));
  if (weight != kNoValue) y = b.mul(y, weight);
  const std::string reduction = c.string_attr("reduction", "mean");
  std::vector<int32_t> all;
  for (int i = 0; i < b.rank(y); ++i) all.push_back(i);
  if (reduction == "none") {
    if (s.shape.size() > 3) {
      Shape shape = s.shape;
      shape.erase(shape.begin() + 1);
      y = b.reshape(y, shape);
    }
  } else if (reduction == "sum") {
    y = b.reduce(Op::SUM, y, all, false);
  } else if (reduction == "mean") {
    y = weight == kNoValue ? b.reduce(Op::MEAN, y, all, false)
                           : b.div(b.reduce(Op::SUM, y, all, false), b.reduce(Op::SUM, weight, all, false));
  } else {
    return (void)c.invalid("its reduction is '" + reduction + "'");
  }
  c.out(y);
}

void map_negative_log_likelihood(Call& c) {
  if (const auto s = scores(c)) loss(c, *s, s->x);
}

void map_softmax_cross_entropy(Call& c) {
  const auto s = scores(c);
  if (!s) return;
  const ValueId log_probabilities = c.b.unary(Op::LOG_SOFTMAX, s->x);
  loss(c, *s, log_probabilities);
  if (!c.wants(1) || !c.b.ok()) return;
  const ValueId y = s->shape.size() > 2 ? c.b.transpose(log_probabilities, {0, 2, 1}) : log_probabilities;
  c.out(s->shape.size() > 3 ? c.b.reshape(y, s->shape) : y, 1);
}

constexpr OpEntry kOps[] = {
    {"NegativeLogLikelihoodLoss", map_negative_log_likelihood},
    {"SoftmaxCrossEntropyLoss", map_softmax_cross_entropy},
};

}  // namespace

std::span<const OpEntry> loss_ops() { return kOps; }

}  // namespace fewbits::onnx
