// ONNX Resize and Upsample: TFLite's operators where they compute the same, gathers and matrices where not.
#include <algorithm>
#include <cmath>

#include "formats/onnx/importer.h"
#include "formats/options.h"

namespace fewbits::onnx {
namespace {

struct Settings {
  std::string mode, coordinates, nearest;
  double cubic_a = -0.75;
  bool exclude_outside = false, antialias = false;
  double extrapolation = 0;
};

// One axis: from `in` elements to `out`, `scale` as the model gives it.
struct AxisScale {
  int32_t in = 0, out = 0;
  double scale = 1;
};

double source_of(const AxisScale& a, int32_t x, const std::string& coordinates) {
  if (coordinates == "asymmetric") return x / a.scale;
  // ONNX's length of the result is not rounded here.
  if (coordinates == "align_corners") return a.out == 1 ? 0 : x * (a.in - 1) / (a.scale * a.in - 1);
  if (coordinates == "tf_half_pixel_for_nn") return (x + 0.5) / a.scale;
  if (coordinates == "pytorch_half_pixel" && a.out == 1) return 0;
  if (coordinates == "half_pixel_symmetric") {
    const double adjustment = a.out / (a.scale * a.in), centre = a.in / 2.0;
    return centre * (1 - adjustment) + (x + 0.5) / a.scale - 0.5;
  }
  return (x + 0.5) / a.scale - 0.5;
}

std::vector<int32_t> nearest_indices(const AxisScale& a, const Settings& s) {
  std::vector<int32_t> list;
  for (int32_t x = 0; x < a.out; ++x) {
    const double at = source_of(a, x, s.coordinates);
    double near = std::ceil(at - 0.5);  // round_prefer_floor
    if (s.nearest == "round_prefer_ceil") near = std::floor(at + 0.5);
    if (s.nearest == "floor") near = std::floor(at);
    if (s.nearest == "ceil") near = std::ceil(at);
    list.push_back(static_cast<int32_t>(std::clamp(near, 0.0, static_cast<double>(a.in - 1))));
  }
  return list;
}

// What RESIZE_NEAREST_NEIGHBOR takes.
std::vector<int32_t> tflite_indices(const AxisScale& a, bool align_corners, bool half_pixel) {
  const float scale = align_corners && a.out > 1 ? static_cast<float>(a.in - 1) / static_cast<float>(a.out - 1)
                                                 : static_cast<float>(a.in) / static_cast<float>(a.out);
  std::vector<int32_t> list;
  for (int32_t x = 0; x < a.out; ++x) {
    const float at = (static_cast<float>(x) + (half_pixel ? 0.5f : 0.0f)) * scale;
    const auto near = static_cast<int32_t>(align_corners ? std::round(at) : std::floor(at));
    list.push_back(std::clamp(near, 0, a.in - 1));
  }
  return list;
}

double cubic(double distance, double a) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

// [out, in]: each row the weights of one result.
std::vector<float> weights(const AxisScale& a, const Settings& s) {
  std::vector<float> matrix(static_cast<size_t>(a.in) * static_cast<size_t>(a.out), 0.0f);
  const bool is_cubic = s.mode == "cubic";
  const double stretch = s.antialias && a.scale < 1 ? 1 / a.scale : 1;
  const double reach = (is_cubic ? 2 : 1) * stretch;
  for (int32_t x = 0; x < a.out; ++x) {
    const double at = source_of(a, x, s.coordinates);
    std::vector<std::pair<int32_t, double>> taps;
    double sum = 0;
    for (auto i = static_cast<int32_t>(std::floor(at - reach)); i <= static_cast<int32_t>(std::ceil(at + reach)); ++i) {
      const double distance = (at - i) / stretch;
      const double w = is_cubic ? cubic(distance, s.cubic_a) : std::max(1 - std::abs(distance), 0.0);
      if (w == 0 || (s.exclude_outside && (i < 0 || i >= a.in))) continue;
      taps.emplace_back(i, w);
      sum += w;
    }
    for (const auto& [i, w] : taps) {
      const size_t column = static_cast<size_t>(std::clamp(i, 0, a.in - 1));
      matrix[static_cast<size_t>(x) * static_cast<size_t>(a.in) + column] += static_cast<float>(sum == 0 ? 0 : w / sum);
    }
  }
  return matrix;
}

std::vector<int32_t> axis_last(int rank, int axis) {
  std::vector<int32_t> perm;
  for (int i = 0; i < rank; ++i) {
    if (i != axis) perm.push_back(i);
  }
  perm.push_back(axis);
  return perm;
}
std::vector<int32_t> axis_back(int rank, int axis) {
  std::vector<int32_t> perm;
  for (int i = 0; i < rank; ++i) perm.push_back(i < axis ? i : i == axis ? rank - 1 : i - 1);
  return perm;
}

// Any mode, one axis after another.
ValueId general(Call& c, ValueId x, const std::vector<AxisScale>& scales, const Settings& s) {
  const int rank = static_cast<int>(scales.size());
  for (int axis = 0; axis < rank; ++axis) {
    const AxisScale& a = scales[static_cast<size_t>(axis)];
    if (a.in == a.out && a.scale == 1) continue;
    if (static_cast<int64_t>(a.in) * a.out > (1 << 24))
      return c.unsupported("resizing between sizes as large as these");
    if (s.mode == "nearest") {
      x = c.b.gather(x, c.b.ints(nearest_indices(a, s)), axis);
      continue;
    }
    const ValueId matrix = c.b.constant(weights(a, s), DType::kFloat32, {a.out, a.in});
    x = c.b.transpose(c.b.fully_connected(c.b.transpose(x, axis_last(rank, axis)), matrix, kNoValue),
                      axis_back(rank, axis));
  }
  return x;
}

bool same_ratio(const AxisScale& a) {
  return std::abs(a.scale * a.in - a.out) < 1e-3;  // TFLite divides the sizes
}

// TFLite's operator on an image whose sizes are known, when it computes the same.
std::optional<ValueId> with_tflite(Call& c, ValueId x, const std::vector<AxisScale>& scales, const Settings& s) {
  if (scales.size() != 4 || scales[0].in != scales[0].out || scales[1].in != scales[1].out) return std::nullopt;
  const AxisScale &h = scales[2], &w = scales[3];
  const ValueId size = c.b.ints({h.out, w.out});
  const auto resized = [&](Op op, bool align, bool half) {
    const ValueId image = c.b.transpose(x, to_channels_last(4));
    return c.b.transpose(c.b.resize(op, image, size, align, half), to_channels_first(4));
  };
  if (s.mode == "nearest") {
    for (const auto& [align, half] : {std::pair(false, false), std::pair(false, true), std::pair(true, false)}) {
      if (nearest_indices(h, s) == tflite_indices(h, align, half) &&
          nearest_indices(w, s) == tflite_indices(w, align, half)) {
        return resized(Op::RESIZE_NEAREST_NEIGHBOR, align, half);
      }
    }
    return std::nullopt;
  }
  if (s.mode != "linear" || s.antialias || s.exclude_outside) return std::nullopt;
  if (!same_ratio(h) || !same_ratio(w)) return std::nullopt;
  if (s.coordinates == "align_corners" && h.out > 1 && w.out > 1) return resized(Op::RESIZE_BILINEAR, true, false);
  if (s.coordinates == "asymmetric") return resized(Op::RESIZE_BILINEAR, false, false);
  const bool half = s.coordinates == "half_pixel" || s.coordinates == "half_pixel_symmetric" ||
                    (s.coordinates == "pytorch_half_pixel" && h.out > 1 && w.out > 1);
  if (half) return resized(Op::RESIZE_BILINEAR, false, true);
  return std::nullopt;
}

// An image of open size, to a computed one.
ValueId with_open_size(Call& c, ValueId x, ValueId sizes, const std::vector<double>& scales, const Settings& s) {
  const auto refused = [&](const std::string& what) {
    return c.unsupported(what + " over an open size: give it with --shape");
  };
  if (c.rank(x) != 4) return refused("resizing what is no image");
  // Whole factors: the size is the input's times them, and no rounding comes between. Sizes divide to the scale that TFLite has.
  const bool whole = std::all_of(scales.begin(), scales.end(), [](double v) { return v == std::floor(v) && v >= 1; });
  if (!scales.empty() && (!whole || scales[0] != 1 || scales[1] != 1)) return refused("resizing by these factors");
  if (sizes != kNoValue) {
    const auto known = c.b.partial_int_values(sizes);
    if (!known || known->size() != 4) return refused("resizing to sizes whose number is not known");
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t size = (*known)[static_cast<size_t>(axis)], now = c.b.dim(x, axis);
      if (size >= 0 && now >= 0 && size != now) return refused("resizing batch or channels");
    }
    if (c.string_attr("keep_aspect_ratio_policy", "stretch") != "stretch") return refused("keeping the aspect ratio");
  }
  ValueId size;
  if (sizes != kNoValue) {
    size = c.b.strided_slice(sizes, {0}, {2}, {4}, {1});
  } else {
    std::vector<ValueId> parts;
    for (int axis : {2, 3}) {
      const auto factor = static_cast<int32_t>(std::min(scales[static_cast<size_t>(axis)], 65536.0));
      parts.push_back(c.b.mul(c.b.size_of(x, axis), c.b.int_scalar(factor)));
    }
    size = c.b.pack(parts, 0);
  }
  const bool align = s.coordinates == "align_corners", plain = s.coordinates == "asymmetric";
  const bool half =
      s.coordinates == "half_pixel" || s.coordinates == "pytorch_half_pixel" || s.coordinates == "half_pixel_symmetric";
  Op op = Op::RESIZE_BILINEAR;
  if (s.mode == "nearest") {
    op = Op::RESIZE_NEAREST_NEIGHBOR;
    // At whole factors no pixel lies between two, so both ways of rounding halves agree.
    const bool rounds = s.nearest == "round_prefer_ceil" || (s.nearest == "round_prefer_floor" && !scales.empty());
    if (!(plain && s.nearest == "floor") && !(half && rounds)) return refused("nearest neighbours of this kind");
  } else if (s.mode != "linear" || s.antialias || s.exclude_outside || (!align && !plain && !half)) {
    return refused(fmt::format("resizing of mode '{}' by '{}'", s.mode, s.coordinates));
  }
  const ValueId image = c.b.transpose(x, to_channels_last(4));
  return c.b.transpose(c.b.resize(op, image, size, align, !align && !plain), to_channels_first(4));
}

Settings settings(Call& c) {
  Settings s;
  s.mode = c.string_attr("mode", "nearest");
  if (s.mode == "bilinear") s.mode = "linear";
  const bool old = c.op() == "Upsample" || c.opset() < 11;
  s.coordinates = c.string_attr("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  s.nearest = c.string_attr("nearest_mode", old ? "floor" : "round_prefer_floor");
  s.cubic_a = c.float_attr("cubic_coeff_a", -0.75);
  s.exclude_outside = c.int_attr("exclude_outside", 0) != 0;
  s.antialias = c.int_attr("antialias", 0) != 0;
  return s;
}

void map_resize(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  const Settings s = settings(c);
  if (s.coordinates == "tf_crop_and_resize") return (void)c.unsupported("resizing a region (tf_crop_and_resize)");
  const bool old = c.op() == "Upsample" || c.opset() < 11;
  const size_t scales_at = old ? 1 : 2;
  ValueId sizes = old ? kNoValue : c.in(3);
  std::vector<double> scales;
  const bool has_scales = c.has_attr("scales") || (c.has(scales_at) && c.b.dim(c.in(scales_at), 0) != 0);
  if (sizes == kNoValue || has_scales) {
    sizes = has_scales ? kNoValue : sizes;
    if (has_scales) scales = c.has_attr("scales") ? c.floats_attr("scales") : c.const_numbers(scales_at);
  }
  if (!has_scales && sizes == kNoValue) return (void)c.invalid("there are neither scales nor sizes");
  std::vector<int32_t> axes;
  for (int i = 0; i < rank; ++i) axes.push_back(i);
  if (c.has_attr("axes")) axes = c.axes(c.ints_attr("axes"), rank);
  std::vector<double> full(static_cast<size_t>(rank), 1.0);
  if (has_scales) {
    if (scales.size() != axes.size()) return (void)c.invalid("there are not as many scales as axes");
    for (size_t i = 0; i < axes.size(); ++i) full[static_cast<size_t>(axes[i])] = scales[i];
  }
  const auto known = sizes == kNoValue ? std::nullopt : c.b.int_values(sizes);
  if (!c.b.is_static(x) || (sizes != kNoValue && !known)) {
    if (axes.size() != static_cast<size_t>(rank)) return (void)c.unsupported("resizing some axes of an open size");
    return c.out(with_open_size(c, x, sizes, has_scales ? full : std::vector<double>(), s));
  }
  if (known && known->size() != axes.size()) return (void)c.invalid("there are not as many sizes as axes");
  const std::string policy = c.string_attr("keep_aspect_ratio_policy", "stretch");
  std::vector<AxisScale> list;
  for (int i = 0; i < rank; ++i) {
    const int32_t in = c.b.dim(x, i);
    const double scale = full[static_cast<size_t>(i)];
    list.push_back({in, static_cast<int32_t>(std::floor(in * scale + 1e-6)), scale});
  }
  if (known) {
    double common = 0;
    for (size_t i = 0; i < axes.size(); ++i) {
      AxisScale& a = list[static_cast<size_t>(axes[i])];
      a.out = static_cast<int32_t>(std::clamp<int64_t>((*known)[i], 0, INT32_MAX));
      a.scale = static_cast<double>(a.out) / a.in;
      common = i == 0 ? a.scale : policy == "not_larger" ? std::min(common, a.scale) : std::max(common, a.scale);
    }
    for (size_t i = 0; policy != "stretch" && i < axes.size(); ++i) {
      AxisScale& a = list[static_cast<size_t>(axes[i])];
      a.scale = common;
      a.out = static_cast<int32_t>(std::floor(a.in * common + 0.5));
    }
  }
  for (const AxisScale& a : list) {
    if (a.in < 1 || a.out < 1 || a.out > (1 << 20)) return (void)c.invalid("a size to resize is no size");
  }
  if (const auto y = with_tflite(c, x, list, s)) return c.out(*y);
  c.out(general(c, x, list, s));
}

constexpr OpEntry kOps[] = {
    {"Resize", map_resize},
    {"Upsample", map_resize},
};

}  // namespace

std::span<const OpEntry> resize_ops() { return kOps; }

}  // namespace fewbits::onnx
