// The .npy format: a magic, a version, a Python dictionary as text, then the raw elements.
#include "calibrate/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "base/file.h"

namespace fewbits::calibrate {
namespace {

static_assert(std::endian::native == std::endian::little, "byte order is handled for little-endian machines");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMostDims = 64;  // numpy's own limit
constexpr size_t kDataAlignment = 64;

struct TypeName {
  std::string_view descr;  // without the byte order
  DType dtype;
};
constexpr TypeName kTypeNames[] = {
    {"b1", DType::kBool},      {"i1", DType::kInt8},        {"i2", DType::kInt16},   {"i4", DType::kInt32},
    {"i8", DType::kInt64},     {"u1", DType::kUInt8},       {"u2", DType::kUInt16},  {"u4", DType::kUInt32},
    {"u8", DType::kUInt64},    {"f2", DType::kFloat16},     {"f4", DType::kFloat32}, {"f8", DType::kFloat64},
    {"c8", DType::kComplex64}, {"c16", DType::kComplex128},
};

size_t element_bytes(DType dtype) noexcept { return dtype_bits(dtype) / 8; }

// The unit that byte order applies to: a complex number is two floats.
size_t swap_unit(DType dtype) noexcept {
  const bool complex = dtype == DType::kComplex64 || dtype == DType::kComplex128;
  return element_bytes(dtype) / (complex ? 2 : 1);
}

// Reads the dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, in whatever order and spacing.
class DictParser {
 public:
  explicit DictParser(std::string_view text) noexcept : text_(text) {}

  Result<NpyHeader> parse() {
    if (!take('{')) return malformed();
    while (!take('}')) {
      FB_ASSIGN(const std::string_view key, string());
      if (!take(':')) return malformed();
      FB_TRY(value_of(key));
      if (!take(',') && peek() != '}') return malformed();
    }
    peek();
    if (at_ != text_.size()) return malformed();
    if (!has_descr_ || !has_order_ || !has_shape_) {
      return fail(ErrorCode::kInvalidData, "the .npy header lacks descr, fortran_order or shape");
    }
    return header_;
  }

 private:
  tl::unexpected<Error> malformed() const {
    return fail(ErrorCode::kInvalidData, "the .npy header is malformed at byte {} of its dictionary", at_);
  }

  // The next character after white space, which it passes over; 0 at the end.
  char peek() noexcept {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char wanted) noexcept {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) noexcept {
    peek();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Result<std::string_view> string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return malformed();
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return malformed();
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inside;
  }

  Status value_of(std::string_view key) {
    if (key == "descr" && !std::exchange(has_descr_, true)) return descr();
    if (key == "fortran_order" && !std::exchange(has_order_, true)) return order();
    if (key == "shape" && !std::exchange(has_shape_, true)) return shape();
    return fail(ErrorCode::kInvalidData, "the .npy header has an unknown or repeated key");
  }

  Status descr() {
    if (peek() == '[') return fail(ErrorCode::kUnsupported, "structured arrays are not supported");
    FB_ASSIGN(const std::string_view text, string());
    if (text.empty()) return malformed();
    const char order = text[0];
    const std::string_view name = text.substr(order == '<' || order == '>' || order == '|' || order == '=' ? 1 : 0);
    for (const TypeName& type : kTypeNames) {
      if (name != type.descr) continue;
      header_.dtype = type.dtype;
      header_.swap_bytes = order == '>' && element_bytes(type.dtype) > 1;
      return {};
    }
    if (name == "O")
      return fail(ErrorCode::kUnsupported, "arrays of Python objects are not read: they hold pickled code");
    constexpr size_t kShown = 16;
    return fail(ErrorCode::kUnsupported, "numpy type '{}' is not supported", printable(text.substr(0, kShown)));
  }

  // Bytes of a hostile file go into messages only when they print.
  static std::string printable(std::string_view text) {
    std::string out(text);
    std::replace_if(out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
  }

  Status order() {
    header_.fortran_order = take_word("True");
    if (!header_.fortran_order && !take_word("False")) return malformed();
    return {};
  }

  Status shape() {
    if (!take('(')) return malformed();
    while (!take(')')) {
      peek();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) return malformed();
      at_ = static_cast<size_t>(end - text_.data());
      take('L');  // Python 2 wrote long integers so
      if (size > INT32_MAX) return fail(ErrorCode::kUnsupported, "a dimension of {} is beyond 2^31 - 1", size);
      if (header_.shape.size() == kMostDims) return malformed();
      header_.shape.push_back(static_cast<int32_t>(size));
      if (!take(',') && peek() != ')') return malformed();
    }
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
  NpyHeader header_;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

// Fortran order: element [i0, i1, ...] stands at i0 + d0 * (i1 + d1 * ...). Gathers rows [begin, begin + count) in C
// order.
void gather_fortran(const NpyHeader& header, const uint8_t* data, size_t begin, size_t count, std::byte* out) {
  const size_t size = element_bytes(header.dtype);
  const size_t rank = header.shape.size();
  std::array<size_t, kMostDims> stride{}, index{};
  size_t step = size;
  for (size_t axis = 0; axis < rank; ++axis) {
    stride[axis] = step;
    step *= static_cast<size_t>(header.shape[axis]);
  }
  const size_t elements = count * (header.row_bytes() / size);
  size_t from = begin * stride[0];
  for (size_t i = 0; i < elements; ++i) {
    std::memcpy(out + i * size, data + from, size);
    for (size_t axis = rank; axis-- > 0;) {
      from += stride[axis];
      if (++index[axis] < static_cast<size_t>(header.shape[axis]) || axis == 0) break;
      from -= stride[axis] * index[axis];
      index[axis] = 0;
    }
  }
}

const char* descr_of(DType dtype) noexcept {
  for (const TypeName& type : kTypeNames) {
    if (type.dtype == dtype) return type.descr.data();
  }
  return nullptr;
}

}  // namespace

Result<size_t> npy_header_size(std::span<const uint8_t> preamble) {
  if (preamble.size() < kNpyPreamble || std::memcmp(preamble.data(), kMagic.data(), kMagic.size()) != 0) {
    return fail(ErrorCode::kInvalidData, "not a .npy file: it does not begin with \\x93NUMPY");
  }
  const unsigned major = preamble[6], minor = preamble[7];
  if (major < 1 || major > 3) return fail(ErrorCode::kUnsupported, ".npy version {}.{} is not known", major, minor);
  const size_t length_bytes = major == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | preamble[8 + i];
  if (length > kNpyLongestHeader)
    return fail(ErrorCode::kInvalidData, "the .npy header of {} bytes is too long", length);
  return 8 + length_bytes + length;
}

Result<NpyHeader> parse_npy_header(std::span<const uint8_t> bytes) {
  FB_ASSIGN(const size_t size, npy_header_size(bytes));
  if (bytes.size() < size) {
    return fail(ErrorCode::kInvalidData, "the .npy header takes {} bytes, but there are {}", size, bytes.size());
  }
  const size_t start = bytes[6] == 1 ? 10 : 12;
  DictParser parser({reinterpret_cast<const char*>(bytes.data()) + start, size - start});
  FB_ASSIGN(NpyHeader header, parser.parse());
  const auto data_bytes = byte_size(header.dtype, header.shape);
  if (!data_bytes || !checked_add(size, *data_bytes)) {
    return fail(ErrorCode::kInvalidData, "the shape {} overflows", shape_text(header.shape));
  }
  header.data_offset = size;
  header.data_bytes = *data_bytes;
  return header;
}

void fix_byte_order(const NpyHeader& header, std::span<std::byte> elements) noexcept {
  if (!header.swap_bytes) return;
  const size_t unit = swap_unit(header.dtype);
  for (size_t at = 0; at + unit <= elements.size(); at += unit) {
    std::reverse(elements.begin() + static_cast<ptrdiff_t>(at), elements.begin() + static_cast<ptrdiff_t>(at + unit));
  }
}

void copy_npy_rows(const NpyHeader& header, std::span<const uint8_t> data, size_t begin, size_t count, std::byte* out) {
  const size_t bytes = count * header.row_bytes();
  if (bytes == 0) return;
  if (header.fortran_order && header.shape.size() > 1) {
    gather_fortran(header, data.data(), begin, count, out);
  } else {
    std::memcpy(out, data.data() + begin * header.row_bytes(), bytes);
  }
  fix_byte_order(header, {out, bytes});
}

Result<Array> parse_npy(std::span<const uint8_t> bytes, std::string name) {
  FB_ASSIGN(const NpyHeader header, parse_npy_header(bytes));
  const auto data = bytes.subspan(header.data_offset);
  if (data.size() != header.data_bytes) {
    return fail(ErrorCode::kInvalidData, "{} of shape {} takes {} bytes, but the file holds {}",
                dtype_name(header.dtype), shape_text(header.shape), header.data_bytes, data.size());
  }
  Array array{std::move(name), header.dtype, header.shape, {}};
  array.bytes.resize(header.data_bytes);
  if (header.shape.empty()) {
    std::memcpy(array.bytes.data(), data.data(), data.size());
    fix_byte_order(header, array.bytes);
  } else {
    copy_npy_rows(header, data, 0, header.rows(), array.bytes.data());
  }
  return array;
}

Result<Array> read_npy(const std::string& path) {
  FB_ASSIGN(const auto file, MappedFile::open(path));
  auto array = parse_npy(file->bytes());
  if (!array) return with_context(std::move(array).error(), path);
  return array;
}

Result<std::string> npy_header_for(const Array& array) {
  const char* descr = descr_of(array.dtype);
  if (descr == nullptr) {
    return fail(ErrorCode::kUnsupported, "array '{}': numpy has no {}", array.name, dtype_name(array.dtype));
  }
  if (byte_size(array.dtype, array.shape) != std::optional(array.bytes.size())) {
    return fail(ErrorCode::kInvalidArgument, "array '{}': {} bytes are not {} of shape {}", array.name,
                array.bytes.size(), dtype_name(array.dtype), shape_text(array.shape));
  }
  const std::string shape = fmt::format("{}{}", fmt::join(array.shape, ", "), array.shape.size() == 1 ? "," : "");
  std::string dict = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 element_bytes(array.dtype) > 1 ? '<' : '|', descr, shape);
  constexpr size_t kPrefix = 10;  // magic, version 1.0, two bytes of length
  dict.append((kDataAlignment - (kPrefix + dict.size() + 1) % kDataAlignment) % kDataAlignment, ' ');
  dict += '\n';
  if (dict.size() > UINT16_MAX) return fail(ErrorCode::kUnsupported, "array '{}' has too many dimensions", array.name);

  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dict.size() & 0xff), static_cast<char>(dict.size() >> 8)};
  return header + dict;
}

Status write_npy(const std::string& path, const Array& array) {
  auto header = npy_header_for(array);
  if (!header) return with_context(std::move(header).error(), path);
  return write_file_atomically(path, [&](const ByteSink& sink) -> Status {
    FB_TRY(sink({reinterpret_cast<const uint8_t*>(header->data()), header->size()}));
    return sink({reinterpret_cast<const uint8_t*>(array.bytes.data()), array.bytes.size()});
  });
}

}  // namespace fewbits::calibrate
