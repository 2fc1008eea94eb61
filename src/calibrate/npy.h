// NumPy's .npy format, versions 1.0 to 3.0 (numpy.lib.format): arrays between memory and files.
//
// Read: bool, every integer, float16/32/64, complex64/128, of either byte order and in C or Fortran order. Objects
// (pickles are never run), strings, structured types and long double are refused with kUnsupported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/types.h"

namespace fewbits::calibrate {

using fewbits::Array;
using fewbits::make_array;

// What a .npy file says about itself before its data.
struct NpyHeader {
  DType dtype = DType::kFloat32;
  Shape shape;
  bool fortran_order = false;
  bool swap_bytes = false;  // the file has the other byte order
  size_t data_offset = 0;   // where the data begins in the file
  size_t data_bytes = 0;    // how many it takes

  // The array seen as rows along its first dimension; a scalar has no rows.
  size_t rows() const noexcept { return shape.empty() ? 0 : static_cast<size_t>(shape[0]); }
  size_t row_bytes() const noexcept { return rows() == 0 ? 0 : data_bytes / rows(); }
};

// The first bytes that npy_header_size() needs, and the longest header that is read.
inline constexpr size_t kNpyPreamble = 12;
inline constexpr size_t kNpyLongestHeader = size_t{1} << 20;

// How many bytes stand before the data, from a file's first kNpyPreamble bytes. Errors: kInvalidData.
Result<size_t> npy_header_size(std::span<const uint8_t> preamble);
// The header of a file that begins with `bytes`; they may end before the data does. Errors: kInvalidData, kUnsupported.
Result<NpyHeader> parse_npy_header(std::span<const uint8_t> bytes);
// Copies rows [begin, begin + count) of `data`, all data_bytes of the array, to `out` in C order and this machine's
// byte order. The caller has checked the range and the sizes.
void copy_npy_rows(const NpyHeader& header, std::span<const uint8_t> data, size_t begin, size_t count, std::byte* out);
// Puts elements that were read in the file's byte order into this machine's.
void fix_byte_order(const NpyHeader& header, std::span<std::byte> elements) noexcept;

// A whole file in memory; `name` becomes the array's name. Bytes after the data are an error. Safe on any bytes: memory
// taken is bounded by bytes.size().
Result<Array> parse_npy(std::span<const uint8_t> bytes, std::string name = {});
// The same for a file; errors name it.
Result<Array> read_npy(const std::string& path);

// The header that numpy would write (version 1.0, little endian, C order), padded so that the data is aligned to 64.
// Errors: kUnsupported for types that numpy has not (bfloat16, int4), kInvalidArgument when bytes do not fit the shape.
Result<std::string> npy_header_for(const Array& array);
Status write_npy(const std::string& path, const Array& array);

}  // namespace fewbits::calibrate
