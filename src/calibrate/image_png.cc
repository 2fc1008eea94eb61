// PNG through libpng. Its errors are longjmps: the functions that call setjmp hold nothing with a destructor.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "calibrate/image.h"

namespace fewbits::calibrate::detail {
namespace {

constexpr png_uint_32 kLongestSide = 1 << 20;
constexpr png_alloc_size_t kMostChunkBytes = 1 << 26;

struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const uint8_t* bytes = nullptr;
  size_t left = 0;
  uint32_t width = 0, height = 0;
  int passes = 1;
  char message[256] = "";
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto& decoder = *static_cast<Decoder*>(png_get_error_ptr(png));
  std::snprintf(decoder.message, sizeof decoder.message, "%s", message);
  png_longjmp(png, 1);
}

void read_bytes(png_structp png, png_bytep out, png_size_t size) {
  auto& decoder = *static_cast<Decoder*>(png_get_io_ptr(png));
  if (size > decoder.left) png_error(png, "the file is truncated");
  std::memcpy(out, decoder.bytes, size);
  decoder.bytes += size;
  decoder.left -= size;
}

// Reads what stands before the pixels and asks for 8-bit RGB; false after an error, told in decoder.message.
bool start(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_set_user_limits(decoder.png, kLongestSide, kLongestSide);
  png_set_chunk_malloc_max(decoder.png, kMostChunkBytes);
  png_set_read_fn(decoder.png, &decoder, read_bytes);
  png_read_info(decoder.png, decoder.info);
  decoder.width = png_get_image_width(decoder.png, decoder.info);
  decoder.height = png_get_image_height(decoder.png, decoder.info);
  png_set_expand(decoder.png);
  png_set_scale_16(decoder.png);
  png_set_gray_to_rgb(decoder.png);
  png_set_strip_alpha(decoder.png);
  decoder.passes = png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  if (png_get_rowbytes(decoder.png, decoder.info) != size_t{decoder.width} * 3)
    png_error(decoder.png, "odd pixel format");
  return true;
}

// All passes over width * height * 3 bytes; false after an error.
bool read_rows(Decoder& decoder, uint8_t* pixels) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  for (int pass = 0; pass < decoder.passes; ++pass) {
    for (uint32_t y = 0; y < decoder.height; ++y) {
      png_read_row(decoder.png, pixels + size_t{y} * decoder.width * 3, nullptr);
    }
  }
  return true;
}

Result<Image> decode(Decoder& decoder, size_t most_pixels) {
  if (!start(decoder)) return fail(ErrorCode::kInvalidData, "broken PNG: {}", decoder.message);
  const size_t pixels = size_t{decoder.width} * decoder.height;  // both at most 2^20
  if (pixels > most_pixels) {
    return fail(ErrorCode::kResource, "a PNG of {}x{} is more than {} pixels", decoder.width, decoder.height,
                most_pixels);
  }
  Image image{static_cast<int>(decoder.width), static_cast<int>(decoder.height), 3, std::vector<uint8_t>(pixels * 3)};
  if (!read_rows(decoder, image.pixels.data())) {
    return fail(ErrorCode::kInvalidData, "broken or truncated PNG: {}", decoder.message);
  }
  return image;
}

}  // namespace

Result<Image> decode_png(std::span<const uint8_t> bytes, size_t most_pixels) {
  Decoder decoder;
  decoder.bytes = bytes.data();
  decoder.left = bytes.size();
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, [](png_structp, png_const_charp) {});
  if (decoder.png == nullptr) return fail(ErrorCode::kResource, "libpng cannot start");
  decoder.info = png_create_info_struct(decoder.png);
  auto image = decoder.info != nullptr ? decode(decoder, most_pixels)
                                       : Result<Image>(fail(ErrorCode::kResource, "libpng cannot start"));
  png_destroy_read_struct(&decoder.png, &decoder.info, nullptr);
  return image;
}

}  // namespace fewbits::calibrate::detail
