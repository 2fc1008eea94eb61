// Pools over windows and over all of an image.
#include "formats/keras/masks.h"

namespace fewbits::keras {
namespace {

template <size_t kDims, bool kMax>
Outputs pool(LayerCall& call) {
  GraphBuilder& b = call.b;
  const auto size = call.integers("pool_size", kDims, call.integer("pool_length", 2));
  std::vector<int32_t> strides = call.integers("strides", kDims, 0);
  if (strides[0] == 0) strides = size;
  formats::Window window;
  window.stride_h = kDims == 2 ? strides[0] : 1;
  window.stride_w = strides.back();
  window.same = call.text("padding", "valid") == "same";
  const int32_t kernel_h = kDims == 2 ? size[0] : 1, kernel_w = size.back();
  ValueId x = to_channels_last(b, call.in(), call.channels_first());
  if (kDims == 1) x = line_to_image(b, x);
  ValueId y = kMax ? b.max_pool(x, kernel_h, kernel_w, window) : b.average_pool(x, kernel_h, kernel_w, window, false);
  if (kDims == 1) y = image_to_line(b, y);
  return {from_channels_last(b, y, call.channels_first())};
}

template <bool kMax>
Outputs pool_3d(LayerCall& call) {
  GraphBuilder& b = call.b;
  const auto size = call.integers("pool_size", 3, 2);
  auto strides = call.integers("strides", 3, 0);
  if (strides[0] == 0) strides = size;
  const bool same = call.text("padding", "valid") == "same";
  const ValueId x = to_channels_last(b, call.in(), call.channels_first());
  const ValueId y =
      b.pool3d(kMax, x, {size[0], size[1], size[2]}, {strides[0], strides[1], strides[2]}, {}, {}, same, false);
  return {from_channels_last(b, y, call.channels_first())};
}

template <Op kOp>
Outputs global_pool(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  const bool first = call.channels_first();
  std::vector<int32_t> axes;
  for (int i = first ? 2 : 1; i < b.rank(x) - (first ? 0 : 1); ++i) axes.push_back(i);
  if (axes.empty()) return {call.unsupported("an input without positions")};
  if (const ValueId mask = call.mask(); mask != kNoValue && call.class_name == "GlobalAveragePooling1D") {
    // The mean of the steps that count.
    const ValueId counts = b.expand_dims(mask, {first ? 1 : 2});
    const ValueId sum = b.reduce(Op::SUM, where_counted(b, counts, x), axes, call.flag("keepdims", false));
    const ValueId count = b.reduce(Op::SUM, b.cast(counts, DType::kFloat32), axes, call.flag("keepdims", false));
    return {b.div(sum, count)};
  }
  return {b.reduce(kOp, x, axes, call.flag("keepdims", false))};
}

constexpr LayerEntry kLayers[] = {
    {"AveragePooling1D", pool<1, false>},
    {"AveragePooling2D", pool<2, false>},
    {"AveragePooling3D", pool_3d<false>},
    {"GlobalAveragePooling1D", global_pool<Op::MEAN>},
    {"GlobalAveragePooling2D", global_pool<Op::MEAN>},
    {"GlobalAveragePooling3D", global_pool<Op::MEAN>},
    {"GlobalMaxPooling1D", global_pool<Op::REDUCE_MAX>},
    {"GlobalMaxPooling2D", global_pool<Op::REDUCE_MAX>},
    {"GlobalMaxPooling3D", global_pool<Op::REDUCE_MAX>},
    {"MaxPooling1D", pool<1, true>},
    {"MaxPooling2D", pool<2, true>},
    {"MaxPooling3D", pool_3d<true>},
};

}  // namespace

std::span<const LayerEntry> pooling_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
