// Kernel, strides, dilations and padding.
#include "formats/onnx/windows.h"

#include <algorithm>

namespace fewbits::onnx {
namespace {

constexpr int64_t kMost = 1 << 20;  // no network has a larger stride, dilation or padding

std::vector<int32_t> small_numbers(Call& c, const char* name, size_t count, int32_t otherwise, int64_t least) {
  const auto given = c.ints_attr(name);
  std::vector<int32_t> out(count, otherwise);
  if (given.empty()) return out;
  if (given.size() != count) {
    c.invalid(fmt::format("{} has {} numbers, and must have {}", name, given.size(), count));
    return out;
  }
  for (size_t i = 0; i < count; ++i) {
    if (given[i] < least || given[i] > kMost) c.invalid(fmt::format("{} has {}", name, given[i]));
    out[i] = static_cast<int32_t>(std::clamp(given[i], least, kMost));
  }
  return out;
}

void same_padding(Call& c, ValueId x, bool upper, Spatial& s) {
  for (size_t i = 0; i < s.dims(); ++i) {
    const int32_t size = c.b.dim(x, static_cast<int>(i) + 2);
    const int32_t span = (s.kernel[i] - 1) * s.dilation[i] + 1;
    int32_t total = span - 1;  // stride 1: whatever the size
    if (s.stride[i] != 1) {
      if (size < 0) {
        c.unsupported("auto_pad over a size that is not known: give it with --shape");
        return;
      }
      total = std::max(((size + s.stride[i] - 1) / s.stride[i] - 1) * s.stride[i] + span - size, 0);
    }
    s.before[i] = upper ? total / 2 : total - total / 2;
    s.after[i] = total - s.before[i];
  }
}

// The last window may begin inside the padded input and end behind it, but not begin in the padding behind.
void lengthen(Call& c, ValueId x, Spatial& s) {
  for (size_t i = 0; i < s.dims(); ++i) {
    const int32_t size = c.b.dim(x, static_cast<int>(i) + 2);
    const int32_t span = (s.kernel[i] - 1) * s.dilation[i] + 1;
    if (s.stride[i] == 1) continue;
    if (size < 0) {
      c.unsupported("ceil_mode over a size that is not known: give it with --shape");
      return;
    }
    const int32_t room = size + s.before[i] + s.after[i] - span;
    int32_t windows = (std::max(room, 0) + s.stride[i] - 1) / s.stride[i] + 1;
    if ((windows - 1) * s.stride[i] >= size + s.before[i]) --windows;
    s.after[i] = std::max(s.after[i], (windows - 1) * s.stride[i] + span - size - s.before[i]);
  }
}

}  // namespace

Window Spatial::window() const {
  Window w;
  const size_t x = dims() - 1;
  w.stride_w = stride[x];
  w.dilation_w = dilation[x];
  w.left = before[x];
  w.right = after[x];
  if (dims() < 2) return w;
  const size_t y = x - 1;
  w.stride_h = stride[y];
  w.dilation_h = dilation[y];
  w.top = before[y];
  w.bottom = after[y];
  return w;
}

Spatial read_spatial(Call& c, ValueId x, std::vector<int32_t> kernel, bool ceil_mode) {
  Spatial s;
  s.kernel = std::move(kernel);
  const size_t dims = s.dims();
  for (int32_t& size : s.kernel) {
    if (size < 1 || size > kMost) c.invalid(fmt::format("a window has the size {}", size));
    size = std::clamp(size, 1, static_cast<int32_t>(kMost));
  }
  s.stride = small_numbers(c, "strides", dims, 1, 1);
  s.dilation = small_numbers(c, "dilations", dims, 1, 1);
  const auto pads = small_numbers(c, "pads", 2 * dims, 0, 0);
  s.before.assign(pads.begin(), pads.begin() + static_cast<int64_t>(dims));
  s.after.assign(pads.begin() + static_cast<int64_t>(dims), pads.end());
  const std::string mode = c.string_attr("auto_pad", "NOTSET");
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") same_padding(c, x, mode == "SAME_UPPER", s);
  if (mode == "VALID") s.before = s.after = std::vector<int32_t>(dims, 0);
  if (ceil_mode && (mode == "NOTSET" || mode == "VALID")) lengthen(c, x, s);
  return s;
}

ValueId add_height(Call& c, ValueId x) { return c.b.expand_dims(x, {2}); }
ValueId drop_height(Call& c, ValueId x) { return c.b.squeeze(x, {2}); }

}  // namespace fewbits::onnx
