// Separable resampling with the arithmetic of Pillow's Image.resize: when a picture shrinks the filter widens with it
// (antialiasing), weights are fixed point, and the result of the horizontal pass is rounded to 8 bits before the
// vertical. Pillow up to 12 is met exactly. Pillow 13 begins with the vertical pass for some pictures that lose much
// more height than width; there a pixel may differ by one or, bicubic, a few.
#include <algorithm>
#include <cmath>

#include "calibrate/image.h"

namespace fewbits::calibrate {
namespace {

constexpr int kPrecision = 22;  // weights are multiples of 2^-22: 255 times a bicubic sum of 1.3 still fits 31 bits

double bilinear(double x) noexcept {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

// Keys' cubic convolution with a = -1/2.
double bicubic(double x) noexcept {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

// For each output position the first input position and the weights of the ones from there.
struct Taps {
  struct Span {
    int first;
    int count;
    size_t weights;  // where they begin in Taps::weights
  };
  std::vector<Span> spans;
  std::vector<int32_t> weights;
};

Taps make_taps(int in, int out, Interpolation interpolation) {
  const auto filter = interpolation == Interpolation::kBicubic ? bicubic : bilinear;
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double radius = (interpolation == Interpolation::kBicubic ? 2.0 : 1.0) * stretch;
  Taps taps;
  std::vector<double> exact;
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - radius + 0.5));
    const int last = std::min(in, static_cast<int>(center + radius + 0.5));
    exact.clear();
    double sum = 0;
    for (int x = first; x < last; ++x) {
      exact.push_back(filter((x - center + 0.5) / stretch));
      sum += exact.back();
    }
    taps.spans.push_back({first, last - first, taps.weights.size()});
    for (double weight : exact) {
      taps.weights.push_back(static_cast<int32_t>(std::lround(weight / sum * (1 << kPrecision))));
    }
  }
  return taps;
}

uint8_t to_pixel(int32_t sum) noexcept { return static_cast<uint8_t>(std::clamp(sum >> kPrecision, 0, 255)); }

constexpr int32_t kHalf = 1 << (kPrecision - 1);

Image resize_rows(const Image& image, int width, Interpolation interpolation) {
  const Taps taps = make_taps(image.width, width, interpolation);
  const size_t channels = static_cast<size_t>(image.channels);
  Image out{width, image.height, image.channels, {}};
  out.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(image.height) * channels);
  uint8_t* to = out.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row = image.pixels.data() + static_cast<size_t>(y) * static_cast<size_t>(image.width) * channels;
    for (const Taps::Span& span : taps.spans) {
      const uint8_t* from = row + static_cast<size_t>(span.first) * channels;
      for (size_t c = 0; c < channels; ++c) {
        int32_t sum = kHalf;
        for (size_t t = 0; t < static_cast<size_t>(span.count); ++t) {
          sum += from[t * channels + c] * taps.weights[span.weights + t];
        }
        *to++ = to_pixel(sum);
      }
    }
  }
  return out;
}

Image resize_columns(const Image& image, int height, Interpolation interpolation) {
  const Taps taps = make_taps(image.height, height, interpolation);
  const size_t row = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  Image out{image.width, height, image.channels, std::vector<uint8_t>(row * static_cast<size_t>(height))};
  std::vector<int32_t> sums(row);
  uint8_t* to = out.pixels.data();
  for (const Taps::Span& span : taps.spans) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (size_t t = 0; t < static_cast<size_t>(span.count); ++t) {
      const int32_t weight = taps.weights[span.weights + t];
      const uint8_t* from = image.pixels.data() + (static_cast<size_t>(span.first) + t) * row;
      for (size_t x = 0; x < row; ++x) sums[x] += from[x] * weight;
    }
    to = std::transform(sums.begin(), sums.end(), to, to_pixel);
  }
  return out;
}

}  // namespace

Image resize(const Image& image, int width, int height, Interpolation interpolation) {
  const bool rows = width != image.width, columns = height != image.height;
  if (!rows) return columns ? resize_columns(image, height, interpolation) : image;
  Image out = resize_rows(image, width, interpolation);
  return columns ? resize_columns(out, height, interpolation) : out;
}

}  // namespace fewbits::calibrate
