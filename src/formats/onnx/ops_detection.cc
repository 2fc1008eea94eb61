// Boxes that are chosen, and images that are read at computed places: NonMaxSuppression, GridSample, RoiAlign.
#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/onnx/importer.h"
#include "formats/options.h"

namespace fewbits::onnx {
namespace {

// ---- NonMaxSuppression ----

constexpr int64_t kMostClasses = 256;  // batches times classes, one operator each

// [y1, x1, y2, x2] from [x centre, y centre, width, height].
ValueId corners(Call& c, ValueId boxes) {
  const auto parts = c.b.split(boxes, {1, 1, 1, 1}, 1);
  const ValueId half = c.b.scalar(0.5, DType::kFloat32);
  const ValueId w = c.b.mul(parts[2], half), h = c.b.mul(parts[3], half);
  return c.b.concat({c.b.sub(parts[1], h), c.b.sub(parts[0], w), c.b.add(parts[1], h), c.b.add(parts[0], w)}, 1);
}

// boxes [batch, n, 4], scores [batch, classes, n], most of a class, overlap, least score -> [found, 3]: batch, class, box
void map_non_max_suppression(Call& c) {
  const ValueId boxes = c.need(0), scores = c.need(1);
  const int32_t batches = c.b.dim(boxes, 0), classes = c.b.dim(scores, 1);
  if (c.rank(boxes) != 3 || c.rank(scores) != 3)
    return (void)c.invalid("its boxes or scores have not three dimensions");
  if (batches < 1 || classes < 1 || int64_t{batches} * classes > kMostClasses)
    return (void)c.unsupported("a number of images and classes that is open or large: give it with --shape");
  const auto scalar = [&](size_t input, ValueId otherwise) {
    return c.has(input) ? c.b.reshape(c.in(input), {}) : otherwise;
  };
  const ValueId most = c.b.cast(scalar(2, c.b.int_scalar(0)), DType::kInt32);
  const ValueId overlap = scalar(3, c.b.scalar(0, DType::kFloat32));
  const ValueId least = scalar(4, c.b.scalar(std::numeric_limits<float>::lowest(), DType::kFloat32));
  std::vector<ValueId> found;
  for (int32_t i = 0; i < batches && c.b.ok(); ++i) {
    ValueId of_image = c.b.gather(boxes, c.b.int_scalar(i), 0);
    if (c.int_attr("center_point_box", 0) != 0) of_image = corners(c, of_image);
    const ValueId scores_of_image = c.b.gather(scores, c.b.int_scalar(i), 0);
    for (int32_t k = 0; k < classes && c.b.ok(); ++k) {
      const ValueId of_class = c.b.gather(scores_of_image, c.b.int_scalar(k), 0);
      const auto chosen = c.b.nodes(Op::NON_MAX_SUPPRESSION_V4, {of_image, of_class, most, overlap, least}, 2,
                                    formats::options(tflite::NonMaxSuppressionV4OptionsT()));
      // What lies behind the number of those found is padding.
      const ValueId count = c.b.reshape(chosen[1], {1});
      const ValueId indices =
          c.b.node(Op::SLICE, {chosen[0], c.b.ints({0}), count}, formats::options(tflite::SliceOptionsT()));
      const ValueId rows = c.b.reshape(indices, {-1, 1});
      const ValueId none = c.b.mul(rows, c.b.int_scalar(0));  // of as many rows
      found.push_back(c.b.concat({c.b.add(none, c.b.int_scalar(i)), c.b.add(none, c.b.int_scalar(k)), rows}, 1));
    }
  }
  if (c.b.ok()) c.out(c.b.concat(found, 0));
}

// ---- images at computed places ----

enum class Outside { kZeros, kBorder };  // what lies outside of an image

struct Image {
  ValueId pixels;  // [batch * height * width, channels]
  int32_t height, width;
};

// The pixels in whole rows and columns (floats): `first` is the number of the image's first pixel, of a shape that broadcasts.
ValueId taken(Call& c, const Image& image, ValueId first, ValueId row, ValueId column, Outside outside) {
  const ValueId y = c.b.clamp(row, 0, image.height - 1), x = c.b.clamp(column, 0, image.width - 1);
  const ValueId at = c.b.add(
      c.b.add(c.b.mul(c.b.cast(y, DType::kInt32), c.b.int_scalar(image.width)), c.b.cast(x, DType::kInt32)), first);
  const ValueId pixels = c.b.gather(image.pixels, at, 0);
  if (outside == Outside::kBorder) return pixels;
  const auto inside = [&](ValueId place, ValueId held) {
    return c.b.cast(c.b.binary(Op::EQUAL, place, held), DType::kFloat32);
  };
  const ValueId weight = c.b.mul(inside(row, y), inside(column, x));
  return c.b.mul(pixels, c.b.expand_dims(weight, {c.b.rank(weight)}));
}

ValueId scaled(Call& c, ValueId pixels, ValueId weight) {
  return c.b.mul(pixels, c.b.expand_dims(weight, {c.b.rank(weight)}));
}

ValueId bilinear(Call& c, const Image& image, ValueId first, ValueId row, ValueId column, Outside outside) {
  const ValueId one = c.b.scalar(1, DType::kFloat32);
  const ValueId top = c.b.unary(Op::FLOOR, row), left = c.b.unary(Op::FLOOR, column);
  const ValueId down = c.b.sub(row, top), right = c.b.sub(column, left);
  const ValueId up = c.b.sub(one, down), back = c.b.sub(one, right);
  const auto tap = [&](ValueId y, ValueId x, ValueId a, ValueId b) {
    return scaled(c, taken(c, image, first, y, x, outside), c.b.mul(a, b));
  };
  const ValueId bottom = c.b.add(top, one), far = c.b.add(left, one);
  return c.b.add(c.b.add(tap(top, left, up, back), tap(top, far, up, right)),
                 c.b.add(tap(bottom, left, down, back), tap(bottom, far, down, right)));
}

// Keys's cubic with a = -0.75: weights of the four rows or columns around a place that lies t behind the second of them.
std::array<ValueId, 4> cubic_weights(Call& c, ValueId t) {
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  constexpr double kA = -0.75;
  const auto near = [&](ValueId d) {  // |d| <= 1: ((a + 2) d - (a + 3)) d^2 + 1
    const ValueId line = c.b.sub(c.b.mul(d, number(kA + 2)), number(kA + 3));
    return c.b.add(c.b.mul(line, c.b.mul(d, d)), number(1));
  };
  const auto far = [&](ValueId d) {  // 1 < |d| < 2: ((a d - 5 a) d + 8 a) d - 4 a
    const ValueId inner = c.b.add(c.b.mul(c.b.sub(c.b.mul(d, number(kA)), number(5 * kA)), d), number(8 * kA));
    return c.b.sub(c.b.mul(inner, d), number(4 * kA));
  };
  const ValueId rest = c.b.sub(number(1), t);
  return {far(c.b.add(t, number(1))), near(t), near(rest), far(c.b.add(rest, number(1)))};
}

// A place that is mirrored at the ends until it lies between them. `low` and `high` are the ends.
ValueId reflected(Call& c, ValueId at, double low, double high) {
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const double span = high - low;
  if (span <= 0) return c.b.mul(at, number(0));
  const ValueId from = c.b.unary(Op::ABS, c.b.sub(at, number(low)));
  // Within one period of two spans: what lies beyond the middle comes back.
  const ValueId period = c.b.binary(Op::FLOOR_MOD, from, number(2 * span));
  const ValueId back = c.b.sub(number(2 * span), period);
  return c.b.add(c.b.binary(Op::MINIMUM, period, back), number(low));
}

// x [n, c, h, w], grid [n, rows, columns, 2] of places from -1 to 1, column first
void map_grid_sample(Call& c) {
  const ValueId x = c.need(0), grid = c.need(1);
  const Shape shape = c.b.shape(x);
  if (c.rank(x) != 4 || c.rank(grid) != 4 || !c.b.is_static(x) || !c.b.is_static(grid))
    return (void)c.unsupported("sampling of open sizes, or of what is no image: give the sizes with --shape");
  const bool corners_at_centres = c.int_attr("align_corners", 0) != 0;
  std::string mode = c.string_attr("mode", "linear");
  if (mode == "bilinear") mode = "linear";
  if (mode == "bicubic") mode = "cubic";
  const std::string padding = c.string_attr("padding_mode", "zeros");
  if ((mode != "linear" && mode != "nearest" && mode != "cubic") ||
      (padding != "zeros" && padding != "border" && padding != "reflection"))
    return (void)c.unsupported(fmt::format("sampling of mode '{}' with padding '{}'", mode, padding));
  if (mode == "cubic" && padding == "reflection") return (void)c.unsupported("cubic sampling of reflections");
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const Image image{c.b.reshape(c.b.transpose(x, to_channels_last(4)), {shape[0] * shape[2] * shape[3], shape[1]}),
                    shape[2], shape[3]};
  std::vector<int32_t> firsts;
  for (int32_t i = 0; i < shape[0]; ++i) firsts.push_back(i * shape[2] * shape[3]);
  const ValueId first = c.b.constant(std::move(firsts), DType::kInt32, {shape[0], 1, 1});
  const auto place = [&](int32_t coordinate, int32_t size) {
    const ValueId at = c.b.gather(grid, c.b.int_scalar(coordinate), 3);
    // -1 and 1 are the outer pixels' centres, or the image's edges.
    const double slope = corners_at_centres ? (size - 1) / 2.0 : size / 2.0;
    ValueId pixel = c.b.add(c.b.mul(at, number(slope)), number(slope - (corners_at_centres ? 0 : 0.5)));
    if (padding == "reflection") {
      pixel = corners_at_centres ? reflected(c, pixel, 0, size - 1) : reflected(c, pixel, -0.5, size - 0.5);
    }
    return padding == "zeros" || mode == "cubic" ? pixel : c.b.clamp(pixel, 0, size - 1);
  };
  const ValueId row = place(1, shape[2]), column = place(0, shape[3]);
  const Outside outside = padding == "zeros" ? Outside::kZeros : Outside::kBorder;
  ValueId y = kNoValue;
  if (mode == "linear") {
    y = bilinear(c, image, first, row, column, outside);
  } else if (mode == "nearest") {
    y = taken(c, image, first, c.b.unary(Op::ROUND, row), c.b.unary(Op::ROUND, column), outside);
  } else {
    const ValueId top = c.b.unary(Op::FLOOR, row), left = c.b.unary(Op::FLOOR, column);
    const auto down = cubic_weights(c, c.b.sub(row, top)), right = cubic_weights(c, c.b.sub(column, left));
    for (int i = 0; i < 16; ++i) {
      const auto v = static_cast<size_t>(i / 4), u = static_cast<size_t>(i % 4);
      const ValueId tap =
          taken(c, image, first, c.b.add(top, number(i / 4 - 1)), c.b.add(left, number(i % 4 - 1)), outside);
      const ValueId part = scaled(c, tap, c.b.mul(down[v], right[u]));
      y = i == 0 ? part : c.b.add(y, part);
    }
  }
  c.out(c.b.transpose(y, to_channels_first(4)));
}

// x [n, c, h, w], regions [count, 4] of x1, y1, x2, y2, and each one's image: the mean of samples in each cell of a grid
void map_roi_align(Call& c) {
  const ValueId x = c.need(0), regions = c.need(1);
  const Shape shape = c.b.shape(x);
  const int32_t count = c.b.dim(regions, 0);
  const auto size = [&](const char* name, int64_t otherwise) {
    return static_cast<int32_t>(std::clamp<int64_t>(c.int_attr(name, otherwise), 0, 4096));
  };
  const int32_t rows = size("output_height", 1), columns = size("output_width", 1), ratio = size("sampling_ratio", 0);
  if (c.rank(x) != 4 || !c.b.is_static(x) || count < 1)
    return (void)c.unsupported("regions or images of open size: give the sizes with --shape");
  if (ratio < 1 || ratio > 64)
    return (void)c.unsupported(
        "a number of samples that follows from each region's size, or is large (sampling_ratio)");
  if (rows < 1 || columns < 1) return (void)c.invalid("an output without cells");
  if (c.string_attr("mode", "avg") != "avg") return (void)c.unsupported("the largest sample of a cell");
  const bool half = c.string_attr("coordinate_transformation_mode",
                                  c.opset() < 16 ? "output_half_pixel" : "half_pixel") == "half_pixel";
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const Image image{c.b.reshape(c.b.transpose(x, to_channels_last(4)), {shape[0] * shape[2] * shape[3], shape[1]}),
                    shape[2], shape[3]};
  const ValueId first =
      c.b.reshape(c.b.mul(c.b.cast(c.need(2), DType::kInt32), c.b.int_scalar(shape[2] * shape[3])), {count, 1, 1});
  const double scale = c.float_attr("spatial_scale", 1);
  // Places of the samples along one dimension: [count, cells * samples].
  const auto places = [&](int32_t from, int32_t cells) {
    const auto edge = [&](int32_t i) {
      const ValueId at = c.b.mul(c.b.gather(regions, c.b.int_scalar(i), 1), number(scale));
      return c.b.reshape(half ? c.b.sub(at, number(0.5)) : at, {count, 1});
    };
    const ValueId begin = edge(from);
    ValueId length = c.b.sub(edge(from + 2), begin);
    if (!half) length = c.b.binary(Op::MAXIMUM, length, number(1));
    std::vector<float> parts;
    for (int32_t i = 0; i < cells * ratio; ++i) {
      parts.push_back(static_cast<float>((i / ratio + (i % ratio + 0.5) / ratio) / cells));
    }
    return c.b.add(begin, c.b.mul(length, c.b.constant(std::move(parts), DType::kFloat32, {1, cells * ratio})));
  };
  // Beyond one pixel outside of the image is nothing.
  const auto counted = [&](ValueId at, int32_t limit) {
    return c.b.cast(c.b.binary(Op::LOGICAL_AND, c.b.binary(Op::GREATER_EQUAL, at, number(-1)),
                               c.b.binary(Op::LESS_EQUAL, at, number(limit))),
                    DType::kFloat32);
  };
  const ValueId y_at = c.b.reshape(places(1, rows), {count, rows * ratio, 1});
  const ValueId x_at = c.b.reshape(places(0, columns), {count, 1, columns * ratio});
  const ValueId inside = c.b.mul(counted(y_at, shape[2]), counted(x_at, shape[3]));
  const ValueId all = c.b.mul(inside, number(0));  // of every sample's shape
  const ValueId y = bilinear(c, image, first, c.b.add(c.b.clamp(y_at, 0, shape[2] - 1), all),
                             c.b.add(c.b.clamp(x_at, 0, shape[3] - 1), all), Outside::kBorder);
  const Window cell{.stride_h = ratio, .stride_w = ratio};
  c.out(c.b.transpose(c.b.average_pool(scaled(c, y, inside), ratio, ratio, cell, false), to_channels_first(4)));
}

constexpr OpEntry kOps[] = {
    {"GridSample", map_grid_sample},
    {"NonMaxSuppression", map_non_max_suppression},
    {"RoiAlign", map_roi_align},
};

}  // namespace

std::span<const OpEntry> detection_ops() { return kOps; }

}  // namespace fewbits::onnx
