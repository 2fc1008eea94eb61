// TensorFlow gives windows as lists of four in the order of the data.
#include "formats/savedmodel/layout.h"

namespace fewbits::savedmodel {

Result<ImageNode> image_node(const OpCall& op) {
  ImageNode out;
  const std::string format = op.attrs.text("data_format", "NHWC");
  if (format != "NHWC" && format != "NCHW") return op.unsupported("the data format {}", format);
  out.channels_first = format == "NCHW";
  const size_t h = out.channels_first ? 2 : 1, w = h + 1;
  const auto pair = [&](const char* name, int32_t& of_h, int32_t& of_w) -> Status {
    const std::vector<int64_t> list = op.attrs.integers(name);
    if (list.empty()) return {};
    if (list.size() != 4 || list[0] != 1 || list[out.channels_first ? 1 : 3] != 1)
      return op.unsupported("{} over batch or channels", name);
    if (list[h] < 1 || list[w] < 1 || list[h] > INT32_MAX || list[w] > INT32_MAX)
      return op.unsupported("{} of {}x{}", name, list[h], list[w]);
    of_h = static_cast<int32_t>(list[h]);
    of_w = static_cast<int32_t>(list[w]);
    return {};
  };
  FB_TRY(pair("strides", out.window.stride_h, out.window.stride_w));
  FB_TRY(pair("dilations", out.window.dilation_h, out.window.dilation_w));
  FB_TRY(pair("ksize", out.kernel_h, out.kernel_w));
  const std::string padding = op.attrs.text("padding", "VALID");
  out.window.same = padding == "SAME";
  if (padding == "EXPLICIT") {
    const std::vector<int64_t> pads = op.attrs.integers("explicit_paddings");
    if (pads.size() != 8) return op.unsupported("{} explicit paddings where 8 are meant", pads.size());
    for (int64_t pad : pads) {
      if (pad < 0 || pad > INT32_MAX) return op.unsupported("a padding of {}", pad);
    }
    out.window.top = static_cast<int32_t>(pads[2 * h]);
    out.window.bottom = static_cast<int32_t>(pads[2 * h + 1]);
    out.window.left = static_cast<int32_t>(pads[2 * w]);
    out.window.right = static_cast<int32_t>(pads[2 * w + 1]);
  } else if (padding != "SAME" && padding != "VALID") {
    return op.unsupported("the padding {}", padding);
  }
  return out;
}

ValueId to_channels_last(GraphBuilder& b, ValueId x, bool channels_first) {
  return channels_first ? b.transpose(x, {0, 2, 3, 1}) : x;
}
ValueId from_channels_last(GraphBuilder& b, ValueId x, bool channels_first) {
  return channels_first ? b.transpose(x, {0, 3, 1, 2}) : x;
}

}  // namespace fewbits::savedmodel
