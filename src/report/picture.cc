// Small pictures of model inputs.
#include "report/picture.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace fewbits::report {
namespace {

constexpr size_t kLargest = 160;  // pixels a side
constexpr size_t kSmallest = 8;

std::vector<float> to_floats(const Array& array) {
  const auto cast = [](const auto& span) { return std::vector<float>(span.begin(), span.end()); };
  switch (array.dtype) {
    case DType::kFloat32: return cast(array.as<float>());
    case DType::kInt8: return cast(array.as<int8_t>());
    case DType::kUInt8: return cast(array.as<uint8_t>());
    default: return {};
  }
}

std::string encode(const std::vector<uint8_t>& pixels, size_t width, size_t height, size_t channels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = 0;
  if (png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr) == 0) return {};
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0) return {};
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string picture_of(const Array& input) {
  const Shape& shape = input.shape;
  if (shape.size() != 4 || shape[0] != 1) return {};
  const auto is_channels = [](int32_t size) { return size == 1 || size == 3; };
  const bool last = is_channels(shape[3]);
  if (!last && !is_channels(shape[1])) return {};
  const auto size = [&](size_t i) { return static_cast<size_t>(shape[i]); };
  const size_t height = size(last ? 1 : 2), width = size(last ? 2 : 3), channels = size(last ? 3 : 1);
  const std::vector<float> values = to_floats(input);
  if (height < kSmallest || width < kSmallest || values.size() != height * width * channels) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float scale = *high > *low ? 255.0f / (*high - *low) : 0.0f;
  const size_t step = std::max<size_t>(1, (std::max(height, width) + kLargest - 1) / kLargest);
  const size_t rows = height / step, columns = width / step;
  std::vector<uint8_t> pixels;
  pixels.reserve(rows * columns * channels);
  for (size_t y = 0; y < rows; ++y) {
    for (size_t x = 0; x < columns; ++x) {
      for (size_t c = 0; c < channels; ++c) {
        float sum = 0;  // the mean of step x step pixels
        for (size_t dy = 0; dy < step; ++dy) {
          for (size_t dx = 0; dx < step; ++dx) {
            const size_t row = y * step + dy, column = x * step + dx;
            sum += values[last ? (row * width + column) * channels + c : (c * height + row) * width + column];
          }
        }
        const float value = (sum / static_cast<float>(step * step) - *low) * scale;
        pixels.push_back(static_cast<uint8_t>(std::clamp(std::round(value), 0.0f, 255.0f)));
      }
    }
  }
  return encode(pixels, columns, rows, channels);
}

std::string base64(const std::string& bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace fewbits::report
