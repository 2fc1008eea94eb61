// JPEG through libjpeg. Its errors are longjmps: the functions that call setjmp hold nothing with a destructor.
#include <cstddef>
#include <cstdio>  // jpeglib.h wants FILE

#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>

#include "base/checked.h"
#include "calibrate/image.h"

namespace fewbits::calibrate::detail {
namespace {

constexpr int kMostScans = 500;  // a progressive file of more only serves to keep a decoder busy

struct Decoder {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf on_error;
  char message[JMSG_LENGTH_MAX];
  bool too_many_scans;
};

Decoder& decoder_of(j_common_ptr jpeg) noexcept { return *static_cast<Decoder*>(jpeg->client_data); }

[[noreturn]] void leave(j_common_ptr jpeg) {
  Decoder& decoder = decoder_of(jpeg);
  jpeg->err->format_message(jpeg, decoder.message);
  std::longjmp(decoder.on_error, 1);
}

// Level -1 is a warning: libjpeg goes on with grey pixels where data is missing, which must not pass as a picture.
void on_message(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  if (level == -1 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) leave(jpeg);
}

void on_progress(j_common_ptr jpeg) {
  Decoder& decoder = decoder_of(jpeg);
  if (decoder.jpeg.input_scan_number <= kMostScans) return;
  decoder.too_many_scans = true;
  leave(jpeg);
}

// Reads the header and starts; false after an error, told in decoder.message.
bool start(Decoder& decoder, const uint8_t* bytes, size_t size, size_t most_pixels, bool& too_large) {
  if (setjmp(decoder.on_error) != 0) return false;
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  jpeg_create_decompress(&jpeg);
  jpeg.progress = &decoder.progress;
  jpeg_mem_src(&jpeg, bytes, size);
  jpeg_read_header(&jpeg, TRUE);
  too_large = size_t{jpeg.image_width} * size_t{jpeg.image_height} > most_pixels;  // both fit 16 bits
  if (too_large) return false;
  const bool four = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  jpeg.out_color_space = four ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  return true;
}

// One row to `out`, which has room for output_width * output_components; false after an error.
bool read_row(Decoder& decoder, uint8_t* out) {
  if (setjmp(decoder.on_error) != 0) return false;
  JSAMPROW row = out;
  return jpeg_read_scanlines(&decoder.jpeg, &row, 1) == 1;
}

// Ink to light. Files with four components hold inverted ink (Adobe's way), so 255 is none.
void cmyk_to_rgb(const uint8_t* ink, uint8_t* rgb, size_t pixels) noexcept {
  for (size_t i = 0; i < pixels; ++i, ink += 4, rgb += 3) {
    for (size_t c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>((ink[c] * ink[3] + 127) / 255);
  }
}

Result<Image> decode(Decoder& decoder, std::span<const uint8_t> bytes, size_t most_pixels) {
  bool too_large = false;
  if (!start(decoder, bytes.data(), bytes.size(), most_pixels, too_large)) {
    if (too_large) {
      return fail(ErrorCode::kResource, "a JPEG of {}x{} is more than {} pixels", decoder.jpeg.image_width,
                  decoder.jpeg.image_height, most_pixels);
    }
    return fail(ErrorCode::kInvalidData, "broken JPEG: {}",
                decoder.too_many_scans ? "too many scans" : decoder.message);
  }
  const size_t width = decoder.jpeg.output_width, height = decoder.jpeg.output_height;
  Image image{static_cast<int>(width), static_cast<int>(height), 3, std::vector<uint8_t>(width * height * 3)};
  const bool four = decoder.jpeg.output_components == 4;
  std::vector<uint8_t> ink(four ? width * 4 : 0);
  for (size_t y = 0; y < height; ++y) {
    uint8_t* row = image.pixels.data() + y * width * 3;
    if (!read_row(decoder, four ? ink.data() : row)) {
      return fail(ErrorCode::kInvalidData, "broken or truncated JPEG at row {} of {}: {}", y, height,
                  decoder.too_many_scans ? "too many scans" : decoder.message);
    }
    if (four) cmyk_to_rgb(ink.data(), row, width);
  }
  return image;
}

}  // namespace

Result<Image> decode_jpeg(std::span<const uint8_t> bytes, size_t most_pixels) {
  Decoder decoder{};
  decoder.jpeg.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = leave;
  decoder.errors.emit_message = on_message;
  decoder.errors.output_message = [](j_common_ptr) {};
  decoder.progress.progress_monitor = on_progress;
  decoder.jpeg.client_data = &decoder;
  auto image = decode(decoder, bytes, most_pixels);
  jpeg_destroy_decompress(&decoder.jpeg);
  return image;
}

}  // namespace fewbits::calibrate::detail
