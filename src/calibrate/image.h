// Pictures as model inputs: decoding, resizing as Pillow does, cropping. What becomes of the numbers is in
// dataset_convert.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "fewbits/data.h"

namespace fewbits::calibrate {

using fewbits::ChannelLayout;
using fewbits::ChannelOrder;
using fewbits::Fit;
using fewbits::Interpolation;
using fewbits::PreprocessOptions;

// kInvalidArgument for negative sizes, a std of 0, a mean or std that is not finite or has neither 1, 3 nor no numbers.
Status check_options(const PreprocessOptions& options);

// The names that the command line and JSON use: "bilinear", "bgr", "nchw", "stretch".
const char* enum_name(ChannelOrder value) noexcept;
const char* enum_name(ChannelLayout value) noexcept;
const char* enum_name(Interpolation value) noexcept;
const char* enum_name(Fit value) noexcept;
// The value of such a name, nothing for any other: enum_from_name<Fit>("crop").
template <class Enum>
std::optional<Enum> enum_from_name(std::string_view name) noexcept {
  for (const Enum value : {static_cast<Enum>(0), static_cast<Enum>(1)}) {
    if (name == enum_name(value)) return value;
  }
  return std::nullopt;
}

// 8-bit pixels, rows from the top, channels (3: RGB, 1: grey) together.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<uint8_t> pixels;
};

// The largest picture that is decoded, in pixels; more is kResource.
inline constexpr size_t kMostPixels = size_t{1} << 27;

// A JPEG or PNG, told by its first bytes, as RGB. Truncated or broken data is kInvalidData, other formats kUnsupported.
// Safe on any bytes.
Result<Image> decode_image(std::span<const uint8_t> bytes, size_t most_pixels = kMostPixels);
// The same for a file; errors name it.
Result<Image> read_image(const std::string& path);

// Pillow's Image.resize with its antialiasing, 8-bit result and all. The sizes must be at least 1.
Image resize(const Image& image, int width, int height, Interpolation interpolation);
// The middle of the picture, which must be at least as large; odd margins are split as torchvision's CenterCrop does.
Image crop_center(const Image& image, int width, int height);
// ITU-R 601 luma, as Pillow's convert("L").
Image to_gray(const Image& image);

// Steps 1 (grey) to 5. height and width are the input's, -1 where dynamic; channels is 1 or 3. The result's pixels are
// in options.layout. kInvalidData when a crop is larger than the picture.
Result<Image> fit_image(Image image, const PreprocessOptions& options, int height, int width, int channels);

namespace detail {
// decode_image() for one format each; bytes are any.
Result<Image> decode_jpeg(std::span<const uint8_t> bytes, size_t most_pixels);
Result<Image> decode_png(std::span<const uint8_t> bytes, size_t most_pixels);
}  // namespace detail

}  // namespace fewbits::calibrate
