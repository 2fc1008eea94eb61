// For the tests of this folder: a temporary folder, and files of each kind written by the formats' own libraries.
#pragma once

#include <gtest/gtest.h>
#include <png.h>
#include <sndfile.h>
#include <stdlib.h>

#include <cstdio>  // jpeglib.h wants FILE

#include <jpeglib.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/npy.h"

namespace fewbits::calibrate {

using Bytes = std::vector<uint8_t>;

// A folder of its own for each test, removed with all that is in it.
class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    std::string name = testing::TempDir() + "fewbits_data_XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~FolderTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name = {}) const { return name.empty() ? folder_ : folder_ + "/" + name; }
  std::string write(const std::string& name, std::span<const uint8_t> bytes) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }

 private:
  std::string folder_;
};

// Pixels whose formula the scripts that made the expected numbers share.
inline Bytes pattern(int width, int height, int channels) {
  Bytes out;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) out.push_back(static_cast<uint8_t>(x * 37 + y * 91 + c * 53 + x * y * 7));
    }
  }
  return out;
}

// Rows as libpng takes them: of color_type and bit_depth, 16 bits big endian.
inline Bytes encode_png(int width, int height, std::span<const uint8_t> rows, int color_type = PNG_COLOR_TYPE_RGB,
                        int bit_depth = 8, bool interlaced = false, std::vector<png_color> palette = {}) {
  Bytes out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep data, size_t size) {
        auto& to = *static_cast<Bytes*>(png_get_io_ptr(p));
        to.insert(to.end(), data, data + size);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), bit_depth, color_type,
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!palette.empty()) png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  const size_t stride = rows.size() / static_cast<size_t>(height);
  for (int y = 0; y < height; ++y)
    pointers.push_back(const_cast<png_bytep>(rows.data()) + static_cast<size_t>(y) * stride);
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return out;
}

inline Bytes encode_jpeg(int width, int height, std::span<const uint8_t> pixels, J_COLOR_SPACE space = JCS_RGB,
                         bool progressive = false) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &data, &size);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = space == JCS_GRAYSCALE ? 1 : space == JCS_CMYK ? 4 : 3;
  jpeg.in_color_space = space;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < height; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(pixels.data()) + y * width * jpeg.input_components;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  Bytes out(data, data + size);
  jpeg_destroy_compress(&jpeg);
  std::free(data);
  return out;
}

// Channels together, in [-1, 1].
inline void write_wav(const std::string& path, std::span<const float> samples, int channels = 1, int rate = 16000,
                      int format = SF_FORMAT_PCM_16) {
  SF_INFO info{};
  info.samplerate = rate;
  info.channels = channels;
  info.format = SF_FORMAT_WAV | format;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(file, nullptr);
  sf_write_float(file, samples.data(), static_cast<sf_count_t>(samples.size()));
  sf_close(file);
}

// A .npy file with any dictionary.
inline Bytes npy_file(std::string_view dict, std::span<const uint8_t> data, int version = 1) {
  Bytes out = {0x93, 'N', 'U', 'M', 'P', 'Y', static_cast<uint8_t>(version), 0};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) out.push_back(static_cast<uint8_t>(dict.size() >> (8 * i)));
  out.insert(out.end(), dict.begin(), dict.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

template <class T>
Array array_of(std::string name, DType dtype, Shape shape, std::vector<T> values) {
  return make_array<T>(std::move(name), dtype, std::move(shape), values);
}
template <class T>
std::vector<T> values_of(const Array& array) {
  const auto values = array.as<T>();
  return {values.begin(), values.end()};
}

// The message of an error, or why there is none.
template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "no error" : result.error().message;
}

}  // namespace fewbits::calibrate
