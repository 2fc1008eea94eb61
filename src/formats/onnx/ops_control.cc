// ONNX branches: both are computed, and one is selected.
#include "formats/onnx/importer.h"

namespace fewbits::onnx {
namespace {

void map_if(Call& c) {
  proto::Graph *yes = c.graph_attr("then_branch"), *no = c.graph_attr("else_branch");
  if (yes == nullptr || no == nullptr) return;
  const ValueId condition = c.need(0);
  if (const auto known = c.b.int_values(condition); known && known->size() == 1) {
    const auto results = c.importer().inline_graph((*known)[0] != 0 ? *yes : *no, c.b);
    for (size_t i = 0; i < results.size(); ++i) c.out(results[i], i);
    return;
  }
  const auto a = c.importer().inline_graph(*yes, c.b), b = c.importer().inline_graph(*no, c.b);
  if (a.size() != b.size()) return (void)c.invalid("its branches give different numbers of results");
  for (size_t i = 0; i < a.size(); ++i) {
    if (!c.b.ok()) return;
    if (c.b.rank(a[i]) != c.b.rank(b[i]) || c.b.shape(a[i]) != c.b.shape(b[i])) {
      return (void)c.unsupported("branches whose results differ in shape");
    }
    c.out(c.b.select(c.b.reshape(condition, {}), a[i], b[i]), i);
  }
}

constexpr OpEntry kOps[] = {
    {"If", map_if},
};

}  // namespace

std::span<const OpEntry> control_ops() { return kOps; }

}  // namespace fewbits::onnx
