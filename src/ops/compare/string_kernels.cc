// EQUAL and NOT_EQUAL on strings. A string tensor is a count, count + 1 offsets, then the characters (all int32, little
// endian).
#include <cstring>
#include <string_view>

#include "kernels/broadcast.h"
#include "ops/compare/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

// The strings of a tensor; nothing when the buffer is not what it says.
class Strings {
 public:
  static std::optional<Strings> read(const TensorView& view) {
    Strings strings;
    strings.data_ = static_cast<const char*>(view.data);
    const size_t count = element_count(view.shape);
    if (view.data == nullptr || view.bytes < 4) return count == 0 ? std::optional(strings) : std::nullopt;
    if (strings.number(0) < 0 || static_cast<size_t>(strings.number(0)) != count || view.bytes / 4 < count + 2)
      return std::nullopt;
    for (size_t i = 0; i < count; ++i) {
      const int32_t begin = strings.number(i + 1), end = strings.number(i + 2);
      if (begin < 0 || end < begin || static_cast<size_t>(end) > view.bytes) return std::nullopt;
    }
    return strings;
  }
  std::string_view at(size_t i) const {
    const auto begin = static_cast<size_t>(number(i + 1));
    return {data_ + begin, static_cast<size_t>(number(i + 2)) - begin};
  }

 private:
  int32_t number(size_t i) const {
    int32_t value;
    std::memcpy(&value, data_ + 4 * i, 4);
    return value;
  }
  const char* data_ = nullptr;
};

}  // namespace

Result<Prepared> prepare_string_comparison(const OpContext& context) {
  return make_dynamic_kernel(
      [wanted = context.node->op == Op::EQUAL](DynamicArgs& args) -> Status {
        const TensorView &a = args.inputs()[0], &b = args.inputs()[1];
        const auto shape = broadcast_shapes(a.shape, b.shape);
        if (!shape)
          return fail(ErrorCode::kInvalidData, "the shapes {} and {} do not broadcast", shape_text(a.shape),
                      shape_text(b.shape));
        const auto x = Strings::read(a), y = Strings::read(b);
        if (!x || !y) return fail(ErrorCode::kInvalidData, "a string tensor's offsets do not fit its data");
        const auto plan = plan_broadcast<2>({a.shape, b.shape}, *shape);
        if (!plan) return fail(ErrorCode::kUnsupported, "too many dimensions broadcast");
        FB_ASSIGN(void* const result, args.resize_output(0, *shape));
        for_each_row(*plan, nullptr, 1, [&](const std::array<size_t, 2>& offsets, size_t at, size_t length) {
          for (size_t i = 0; i < length; ++i) {
            const bool equal =
                x->at(offsets[0] + i * plan->row_stride(0)) == y->at(offsets[1] + i * plan->row_stride(1));
            static_cast<uint8_t*>(result)[at + i] = equal == wanted;
          }
        });
        return {};
      },
      context.node->op == Op::EQUAL ? "equal_string" : "not_equal_string");
}

}  // namespace fewbits::ops
