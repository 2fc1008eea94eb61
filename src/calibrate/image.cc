// Pictures: telling formats apart, geometry, channels.
#include "calibrate/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"

namespace fewbits::calibrate {
namespace {

bool begins_with(std::span<const uint8_t> bytes, std::string_view magic) noexcept {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

// The long side when the short one becomes `target`: torchvision rounds down.
int scaled_down(int long_side, int short_side, int target) noexcept {
  return static_cast<int>(int64_t{long_side} * target / short_side);
}

Image resize_short_side(const Image& image, int target, Interpolation interpolation) {
  const bool upright = image.width <= image.height;
  const int longer =
      upright ? scaled_down(image.height, image.width, target) : scaled_down(image.width, image.height, target);
  return upright ? resize(image, target, longer, interpolation) : resize(image, longer, target, interpolation);
}

// The smallest size of the picture's aspect that covers height x width.
Image resize_to_cover(const Image& image, int height, int width, Interpolation interpolation) {
  const double ratio = std::max(static_cast<double>(width) / image.width, static_cast<double>(height) / image.height);
  const auto scaled = [&](int size, int least) {
    return std::max(least, static_cast<int>(std::lround(std::min(size * ratio, double{INT32_MAX}))));
  };
  return resize(image, scaled(image.width, width), scaled(image.height, height), interpolation);
}

// Python's round(margin / 2): half to even.
int half_margin(int margin) noexcept { return margin / 2 + (margin % 4 == 3 ? 1 : 0); }

Result<Image> checked_crop(const Image& image, int height, int width) {
  if (image.width < width || image.height < height) {
    return fail(ErrorCode::kInvalidData, "the picture is {}x{} where a {}x{} crop is wanted; resize it first",
                image.width, image.height, width, height);
  }
  return crop_center(image, width, height);
}

Result<Image> fit_size(Image image, const PreprocessOptions& options, int height, int width) {
  if (height < 0) height = image.height;
  if (width < 0) width = image.width;
  if (image.height == height && image.width == width) return image;
  if (options.fit == Fit::kStretch) return resize(image, width, height, options.interpolation);
  if (options.crop > 0) {
    return fail(ErrorCode::kInvalidArgument, "the crop is {}, but the model's input is {}x{}", options.crop, width,
                height);
  }
  if (options.resize_short == 0) image = resize_to_cover(image, height, width, options.interpolation);
  return checked_crop(image, height, width);
}

void swap_red_and_blue(Image& image) noexcept {
  if (image.channels != 3) return;
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) std::swap(image.pixels[i], image.pixels[i + 2]);
}

void make_planar(Image& image) {
  if (image.channels == 1) return;
  const size_t channels = static_cast<size_t>(image.channels), plane = image.pixels.size() / channels;
  std::vector<uint8_t> planes(image.pixels.size());
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < channels; ++c) planes[c * plane + i] = image.pixels[i * channels + c];
  }
  image.pixels = std::move(planes);
}

bool all_finite(const std::vector<float>& values) noexcept {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

const char* enum_name(ChannelOrder value) noexcept { return value == ChannelOrder::kBgr ? "bgr" : "rgb"; }
const char* enum_name(ChannelLayout value) noexcept { return value == ChannelLayout::kNchw ? "nchw" : "nhwc"; }
const char* enum_name(Interpolation value) noexcept {
  return value == Interpolation::kBicubic ? "bicubic" : "bilinear";
}
const char* enum_name(Fit value) noexcept { return value == Fit::kStretch ? "stretch" : "crop"; }

Status check_options(const PreprocessOptions& options) {
  constexpr int kLargestSide = 1 << 14;
  for (int size : {options.resize_short, options.crop}) {
    if (size < 0 || size > kLargestSide) {
      return fail(ErrorCode::kInvalidArgument, "a picture size of {} is not in 0..{}", size, kLargestSide);
    }
  }
  for (const auto* values : {&options.mean, &options.std}) {
    if (values->size() > 3 || values->size() == 2) {
      return fail(ErrorCode::kInvalidArgument, "mean and std take 1 or 3 numbers, not {}", values->size());
    }
    if (!all_finite(*values)) return fail(ErrorCode::kInvalidArgument, "mean and std must be finite");
  }
  if (std::count(options.std.begin(), options.std.end(), 0.0f) > 0) {
    return fail(ErrorCode::kInvalidArgument, "std must not be 0: values are divided by it");
  }
  if (!std::isfinite(options.scale)) return fail(ErrorCode::kInvalidArgument, "the pixel scale must be finite");
  return {};
}

Result<Image> decode_image(std::span<const uint8_t> bytes, size_t most_pixels) {
  if (bytes.empty()) return fail(ErrorCode::kInvalidData, "the file is empty");
  if (begins_with(bytes, "\xff\xd8\xff")) return detail::decode_jpeg(bytes, most_pixels);
  if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) return detail::decode_png(bytes, most_pixels);
  return fail(ErrorCode::kUnsupported, "neither a JPEG nor a PNG");
}

Result<Image> read_image(const std::string& path) {
  FB_ASSIGN(const auto file, MappedFile::open(path));
  auto image = decode_image(file->bytes());
  if (!image) return with_context(std::move(image).error(), path);
  return image;
}

Image crop_center(const Image& image, int width, int height) {
  const size_t channels = static_cast<size_t>(image.channels);
  const size_t left = static_cast<size_t>(half_margin(image.width - width));
  const size_t top = static_cast<size_t>(half_margin(image.height - height));
  const size_t stride = static_cast<size_t>(image.width) * channels, row = static_cast<size_t>(width) * channels;
  Image out{width, height, image.channels, std::vector<uint8_t>(row * static_cast<size_t>(height))};
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    std::memcpy(out.pixels.data() + y * row, image.pixels.data() + (top + y) * stride + left * channels, row);
  }
  return out;
}

Image to_gray(const Image& image) {
  if (image.channels == 1) return image;
  Image out{image.width, image.height, 1, std::vector<uint8_t>(image.pixels.size() / 3)};
  // ITU-R 601 in 16-bit fixed point: 0.299, 0.587 and 0.114, whose sum is 1.
  constexpr uint32_t kRed = 19595, kGreen = 38470, kBlue = 7471, kHalf = 1 << 15;
  for (size_t i = 0; i < out.pixels.size(); ++i) {
    const uint8_t* p = image.pixels.data() + 3 * i;
    out.pixels[i] = static_cast<uint8_t>((kRed * p[0] + kGreen * p[1] + kBlue * p[2] + kHalf) >> 16);
  }
  return out;
}

Result<Image> fit_image(Image image, const PreprocessOptions& options, int height, int width, int channels) {
  if (image.width <= 0 || image.height <= 0) return fail(ErrorCode::kInvalidData, "the picture has no pixels");
  if (channels == 1) image = to_gray(image);
  if (options.resize_short > 0) {
    // A long thin picture would grow without bound.
    const double growth = static_cast<double>(options.resize_short) / std::min(image.width, image.height);
    if (growth * growth * image.width * image.height > static_cast<double>(kMostPixels)) {
      return fail(ErrorCode::kResource, "a {}x{} picture is too large with a short side of {}", image.width,
                  image.height, options.resize_short);
    }
    image = resize_short_side(image, options.resize_short, options.interpolation);
  }
  if (options.crop > 0) {
    FB_ASSIGN(image, checked_crop(image, options.crop, options.crop));
  }
  FB_ASSIGN(image, fit_size(std::move(image), options, height, width));
  if (options.channel_order == ChannelOrder::kBgr) swap_red_and_blue(image);
  if (options.layout == ChannelLayout::kNchw) make_planar(image);
  return image;
}

}  // namespace fewbits::calibrate
