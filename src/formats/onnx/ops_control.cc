// ONNX control flow: branches are computed both and selected, loops of a known length unrolled.
#include <algorithm>

#include "formats/onnx/importer.h"

namespace fewbits::onnx {
namespace {

constexpr int64_t kMostTurns = 1024;

proto::Graph* graph_attr(Call& c, const char* name) {
  proto::Attribute* attribute = c.attr(name);
  if (attribute == nullptr || !attribute->has_g()) {
    c.invalid(fmt::format("there is no {}", name));
    return nullptr;
  }
  return attribute->mutable_g();
}

void map_if(Call& c) {
  proto::Graph *yes = graph_attr(c, "then_branch"), *no = graph_attr(c, "else_branch");
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

// iteration, condition, carried... -> condition, carried..., scanned...
void map_loop(Call& c) {
  proto::Graph* body = graph_attr(c, "body");
  if (body == nullptr) return;
  const auto turns = c.has(0) ? c.b.int_values(c.in(0)) : std::nullopt;
  auto going = c.has(1) ? c.b.int_values(c.in(1)) : std::optional(std::vector<int64_t>{1});
  if ((!turns || turns->size() != 1) || !going || going->size() != 1) {
    return (void)c.unsupported("a loop whose number of turns is computed at run time");
  }
  if ((*turns)[0] > kMostTurns) return (void)c.unsupported(fmt::format("a loop of {} turns", (*turns)[0]));
  std::vector<ValueId> carried;
  for (size_t i = 2; i < c.input_count(); ++i) carried.push_back(c.need(i));
  const size_t scans = c.output_count() > carried.size() ? c.output_count() - carried.size() : 0;
  std::vector<std::vector<ValueId>> scanned(scans);
  if (static_cast<size_t>(body->input_size()) < 2 + carried.size() ||
      static_cast<size_t>(body->output_size()) < 1 + carried.size() + scans) {
    return (void)c.invalid("its body does not take and give what the loop carries");
  }
  for (int64_t turn = 0; turn < (*turns)[0] && (*going)[0] != 0 && c.b.ok(); ++turn) {
    proto::Graph copy = *body;
    c.importer().set(body->input(0).name(), c.b.int_scalar(static_cast<int32_t>(turn)));
    c.importer().set(body->input(1).name(), c.b.scalar(1, DType::kBool));
    for (size_t i = 0; i < carried.size(); ++i)
      c.importer().set(body->input(static_cast<int>(i) + 2).name(), carried[i]);
    const auto results = c.importer().inline_graph(copy, c.b);
    if (!c.b.ok()) return;
    going = c.b.int_values(results[0]);
    if (!going || going->size() != 1) return (void)c.unsupported("a loop whose condition is computed at run time");
    for (size_t i = 0; i < carried.size(); ++i) carried[i] = results[i + 1];
    for (size_t i = 0; i < scans; ++i) scanned[i].push_back(results[1 + carried.size() + i]);
  }
  for (size_t i = 0; i < carried.size(); ++i) c.out(carried[i], i);
  for (size_t i = 0; i < scans; ++i) {
    if (scanned[i].empty()) return (void)c.unsupported("a loop without turns that collects results");
    c.out(c.b.pack(scanned[i], 0), carried.size() + i);
  }
}

constexpr OpEntry kOps[] = {
    {"If", map_if},
    {"Loop", map_loop},
};

}  // namespace

std::span<const OpEntry> control_ops() { return kOps; }

}  // namespace fewbits::onnx
