// RESIZE_NEAREST_NEIGHBOR: which input row and column each output row and column repeats, then copies.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/mover.h"
#include "ops/resize/op.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// The input index of every output index, as LiteRT's reference kernel rounds it.
std::vector<size_t> nearest(int32_t in, int32_t out, bool align_corners, bool half_pixel_centers) {
  const bool aligned = align_corners && out > 1;
  const float scale = aligned ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                              : static_cast<float>(in) / static_cast<float>(out);
  const float offset = half_pixel_centers ? 0.5f : 0.0f;
  std::vector<size_t> result;
  for (int32_t i = 0; i < out; ++i) {
    const float at = (static_cast<float>(i) + offset) * scale;
    const auto index = static_cast<int32_t>(align_corners ? std::round(at) : std::floor(at));
    result.push_back(static_cast<size_t>(std::clamp(index, 0, in - 1)));
  }
  return result;
}

struct Nearest {
  size_t batches, in_height, in_width, pixel;  // pixel: bytes of all channels
  std::vector<size_t> rows, columns;

  template <size_t kPixel>
  void copy_row(const char* from, char* to) const noexcept {
    const size_t size = kPixel == 0 ? pixel : kPixel;
    for (size_t x = 0; x < columns.size(); ++x) std::memcpy(to + x * size, from + columns[x] * size, size);
  }

  void row(const char* from, char* to) const noexcept {
    switch (pixel) {
      case 1: return copy_row<1>(from, to);
      case 3: return copy_row<3>(from, to);
      case 4: return copy_row<4>(from, to);
      case 12: return copy_row<12>(from, to);
      default: return copy_row<0>(from, to);
    }
  }

  void run(const RunArgs& args) const noexcept {
    const size_t row_bytes = columns.size() * pixel;
    const size_t grain = 1 + (size_t{1} << 15) / (row_bytes + 1);
    parallel_for(args.pool, batches * rows.size(), grain, [&](size_t begin, size_t end) noexcept {
      for (size_t i = begin; i < end; ++i) {
        const size_t y = i % rows.size();
        char* to = out<char>(args) + i * row_bytes;
        if (i > begin && y > 0 && rows[y] == rows[y - 1]) {
          std::memcpy(to, to - row_bytes, row_bytes);
        } else {
          row(in<char>(args, 0) + (i / rows.size() * in_height + rows[y]) * in_width * pixel, to);
        }
      }
    });
  }
};

}  // namespace

Result<Prepared> prepare_resize_nearest(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  const auto* options = context.node->options->AsResizeNearestNeighborOptions();
  const bool align_corners = options != nullptr && options->align_corners;
  const bool half_pixel_centers = options != nullptr && options->half_pixel_centers;
  if (context.outputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  Nearest resize{static_cast<size_t>(in[0]),
                 static_cast<size_t>(in[1]),
                 static_cast<size_t>(in[2]),
                 element * static_cast<size_t>(in[3]),
                 nearest(in[1], out[1], align_corners, half_pixel_centers),
                 nearest(in[2], out[2], align_corners, half_pixel_centers)};
  return make_mover(
      context, [resize = std::move(resize)](const RunArgs& args) noexcept { resize.run(args); }, "nearest");
}

}  // namespace fewbits::ops
