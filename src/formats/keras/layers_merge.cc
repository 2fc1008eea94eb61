// Layers of several inputs.
#include <algorithm>

#include "formats/keras/layer.h"

namespace fewbits::keras {
namespace {

template <Op kOp>
Outputs fold(LayerCall& call) {
  const std::vector<ValueId> inputs = call.tensors();
  if (inputs.empty()) return {call.unsupported("it has no input")};
  ValueId all = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) {
    // A layer of Keras aligns unequal ranks in a way of its own; numbers and functions of keras.ops broadcast.
    const bool broadcasts =
        call.is_operation || call.arguments[i].constant != nullptr || call.arguments[0].constant != nullptr;
    if (!broadcasts && call.b.rank(inputs[i]) != call.b.rank(all)) {
      return {call.unsupported("inputs of different ranks")};
    }
    all = call.b.binary(kOp, all, inputs[i]);
  }
  return {all};
}

Outputs average(LayerCall& call) {
  const Outputs sum = fold<Op::ADD>(call);
  return {call.b.mul(sum[0], call.b.scalar_like(1.0 / static_cast<double>(call.arguments.size()), sum[0]))};
}

Outputs concatenate(LayerCall& call) {
  const std::vector<ValueId> inputs = call.tensors();
  if (inputs.empty()) return {call.unsupported("it has no input")};
  int axis = call.integer("axis", -1);
  if (axis < 0) axis += call.b.rank(inputs[0]);
  return {call.b.concat(inputs, axis)};
}

// The product over one axis of each input, batch by batch.
Outputs dot(LayerCall& call) {
  GraphBuilder& b = call.b;
  ValueId x = call.in(0), y = call.in(1);
  auto axes = call.integers("axes", 2, 1);
  for (size_t i = 0; i < 2; ++i) {
    if (axes[i] < 0) axes[i] += b.rank(i == 0 ? x : y);
  }
  if (call.flag("normalize", false)) {
    const auto unit = [&](ValueId v, int axis) {
      const ValueId norm = b.reduce(Op::SUM, b.unary(Op::SQUARE, v), {axis}, true);
      return b.mul(v, b.unary(Op::RSQRT, b.binary(Op::MAXIMUM, norm, b.scalar_like(1e-12, norm))));
    };
    x = unit(x, axes[0]);
    y = unit(y, axes[1]);
  }
  if (b.rank(x) == 2 && b.rank(y) == 2) return {b.reduce(Op::SUM, b.mul(x, y), {1}, true)};
  if (b.rank(x) != 3 || b.rank(y) != 3) return {call.unsupported("a product of these ranks")};
  return {b.matmul(x, y, axes[0] == 1, axes[1] == 2)};
}

constexpr LayerEntry kLayers[] = {
    {"Add", fold<Op::ADD>},         {"Average", average},
    {"Concatenate", concatenate},   {"Dot", dot},
    {"Maximum", fold<Op::MAXIMUM>}, {"Minimum", fold<Op::MINIMUM>},
    {"Multiply", fold<Op::MUL>},    {"Subtract", fold<Op::SUB>},
};

}  // namespace

std::span<const LayerEntry> merge_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
