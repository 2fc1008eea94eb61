// PAD with zeros before a VALID convolution becomes SAME, where that is the same.
#include "ops/window.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "schema/tflite.h"

namespace fewbits::passes {
namespace {

bool same_padding(int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t before, int32_t after) {
  if (in < 0) {
    // A size that changes: at stride 1 SAME pads alike for all.
    const int32_t total = (kernel - 1) * dilation;
    return stride == 1 && before == total / 2 && after == total - total / 2;
  }
  const auto asked = ops::place_windows(false, int64_t{in} + before + after, kernel, stride, dilation);
  const auto same = ops::place_windows(true, in, kernel, stride, dilation);
  return asked && same && asked->out == same->out && same->pad == before;
}

template <class Table>
bool try_fuse(Rewriter& r, NodeId id, const Table* table, const std::vector<int32_t>& pads) {
  if (table == nullptr || table->padding != tflite::Padding::VALID) return false;
  const Node& pad = r.node(r.producer(r.node(id).inputs[0]));
  const Value& weights = r.value(r.node(id).inputs[1]);
  const Shape in = open_shape(r.value(pad.inputs[0]));
  if (in.size() != 4 || weights.shape.size() != 4 || pads[0] != 0 || pads[1] != 0 || pads[6] != 0 || pads[7] != 0)
    return false;
  if (!same_padding(in[1], weights.shape[1], table->stride_h, table->dilation_h_factor, pads[2], pads[3]) ||
      !same_padding(in[2], weights.shape[2], table->stride_w, table->dilation_w_factor, pads[4], pads[5])) {
    return false;
  }
  Table changed = *table;
  changed.padding = tflite::Padding::SAME;
  auto options = std::make_shared<tflite::BuiltinOptionsUnion>();
  options->Set(std::move(changed));
  r.edit(id).options = std::move(options);
  r.set_input(id, 0, pad.inputs[0]);
  return true;
}

}  // namespace

Result<size_t> fuse_padding(Model&, Graph& graph) {
  Rewriter r(graph);
  size_t changes = 0;
  for (NodeId id : r.order()) {
    const Node& node = r.node(id);
    if ((node.op != Op::CONV_2D && node.op != Op::DEPTHWISE_CONV_2D) || !r.made_by(node.inputs[0], Op::PAD)) continue;
    const auto pads = const_ints(graph, r.node(r.producer(node.inputs[0])).inputs[1]);
    if (!pads || pads->size() != 8) continue;
    const bool fused = node.op == Op::CONV_2D ? try_fuse(r, id, node.options->AsConv2DOptions(), *pads)
                                              : try_fuse(r, id, node.options->AsDepthwiseConv2DOptions(), *pads);
    changes += fused;
  }
  return changes;
}

}  // namespace fewbits::passes
