// RESIZE_BILINEAR: for each output position the two input positions around it, computed once, then one loop over
// channels.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/mover.h"
#include "ops/resize/op.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

struct ResizeMode {
  bool align_corners = false, half_pixel_centers = false;
};

// An output position along one dimension: the input indices around it and the weight of the upper one.
template <class Weight>
struct Sample {
  size_t lower = 0, upper = 0;
  Weight weight = 0;
};

// Real positions, for float32 and uint8.
std::vector<Sample<float>> samples(float, int32_t in, int32_t out, ResizeMode mode) {
  float scale = static_cast<float>(in) / static_cast<float>(out);
  if (mode.align_corners && out > 1) scale = static_cast<float>(in - 1) / static_cast<float>(out - 1);
  std::vector<Sample<float>> result;
  for (int32_t i = 0; i < out; ++i) {
    const auto value = static_cast<float>(i);
    const float at = mode.half_pixel_centers ? (value + 0.5f) * scale - 0.5f : value * scale;
    const auto lower = std::clamp(static_cast<int32_t>(std::floor(at)), 0, in - 1);
    const auto upper = std::clamp(static_cast<int32_t>(std::ceil(at)), 0, in - 1);
    result.push_back({static_cast<size_t>(lower), static_cast<size_t>(upper), at - static_cast<float>(lower)});
  }
  return result;
}

constexpr int32_t kOne = 1 << 10;  // 1 in positions and weights of 10 fractional bits

// Fixed-point positions, for int8 and int16.
std::vector<Sample<int32_t>> samples(int32_t, int32_t in, int32_t out, ResizeMode mode) {
  int64_t scale = (int64_t{kOne} * in + out / 2) / out;
  if (mode.align_corners && out > 1) scale = (int64_t{kOne} * (in - 1) + (out - 1) / 2) / (out - 1);
  std::vector<Sample<int32_t>> result;
  for (int32_t i = 0; i < out; ++i) {
    const int64_t at = mode.half_pixel_centers ? i * scale + scale / 2 - kOne / 2 : i * scale;
    const int64_t lower = std::clamp<int64_t>(at / kOne, 0, in - 1);
    const int64_t upper = std::clamp<int64_t>((at + kOne - 1) / kOne, 0, in - 1);
    // Beyond the last position (scales are rounded) both ends are the same element and any weight gives it back.
    const int64_t weight = std::clamp<int64_t>(at - kOne * lower, -kOne, kOne);
    result.push_back({static_cast<size_t>(lower), static_cast<size_t>(upper), static_cast<int32_t>(weight)});
  }
  return result;
}

// The four corners of one output pixel, `channels` values each: upper left, lower left, upper right, lower right.
template <class T>
struct Corners {
  const T *top_left, *bottom_left, *top_right, *bottom_right;
};

template <class T>
void interpolate(const Corners<T>& p, float dy, float dx, size_t channels, T* out) noexcept {
  constexpr float kRounding = std::is_integral_v<T> ? 0.5f : 0.0f;
  for (size_t c = 0; c < channels; ++c) {
    const float value = static_cast<float>(p.top_left[c]) * (1 - dy) * (1 - dx) +
                        static_cast<float>(p.bottom_left[c]) * dy * (1 - dx) +
                        static_cast<float>(p.top_right[c]) * (1 - dy) * dx +
                        static_cast<float>(p.bottom_right[c]) * dy * dx + kRounding;
    out[c] = static_cast<T>(value);
  }
}

template <class T>
void interpolate(const Corners<T>& p, int32_t dy, int32_t dx, size_t channels, T* out) noexcept {
  // Weights are at most 1.5 and below 2 together in each direction: int8 sums stay below 2^30.
  using Sum = std::conditional_t<sizeof(T) == 1, int32_t, int64_t>;
  const Sum w00 = Sum{kOne - dy} * (kOne - dx), w10 = Sum{dy} * (kOne - dx);
  const Sum w01 = Sum{kOne - dy} * dx, w11 = Sum{dy} * dx;
  for (size_t c = 0; c < channels; ++c) {
    const Sum sum = p.top_left[c] * w00 + p.bottom_left[c] * w10 + p.top_right[c] * w01 + p.bottom_right[c] * w11;
    const Sum rounded = (sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20);
    out[c] = static_cast<T>(rounded);
  }
}

template <class T, class Weight>
struct Bilinear {
  size_t batches, in_height, in_width, channels;
  std::vector<Sample<Weight>> rows, columns;

  void run(const RunArgs& args) const noexcept {
    const size_t row_size = columns.size() * channels;
    const size_t grain = 1 + (size_t{1} << 13) / (row_size + 1);
    parallel_for(args.pool, batches * rows.size(), grain, [&](size_t begin, size_t end) noexcept {
      for (size_t row = begin; row < end; ++row) {
        const Sample<Weight>& y = rows[row % rows.size()];
        const T* image = in<T>(args, 0) + row / rows.size() * in_height * in_width * channels;
        const T* top = image + y.lower * in_width * channels;
        const T* bottom = image + y.upper * in_width * channels;
        T* to = out<T>(args) + row * row_size;
        for (const Sample<Weight>& x : columns) {
          const size_t left = x.lower * channels, right = x.upper * channels;
          interpolate<T>({top + left, bottom + left, top + right, bottom + right}, y.weight, x.weight, channels, to);
          to += channels;
        }
      }
    });
  }
};

template <class T, class Weight>
Prepared make_bilinear(const OpContext& context, ResizeMode mode, const char* choice) {
  const Shape& in = context.inputs[0].shape;
  const Shape& out = context.outputs[0].shape;
  Bilinear<T, Weight> bilinear{static_cast<size_t>(in[0]),
                               static_cast<size_t>(in[1]),
                               static_cast<size_t>(in[2]),
                               static_cast<size_t>(in[3]),
                               samples(Weight{}, in[1], out[1], mode),
                               samples(Weight{}, in[2], out[2], mode)};
  return make_kernel([bilinear = std::move(bilinear)](const RunArgs& args) noexcept { bilinear.run(args); }, choice);
}

}  // namespace

Result<Prepared> prepare_resize_bilinear(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  const auto* options = context.node->options->AsResizeBilinearOptions();
  const ResizeMode mode =
      options == nullptr ? ResizeMode{} : ResizeMode{options->align_corners, options->half_pixel_centers};
  if (mode.align_corners && mode.half_pixel_centers) {
    return context.fail(ErrorCode::kInvalidModel, "align_corners and half_pixel_centers exclude each other");
  }
  if (input.dtype != context.outputs[0].dtype) return unsupported_types(context);
  if (context.outputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  switch (input.dtype) {
    case DType::kFloat32: return make_bilinear<float, float>(context, mode, "bilinear f32");
    case DType::kUInt8: return make_bilinear<uint8_t, float>(context, mode, "bilinear u8");
    case DType::kInt8: return make_bilinear<int8_t, int32_t>(context, mode, "bilinear s8");
    case DType::kInt16: return make_bilinear<int16_t, int32_t>(context, mode, "bilinear s16");
    default: return unsupported_types(context);
  }
}

}  // namespace fewbits::ops
