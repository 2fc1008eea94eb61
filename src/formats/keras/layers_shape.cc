// Reshaping, padding, cropping, and resizing.
#include <algorithm>

#include "formats/keras/layer.h"

namespace fewbits::keras {
namespace {

Outputs flatten(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = to_channels_last(b, call.in(), call.channels_first());
  if (b.rank(x) == 1) return {b.expand_dims(x, {1})};
  return {b.flatten_from(x, 1)};
}

Outputs reshape(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = call.in();
  auto target = call.integers("target_shape", 0, 1);
  // One size may follow from the others.
  const auto open = std::find(target.begin(), target.end(), -1);
  if (open != target.end()) {
    int64_t all = 1, rest = 1;
    for (int i = 1; i < b.rank(x); ++i) all = all < 0 || b.dim(x, i) < 0 ? -1 : all * b.dim(x, i);
    for (int32_t size : target) rest *= size < 0 ? 1 : size;
    if (all >= 0 && rest > 0) *open = static_cast<int32_t>(all / rest);
  }
  std::vector<ValueId> sizes{b.size_of(x, 0)};
  for (int32_t size : target) sizes.push_back(b.int_scalar(size));
  return {b.reshape_to(x, b.pack(sizes, 0))};
}

Outputs permute(LayerCall& call) {
  std::vector<int32_t> perm{0};
  for (int32_t axis : call.integers("dims", 0, 1)) perm.push_back(axis);
  return {call.b.transpose(call.in(), perm)};
}

Outputs repeat_vector(LayerCall& call) {
  return {call.b.tile(call.b.expand_dims(call.in(), {1}), {1, call.integer("n", 1), 1})};
}

// A key of per-dimension pairs: a number for all, a number a dimension, or two numbers a dimension.
std::vector<std::array<int32_t, 2>> pairs(const LayerCall& call, const char* key, size_t dims) {
  std::vector<std::array<int32_t, 2>> out(dims, {1, 1});
  const auto found = call.config.find(key);
  if (found == call.config.end()) return out;
  const auto integer = [](const Json& json) { return json.is_number_integer() ? json.get<int32_t>() : 0; };
  if (!found->is_array()) {
    const int32_t all = integer(*found);
    return std::vector<std::array<int32_t, 2>>(dims, {all, all});
  }
  if (dims == 1 && found->size() == 2 && !(*found)[0].is_array()) return {{integer((*found)[0]), integer((*found)[1])}};
  for (size_t i = 0; i < dims && i < found->size(); ++i) {
    const Json& element = (*found)[i];
    if (element.is_array() && element.size() == 2) {
      out[i] = {integer(element[0]), integer(element[1])};
    } else {
      out[i] = {integer(element), integer(element)};
    }
  }
  return out;
}

// Pads of all dimensions from those of the positions.
std::vector<std::array<int32_t, 2>> with_batch_and_channels(const std::vector<std::array<int32_t, 2>>& inner,
                                                            bool channels_first, int sign) {
  std::vector<std::array<int32_t, 2>> out(inner.size() + 2, {0, 0});
  for (size_t i = 0; i < inner.size(); ++i)
    out[i + (channels_first ? 2 : 1)] = {sign * inner[i][0], sign * inner[i][1]};
  return out;
}

template <size_t kDims>
Outputs zero_padding(LayerCall& call) {
  return {call.b.pad(call.in(), with_batch_and_channels(pairs(call, "padding", kDims), call.channels_first(), 1))};
}
template <size_t kDims>
Outputs cropping(LayerCall& call) {
  return {call.b.pad(call.in(), with_batch_and_channels(pairs(call, "cropping", kDims), call.channels_first(), -1))};
}

// The size of an axis times a factor, as an int32 scalar.
ValueId scaled(GraphBuilder& b, ValueId x, int axis, int32_t factor) {
  return b.mul(b.size_of(x, axis), b.int_scalar(factor));
}

Outputs up_sampling_2d(LayerCall& call) {
  GraphBuilder& b = call.b;
  const auto factors = call.integers("size", 2, 2);
  const std::string how = call.text("interpolation", "nearest");
  if (how != "nearest" && how != "bilinear") return {call.unsupported("the interpolation " + how)};
  const ValueId x = to_channels_last(b, call.in(), call.channels_first());
  const ValueId size = b.pack({scaled(b, x, 1, factors[0]), scaled(b, x, 2, factors[1])}, 0);
  const Op op = how == "nearest" ? Op::RESIZE_NEAREST_NEIGHBOR : Op::RESIZE_BILINEAR;
  return {from_channels_last(b, b.resize(op, x, size, false, true), call.channels_first())};
}
Outputs up_sampling_1d(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = line_to_image(b, call.in());
  const ValueId size = b.pack({b.int_scalar(1), scaled(b, x, 2, call.integer("size", 2))}, 0);
  return {image_to_line(b, b.resize(Op::RESIZE_NEAREST_NEIGHBOR, x, size, false, true))};
}

Outputs up_sampling_3d(LayerCall& call) {
  GraphBuilder& b = call.b;
  const auto factors = call.integers("size", 3, 2);
  ValueId x = to_channels_last(b, call.in(), call.channels_first());
  for (int axis = 1; axis < 4; ++axis) {
    const int32_t size = b.dim(x, axis), factor = factors[static_cast<size_t>(axis) - 1];
    if (size < 1 || factor < 1 || factor > 1 << 12)
      return {call.unsupported("a volume of open size: give the input's shape")};
    std::vector<int32_t> places;
    for (int32_t i = 0; i < size * factor; ++i) places.push_back(i / factor);
    if (factor > 1) x = b.gather(x, b.ints(places), axis);
  }
  return {from_channels_last(b, x, call.channels_first())};
}

Outputs center_crop(LayerCall& call) {
  GraphBuilder& b = call.b;
  const ValueId x = to_channels_last(b, call.in(), call.channels_first());
  const int rank = b.rank(x);
  const std::vector<int32_t> axes = {rank - 3, rank - 2}, sizes = {call.integer("height", 0), call.integer("width", 0)};
  std::vector<int32_t> begin, end;
  for (size_t i = 0; i < 2; ++i) {
    const int32_t size = b.dim(x, axes[i]);
    if (size < sizes[i] || sizes[i] < 1)
      return {call.unsupported("an image that is smaller than the crop, or of open size")};
    begin.push_back((size - sizes[i]) / 2);
    end.push_back(begin.back() + sizes[i]);
  }
  return {from_channels_last(b, b.strided_slice(x, axes, begin, end, {1, 1}), call.channels_first())};
}

Outputs resizing(LayerCall& call) {
  GraphBuilder& b = call.b;
  const std::string how = call.text("interpolation", "bilinear");
  if (how != "nearest" && how != "bilinear") return {call.unsupported("the interpolation " + how)};
  if (call.flag("crop_to_aspect_ratio", false) || call.flag("pad_to_aspect_ratio", false) ||
      call.flag("antialias", false))
    return {call.unsupported("crop_to_aspect_ratio, pad_to_aspect_ratio or antialias")};
  ValueId x = to_channels_last(b, call.in(), call.channels_first());
  if (how == "bilinear") x = b.cast(x, DType::kFloat32);
  const ValueId size = b.ints({call.integer("height", 1), call.integer("width", 1)});
  const Op op = how == "nearest" ? Op::RESIZE_NEAREST_NEIGHBOR : Op::RESIZE_BILINEAR;
  return {from_channels_last(b, b.resize(op, x, size, false, true), call.channels_first())};
}

constexpr LayerEntry kLayers[] = {
    {"CenterCrop", center_crop},
    {"Cropping1D", cropping<1>},
    {"Cropping2D", cropping<2>},
    {"Cropping3D", cropping<3>},
    {"Flatten", flatten},
    {"Permute", permute},
    {"RepeatVector", repeat_vector},
    {"Reshape", reshape},
    {"Resizing", resizing},
    {"UpSampling1D", up_sampling_1d},
    {"UpSampling2D", up_sampling_2d},
    {"UpSampling3D", up_sampling_3d},
    {"ZeroPadding1D", zero_padding<1>},
    {"ZeroPadding2D", zero_padding<2>},
    {"ZeroPadding3D", zero_padding<3>},
};

}  // namespace

std::span<const LayerEntry> shape_layers() noexcept { return kLayers; }

}  // namespace fewbits::keras
