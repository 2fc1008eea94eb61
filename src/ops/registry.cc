// All operator families in one table, looked up by builtin code or custom name.
#include <vector>

#include "ir/op_def.h"

namespace fewbits {
namespace ops {
#define FB_FAMILY(name) std::span<const OpDef> name##_ops() noexcept;
#include "ops/families.inc"
#undef FB_FAMILY
}  // namespace ops

namespace {

struct Table {
  std::vector<const OpDef*> by_code = std::vector<const OpDef*>(kOpCount, nullptr);
  std::vector<const OpDef*> custom, all;

  Table() {
#define FB_FAMILY(name) add(ops::name##_ops());
#include "ops/families.inc"
#undef FB_FAMILY
  }
  void add(std::span<const OpDef> defs) {
    for (const OpDef& def : defs) {
      if (def.op == Op::CUSTOM) {
        custom.push_back(&def);
      } else {
        by_code[static_cast<size_t>(def.op)] = &def;
      }
      all.push_back(&def);
    }
  }
};

const Table& table() {
  static const Table instance;
  return instance;
}

}  // namespace

const OpDef* find_op(const Node& node) noexcept {
  if (node.op == Op::CUSTOM) {
    for (const OpDef* def : table().custom) {
      if (node.custom_code == def->custom) return def;
    }
    return nullptr;
  }
  const auto code = static_cast<int32_t>(node.op);
  return code >= 0 && code < kOpCount ? table().by_code[static_cast<size_t>(code)] : nullptr;
}

std::span<const OpDef* const> all_ops() noexcept { return table().all; }

}  // namespace fewbits
