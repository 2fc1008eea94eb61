// Pictures: decoding, and geometry held against numbers that Pillow 13 gave for the same pixels.
#include "calibrate/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "calibrate/dataset_test_files.h"

namespace fewbits::calibrate {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

// Image.fromarray(pattern).resize((W, H), Image.BILINEAR or BICUBIC)
constexpr uint8_t k7x5To3x4Bilinear[] = {56,  109, 149, 120, 147, 174, 158, 143, 113, 147, 154, 137,
                                         125, 110, 122, 114, 129, 136, 110, 117, 133, 142, 154, 139,
                                         145, 128, 135, 140, 152, 122, 136, 129, 133, 168, 139, 110};
constexpr uint8_t k7x5To3x4Bicubic[] = {45,  103, 149, 122, 155, 182, 162, 141, 110, 158, 160, 135,
                                        119, 104, 117, 111, 127, 139, 103, 113, 129, 145, 159, 146,
                                        150, 127, 133, 139, 155, 123, 139, 125, 133, 168, 140, 109};
constexpr uint8_t k7x5To10x8Bilinear[] = {
    0,   20,  46,  72,  98,  124, 150, 176, 202, 222, 40,  62,  90,  118, 146, 135, 90,  118, 146, 168,
    97,  121, 148, 168, 199, 146, 21,  52,  83,  107, 154, 180, 171, 81,  107, 113, 96,  129, 164, 190,
    130, 160, 153, 67,  95,  133, 166, 147, 164, 194, 27,  59,  96,  124, 164, 204, 232, 105, 85,  117,
    68,  102, 146, 189, 139, 132, 169, 135, 150, 184, 108, 144, 189, 235, 114, 70,  115, 161, 206, 242};
constexpr uint8_t k7x5To10x8Bicubic[] = {
    0,   10,  39,  64,  89,  122, 160, 186, 214, 233, 30,  49,  83,  121, 158, 140, 87,  115, 148, 169,
    94,  119, 151, 174, 224, 156, 8,   39,  80,  104, 169, 208, 192, 69,  94,  106, 86,  134, 179, 204,
    137, 179, 166, 45,  73,  132, 177, 154, 174, 207, 17,  48,  91,  123, 168, 221, 245, 90,  66,  114,
    60,  92,  148, 202, 137, 124, 172, 129, 147, 187, 111, 145, 203, 249, 100, 39,  106, 166, 223, 255};
// Image.fromarray(pattern(7, 5)).convert("L")
constexpr uint8_t kGray[] = {43,  80,  117, 154, 191, 199, 86,  134, 178, 193, 87,  54,  98,  142, 196, 97,  71, 122,
                             173, 195, 96,  60,  118, 176, 205, 113, 94,  152, 151, 187, 102, 90,  155, 191, 106};
// Image.fromarray([x * 10, y * 15, 128] of 24x16).save("JPEG", quality=85, optimize=True), and row 5 as Pillow decodes
// it.
constexpr uint8_t kJpeg[] = {
    255, 216, 255, 224, 0,   16,  74,  70,  73,  70,  0,   1,   1,   0,   0,   1,   0,   1,   0,   0,   255, 219,
    0,   67,  0,   5,   3,   4,   4,   4,   3,   5,   4,   4,   4,   5,   5,   5,   6,   7,   12,  8,   7,   7,
    7,   7,   15,  11,  11,  9,   12,  17,  15,  18,  18,  17,  15,  17,  17,  19,  22,  28,  23,  19,  20,  26,
    21,  17,  17,  24,  33,  24,  26,  29,  29,  31,  31,  31,  19,  23,  34,  36,  34,  30,  36,  28,  30,  31,
    30,  255, 219, 0,   67,  1,   5,   5,   5,   7,   6,   7,   14,  8,   8,   14,  30,  20,  17,  20,  30,  30,
    30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,
    30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,  30,
    30,  30,  30,  30,  255, 192, 0,   17,  8,   0,   16,  0,   24,  3,   1,   34,  0,   2,   17,  1,   3,   17,
    1,   255, 196, 0,   22,  0,   1,   1,   1,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    7,   0,   6,   255, 196, 0,   25,  16,  0,   1,   5,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   5,   6,   35,  49,  161, 255, 196, 0,   22,  1,   1,   1,   1,   0,   0,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   6,   5,   7,   255, 196, 0,   29,  17,  0,   2,   1,   4,   3,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   6,   34,  1,   3,   4,   49,  5,   35,  97,  255, 218, 0,
    12,  3,   1,   0,   2,   17,  3,   17,  0,   63,  0,   12,  77,  107, 212, 120, 105, 147, 90,  245, 30,  9,
    73,  173, 122, 143, 13,  58,  107, 94,  163, 194, 190, 99,  39,  161, 245, 166, 237, 72,  52,  77,  107, 212,
    120, 67,  138, 107, 94,  163, 194, 12,  222, 100, 150, 205, 187, 142, 110, 233, 164, 143, 255, 217};
constexpr uint8_t kJpegRow5[] = {4,   74, 126, 9,   76, 128, 17,  77, 129, 26,  77, 130, 37,  76, 131, 47,  77, 131,
                                 59,  76, 130, 68,  75, 129, 79,  76, 129, 88,  75, 128, 99,  76, 128, 110, 76, 127,
                                 119, 75, 128, 129, 74, 129, 139, 76, 131, 146, 76, 130, 159, 76, 128, 168, 76, 127,
                                 178, 75, 128, 188, 75, 129, 198, 75, 129, 208, 75, 128, 219, 76, 130, 224, 77, 131};

Image picture(int width, int height, int channels = 3) {
  return {width, height, channels, pattern(width, height, channels)};
}

struct ResizeCase {
  int width, height, channels;
  Interpolation interpolation;
  std::span<const uint8_t> pillow;
};

TEST(ImageTest, ResizesAsPillow) {
  const ResizeCase cases[] = {{3, 4, 3, Interpolation::kBilinear, k7x5To3x4Bilinear},
                              {3, 4, 3, Interpolation::kBicubic, k7x5To3x4Bicubic},
                              {10, 8, 1, Interpolation::kBilinear, k7x5To10x8Bilinear},
                              {10, 8, 1, Interpolation::kBicubic, k7x5To10x8Bicubic}};
  for (const ResizeCase& c : cases) {
    const Image out = resize(picture(7, 5, c.channels), c.width, c.height, c.interpolation);
    EXPECT_EQ(out.width, c.width);
    EXPECT_EQ(out.height, c.height);
    EXPECT_THAT(out.pixels, ElementsAreArray(c.pillow)) << enum_name(c.interpolation);
  }
}

// A larger picture by its sums: r.sum(), and (r.ravel() * (arange(r.size) % 97)).sum().
TEST(ImageTest, ResizesLargePicturesAsPillow) {
  const std::tuple<Interpolation, uint64_t, uint64_t> cases[] = {{Interpolation::kBilinear, 1173787, 56341912},
                                                                 {Interpolation::kBicubic, 1173795, 56349790}};
  for (const auto& [interpolation, sum, weighted] : cases) {
    const Image out = resize(picture(301, 199), 64, 48, interpolation);
    uint64_t got_sum = 0, got_weighted = 0;
    for (size_t i = 0; i < out.pixels.size(); ++i) {
      got_sum += out.pixels[i];
      got_weighted += out.pixels[i] * (i % 97);
    }
    EXPECT_EQ(got_sum, sum);
    EXPECT_EQ(got_weighted, weighted);
  }
}

TEST(ImageTest, TheSameSizeIsTheSamePicture) {
  EXPECT_EQ(resize(picture(7, 5), 7, 5, Interpolation::kBicubic).pixels, pattern(7, 5, 3));
}

TEST(ImageTest, TurnsGreyAsPillow) { EXPECT_THAT(to_gray(picture(7, 5)).pixels, ElementsAreArray(kGray)); }

// torchvision.transforms.CenterCrop: round((margin) / 2), halves to even.
TEST(ImageTest, CropsTheCentreAsTorchvision) {
  const auto first_column = [](int width) {
    Image image{width, 1, 1, {}};
    for (int x = 0; x < width; ++x) image.pixels.push_back(static_cast<uint8_t>(x));
    return crop_center(image, 2, 1).pixels[0];
  };
  EXPECT_EQ(first_column(2), 0);
  EXPECT_EQ(first_column(3), 0);  // 0.5 -> 0
  EXPECT_EQ(first_column(4), 1);
  EXPECT_EQ(first_column(5), 2);  // 1.5 -> 2
  EXPECT_EQ(first_column(7), 2);  // 2.5 -> 2
  EXPECT_EQ(first_column(9), 4);  // 3.5 -> 4
}

TEST(ImageTest, DecodesPillowsJpegAsPillow) {
  const auto image = decode_image(kJpeg);
  ASSERT_TRUE(image) << message_of(image);
  ASSERT_EQ(image->width, 24);
  ASSERT_EQ(image->height, 16);
  for (size_t i = 0; i < 72; ++i) EXPECT_NEAR(image->pixels[5 * 72 + i], kJpegRow5[i], 1) << i;
}

TEST(ImageTest, DecodesGreyProgressiveAndFourColourJpegs) {
  const Bytes grey(64, 77);
  const auto from_grey = decode_image(encode_jpeg(8, 8, grey, JCS_GRAYSCALE));
  ASSERT_TRUE(from_grey) << message_of(from_grey);
  EXPECT_THAT(from_grey->pixels, testing::AllOf(testing::SizeIs(192), testing::Each(77)));

  Bytes ramp;
  for (int i = 0; i < 32 * 32; ++i) ramp.insert(ramp.end(), {static_cast<uint8_t>(i % 32 * 8), 100, 200});
  const auto progressive = decode_image(encode_jpeg(32, 32, ramp, JCS_RGB, true));
  ASSERT_TRUE(progressive) << message_of(progressive);
  for (size_t i = 0; i < ramp.size(); ++i) EXPECT_NEAR(progressive->pixels[i], ramp[i], 8);

  Bytes ink;  // Adobe's inverted ink: 255 is none
  for (int i = 0; i < 64; ++i) ink.insert(ink.end(), {255, 128, 0, 204});
  const auto cmyk = decode_image(encode_jpeg(8, 8, ink, JCS_CMYK));
  ASSERT_TRUE(cmyk) << message_of(cmyk);
  EXPECT_NEAR(cmyk->pixels[0], 204, 3);
  EXPECT_NEAR(cmyk->pixels[1], 128 * 204 / 255, 3);
  EXPECT_NEAR(cmyk->pixels[2], 0, 3);
}

TEST(ImageTest, DecodesPngsExactly) {
  const Bytes pixels = pattern(13, 9, 3);
  for (const bool interlaced : {false, true}) {
    const auto image = decode_image(encode_png(13, 9, pixels, PNG_COLOR_TYPE_RGB, 8, interlaced));
    ASSERT_TRUE(image) << message_of(image);
    EXPECT_EQ(image->width, 13);
    EXPECT_EQ(image->height, 9);
    EXPECT_EQ(image->pixels, pixels);
  }
}

TEST(ImageTest, EveryKindOfPngBecomesRgb) {
  const auto pixels_of = [](const Bytes& png) {
    const auto image = decode_image(png);
    EXPECT_TRUE(image) << message_of(image);
    return image ? image->pixels : Bytes();
  };
  // Alpha is dropped, not blended.
  EXPECT_THAT(pixels_of(encode_png(2, 1, Bytes{10, 20, 30, 0, 40, 50, 60, 128}, PNG_COLOR_TYPE_RGBA)),
              ElementsAre(10, 20, 30, 40, 50, 60));
  EXPECT_THAT(pixels_of(encode_png(1, 1, Bytes{99, 3}, PNG_COLOR_TYPE_GRAY_ALPHA)), ElementsAre(99, 99, 99));
  EXPECT_THAT(pixels_of(encode_png(2, 1, Bytes{0x80}, PNG_COLOR_TYPE_GRAY, 1)), ElementsAre(255, 255, 255, 0, 0, 0));
  // 16 bits: round(v * 255 / 65535).
  EXPECT_THAT(pixels_of(encode_png(2, 1, Bytes{0x80, 0x00, 0xff, 0xff}, PNG_COLOR_TYPE_GRAY, 16)),
              ElementsAre(128, 128, 128, 255, 255, 255));
  EXPECT_THAT(pixels_of(encode_png(2, 1, Bytes{1, 0}, PNG_COLOR_TYPE_PALETTE, 8, false, {{1, 2, 3}, {4, 5, 6}})),
              ElementsAre(4, 5, 6, 1, 2, 3));
}

TEST(ImageTest, TruncatedPicturesAreErrors) {
  const Bytes pixels = pattern(40, 30, 3);
  for (const Bytes& whole :
       {encode_jpeg(40, 30, pixels), encode_jpeg(40, 30, pixels, JCS_RGB, true), encode_png(40, 30, pixels)}) {
    ASSERT_TRUE(decode_image(whole));
    for (size_t cut = 0; cut < whole.size() - 20; cut += 13) {  // a PNG's last 12 bytes say only that it ends
      const auto image = decode_image(std::span(whole).first(cut));
      ASSERT_FALSE(image) << cut << " of " << whole.size();
      EXPECT_NE(image.error().code, ErrorCode::kInternal);
    }
  }
}

TEST(ImageTest, AnyBytesAreSafe) {
  for (Bytes bytes :
       {encode_jpeg(9, 7, pattern(9, 7, 3)), encode_png(9, 7, pattern(9, 7, 3), PNG_COLOR_TYPE_RGB, 8, true)}) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (const uint8_t value : {0, 1, 0x7f, 0xff}) {
        const uint8_t old = std::exchange(bytes[i], value);
        const auto image = decode_image(bytes, 1 << 16);
        if (image) {
          EXPECT_EQ(image->pixels.size(), static_cast<size_t>(image->width) * static_cast<size_t>(image->height) * 3);
        }
        bytes[i] = old;
      }
    }
  }
}

TEST(ImageTest, LargePicturesAreRefusedBeforeTheyAreDecoded) {
  EXPECT_EQ(decode_image(encode_png(40, 30, pattern(40, 30, 3)), 1000).error().code, ErrorCode::kResource);
  EXPECT_EQ(decode_image(encode_jpeg(40, 30, pattern(40, 30, 3)), 1000).error().code, ErrorCode::kResource);
}

using ImageFileTest = FolderTest;

TEST_F(ImageFileTest, ErrorsNameTheFile) {
  EXPECT_THAT(message_of(read_image(write("a.jpg", Bytes{'G', 'I', 'F', '8'}))),
              HasSubstr(path("a.jpg") + ": neither"));
  EXPECT_THAT(message_of(read_image(write("b.png", Bytes{}))), HasSubstr("b.png: the file is empty"));
  EXPECT_EQ(read_image(path("none.png")).error().code, ErrorCode::kNotFound);
}

std::pair<int, int> fitted(int width, int height, const PreprocessOptions& options, int to_height, int to_width) {
  const auto image = fit_image(picture(width, height), options, to_height, to_width, 3);
  EXPECT_TRUE(image) << message_of(image);
  return image ? std::pair(image->width, image->height) : std::pair(0, 0);
}

TEST(FitTest, StepsGiveTheSizesOfTorchvision) {
  EXPECT_EQ(fitted(50, 33, {.resize_short = 16}, -1, -1), std::pair(24, 16));  // 16 * 50 / 33 = 24.2
  EXPECT_EQ(fitted(33, 50, {.resize_short = 16}, -1, -1), std::pair(16, 24));
  EXPECT_EQ(fitted(50, 33, {.resize_short = 16, .crop = 12}, -1, -1), std::pair(12, 12));
  EXPECT_EQ(fitted(50, 33, {.resize_short = 16}, 14, 14), std::pair(14, 14));
  EXPECT_EQ(fitted(50, 33, {}, 14, 20), std::pair(20, 14));
  EXPECT_EQ(fitted(5, 3, {}, 14, 20), std::pair(20, 14));
  EXPECT_EQ(fitted(50, 33, {.crop = 30, .fit = Fit::kStretch}, 14, 20), std::pair(20, 14));
}

TEST(FitTest, StretchAndCoverAreTheStepsTheyName) {
  const Image image = picture(50, 33);
  const auto stretched = fit_image(image, {.fit = Fit::kStretch}, 10, 11, 3);
  EXPECT_EQ(stretched->pixels, resize(image, 11, 10, Interpolation::kBilinear).pixels);
  // 50x33 covers 10x11 at 1/3: 17x11 (rounded), cut to 10.
  const auto covered = fit_image(image, {.interpolation = Interpolation::kBicubic}, 11, 10, 3);
  EXPECT_EQ(covered->pixels, crop_center(resize(image, 17, 11, Interpolation::kBicubic), 10, 11).pixels);
}

TEST(FitTest, OrdersChannels) {
  const Image image{2, 1, 3, {1, 2, 3, 4, 5, 6}};
  EXPECT_THAT(fit_image(image, {.channel_order = ChannelOrder::kBgr}, 1, 2, 3)->pixels, ElementsAre(3, 2, 1, 6, 5, 4));
  EXPECT_THAT(fit_image(image, {.layout = ChannelLayout::kNchw}, 1, 2, 3)->pixels, ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(fit_image(picture(7, 5), {}, 5, 7, 1)->pixels, ElementsAreArray(kGray));
}

TEST(FitTest, CropsThatCannotBeAreErrors) {
  EXPECT_EQ(fit_image(picture(8, 8), {.crop = 9}, -1, -1, 3).error().code, ErrorCode::kInvalidData);
  EXPECT_THAT(message_of(fit_image(picture(20, 20), {.crop = 12}, 10, 10, 3)), HasSubstr("the crop is 12"));
  EXPECT_EQ(fit_image(picture(20, 20), {.resize_short = 8}, 10, 10, 3).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(fit_image(picture(4096, 1), {.resize_short = 8192}, -1, -1, 3).error().code, ErrorCode::kResource);
}

TEST(OptionsTest, ChecksNumbers) {
  EXPECT_TRUE(check_options({}));
  EXPECT_TRUE(check_options({.mean = {1, 2, 3}, .std = {1}}));
  EXPECT_FALSE(check_options({.crop = -1}));
  EXPECT_FALSE(check_options({.std = {0}}));
  EXPECT_FALSE(check_options({.mean = {1, 2}}));
  EXPECT_FALSE(check_options({.mean = {NAN}}));
  EXPECT_FALSE(check_options({.scale = INFINITY}));
}

TEST(OptionsTest, NamesGoBothWays) {
  EXPECT_EQ(enum_from_name<Fit>("stretch"), Fit::kStretch);
  EXPECT_EQ(enum_from_name<Interpolation>("bilinear"), Interpolation::kBilinear);
  EXPECT_EQ(enum_from_name<ChannelOrder>("bgr"), ChannelOrder::kBgr);
  EXPECT_EQ(enum_from_name<ChannelLayout>("nchw"), ChannelLayout::kNchw);
  EXPECT_EQ(enum_from_name<Fit>("pad"), std::nullopt);
}

}  // namespace
}  // namespace fewbits::calibrate
