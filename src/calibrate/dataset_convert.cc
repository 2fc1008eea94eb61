// Conversion of arrays: by copy, by a table of 256 values for pixels, through double for the rest.
#include "calibrate/dataset_convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"

namespace fewbits::calibrate {
namespace {

// Calls visit(pointer to the elements) with their C++ type, which carries their value; false for types without one.
template <class Byte, class Visit>
bool visit_numbers(DType dtype, Byte* bytes, const Visit& visit) {
  const auto as = [&]<class T>(T) {
    using Pointer = std::conditional_t<std::is_const_v<Byte>, const T*, T*>;
    visit(reinterpret_cast<Pointer>(bytes));
    return true;
  };
  switch (dtype) {
    case DType::kFloat32: return as(float{});
    case DType::kFloat64: return as(double{});
    case DType::kInt8: return as(int8_t{});
    case DType::kInt16: return as(int16_t{});
    case DType::kInt32: return as(int32_t{});
    case DType::kInt64: return as(int64_t{});
    case DType::kUInt8:
    case DType::kBool: return as(uint8_t{});
    case DType::kUInt16: return as(uint16_t{});
    case DType::kUInt32: return as(uint32_t{});
    case DType::kUInt64: return as(uint64_t{});
    default: return false;
  }
}

bool is_half(DType dtype) noexcept { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; }
bool can_be_quantized(DType dtype) noexcept {
  return dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt16;
}
bool is_integer(DType dtype) noexcept {
  return !is_float(dtype) && dtype != DType::kBool &&
         visit_numbers(dtype, static_cast<std::byte*>(nullptr), [](auto*) {});
}

std::optional<std::vector<double>> to_doubles(const Array& array) {
  std::vector<double> out(array.count());
  if (is_half(array.dtype)) {
    const auto widen =
        array.dtype == DType::kFloat16 ? static_cast<float (*)(uint16_t) noexcept>(half_to_float) : bfloat16_to_float;
    std::transform(array.as<uint16_t>().begin(), array.as<uint16_t>().end(), out.begin(), widen);
    return out;
  }
  const bool known = visit_numbers(array.dtype, array.bytes.data(), [&](const auto* values) {
    std::transform(values, values + out.size(), out.begin(), [](auto v) { return static_cast<double>(v); });
  });
  return known ? std::optional(std::move(out)) : std::nullopt;
}

// The first element that is NaN or infinite.
template <class T>
std::optional<size_t> first_non_finite(std::span<const T> values) noexcept {
  const auto found = std::find_if(values.begin(), values.end(), [](T v) { return !std::isfinite(v); });
  return found == values.end() ? std::nullopt : std::optional(static_cast<size_t>(found - values.begin()));
}

std::optional<size_t> first_non_finite(const Array& array) {
  if (array.dtype == DType::kFloat32) return first_non_finite(array.as<float>());
  if (array.dtype == DType::kFloat64) return first_non_finite(array.as<double>());
  if (!is_half(array.dtype)) return std::nullopt;
  return first_non_finite(std::span<const double>(*to_doubles(array)));
}

// "element 17 ([0, 3, 2]) is nan".
std::string non_finite_text(const Array& array, size_t index) {
  Shape position(array.shape.size());
  size_t rest = index;
  for (size_t axis = position.size(); axis-- > 0;) {
    const size_t size = static_cast<size_t>(array.shape[axis]);
    position[axis] = static_cast<int32_t>(rest % size);
    rest /= size;
  }
  return fmt::format("element {} ({}) is {}", index, shape_text(position), (*to_doubles(array))[index]);
}

// Numbers of an input's type from real ones.
class Caster {
 public:
  explicit Caster(const InputSpec& input)
      : input_(input), quantized_(input.scale > 0 && can_be_quantized(input.dtype)) {}

  bool quantized() const noexcept { return quantized_; }

  // Quantized inputs take any number, others only one that they can hold; false for one they cannot.
  bool write(std::span<const double> values, std::byte* out) const {
    if (is_half(input_.dtype)) return write_half(values, reinterpret_cast<uint16_t*>(out));
    bool fits = true;
    visit_numbers(input_.dtype, out, [&](auto* to) {
      using T = std::remove_pointer_t<decltype(to)>;
      for (double value : values) {
        if constexpr (std::is_floating_point_v<T>) {
          *to = static_cast<T>(value);
          fits = fits && std::isfinite(*to);
        } else {
          fits = (quantized_ ? quantize(value, *to) : exact(value, *to)) && fits;
        }
        ++to;
      }
    });
    return fits;
  }

 private:
  template <class T>
  bool quantize(double value, T& out) const noexcept {
    using Limits = std::numeric_limits<T>;
    // As TFLite's QUANTIZE: float32 division, halves away from zero.
    const double code = std::round(static_cast<float>(value) / input_.scale) + static_cast<double>(input_.zero_point);
    out = static_cast<T>(std::clamp(code, static_cast<double>(Limits::min()), static_cast<double>(Limits::max())));
    return true;
  }
  template <class T>
  static bool exact(double value, T& out) noexcept {
    // Integers up to 2^53 are exact as double; beyond, a wrong neighbour could be taken.
    constexpr double kExact = 9007199254740992.0;
    using Limits = std::numeric_limits<T>;
    const bool fits = std::abs(value) <= kExact && value >= static_cast<double>(Limits::min()) &&
                      value <= static_cast<double>(Limits::max());
    out = fits ? static_cast<T>(value) : T{0};
    return fits;
  }
  bool write_half(std::span<const double> values, uint16_t* out) const noexcept {
    const bool half = input_.dtype == DType::kFloat16;
    bool fits = true;
    for (double value : values) {
      *out = half ? float_to_half(static_cast<float>(value)) : float_to_bfloat16(static_cast<float>(value));
      fits = fits && std::isfinite(half ? half_to_float(*out) : bfloat16_to_float(*out));
      ++out;
    }
    return fits;
  }

  const InputSpec& input_;
  bool quantized_;
};

// pixel -> the bytes of an input's element, for each channel.
using PixelTable = std::vector<std::array<double, 256>>;

PixelTable pixel_values(const PreprocessOptions& options) {
  PixelTable table(std::max({options.mean.size(), options.std.size(), size_t{1}}));
  const auto of_channel = [](const std::vector<float>& values, size_t channel, double none) {
    return values.empty() ? none : double{values[values.size() == 1 ? 0 : channel]};
  };
  for (size_t c = 0; c < table.size(); ++c) {
    const double mean = of_channel(options.mean, c, 0), std = of_channel(options.std, c, 1);
    for (size_t pixel = 0; pixel < 256; ++pixel) {
      table[c][pixel] = (static_cast<double>(pixel) * double{options.scale} - mean) / std;
    }
  }
  return table;
}

// How many elements of one channel stand together before those of the next: 1 where channels are last. Nothing when the
// shape does not have `channels`.
std::optional<size_t> channel_run(const Shape& shape, const PreprocessOptions& options, size_t channels) {
  if (channels == 1) return element_count(shape);
  const bool planar = options.layout == ChannelLayout::kNchw;
  if (shape.size() < (planar ? 3u : 1u)) return std::nullopt;
  const size_t axis = shape.size() - (planar ? 3 : 1);
  if (static_cast<size_t>(shape[axis]) != channels) return std::nullopt;
  return element_count(Shape(shape.begin() + static_cast<ptrdiff_t>(axis) + 1, shape.end()));
}

// Looks each pixel up in its channel's part of the table, whose entries are of Size bytes.
template <size_t Size>
void look_up(std::span<const std::byte> pixels, const std::byte* table, size_t channels, size_t run, std::byte* out) {
  size_t channel = 0;
  for (size_t begin = 0; begin < pixels.size(); begin += run) {
    const std::byte* of_channel = table + channel * 256 * Size;
    const size_t end = std::min(begin + run, pixels.size());
    for (size_t i = begin; i < end; ++i) {
      std::memcpy(out + i * Size, of_channel + std::to_integer<size_t>(pixels[i]) * Size, Size);
    }
    if (++channel == channels) channel = 0;
  }
}

// Pixels that are not normalised reach 255; an input made for 0..1 or -1..1 would clip nearly all of them.
Status check_pixel_range(const InputSpec& input, const PreprocessOptions& options) {
  if (options.normalizes()) return {};
  const double largest = input.dtype == DType::kInt8 ? INT8_MAX : input.dtype == DType::kUInt8 ? UINT8_MAX : INT16_MAX;
  const double most = (largest - static_cast<double>(input.zero_point)) * input.scale;
  constexpr double kHalfOfThem = 128;
  if (most >= kHalfOfThem) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      "input '{}' takes values up to {:.4g}, but pixels go to 255: give the scale, or mean and std, that the model "
      "was trained with",
      input.name, most);
}

Status write_pixels(const Array& pixels, const InputSpec& input, const PreprocessOptions& options, Array& out) {
  const Caster caster(input);
  if (input.dtype == DType::kBool || (!is_float(input.dtype) && !caster.quantized() && options.normalizes())) {
    return fail(ErrorCode::kInvalidData, "input '{}' is {}: it cannot take {}", input.name, dtype_name(input.dtype),
                options.normalizes() ? "normalised pixels" : "pixels");
  }
  if (caster.quantized()) FB_TRY(check_pixel_range(input, options));
  const PixelTable values = pixel_values(options);
  const auto run = channel_run(out.shape, options, values.size());
  if (!run) {
    return fail(ErrorCode::kInvalidArgument, "mean and std are for {} channels, but input '{}' is {} ({})",
                values.size(), input.name, shape_text(out.shape), enum_name(options.layout));
  }
  const size_t size = dtype_bits(input.dtype) / 8;
  std::vector<std::byte> table(values.size() * 256 * size);
  for (size_t c = 0; c < values.size(); ++c) {
    if (!caster.write(values[c], table.data() + c * 256 * size)) {
      return fail(ErrorCode::kInvalidArgument, "input '{}': {} cannot hold pixels of this scale", input.name,
                  dtype_name(input.dtype));
    }
  }
  const auto apply = size == 1 ? look_up<1> : size == 2 ? look_up<2> : size == 4 ? look_up<4> : look_up<8>;
  apply(pixels.bytes, table.data(), values.size(), *run, out.bytes.data());
  return {};
}

// May numbers of this kind become the input's at all? dataset.h has the rules.
Status check_types(const Array& array, const InputSpec& input, bool real_numbers) {
  const bool quantized = input.scale > 0 && can_be_quantized(input.dtype);
  const auto refuse = [&](const char* why) {
    return fail(ErrorCode::kInvalidData, "input '{}' is {}, the data is {}: {}", input.name, dtype_name(input.dtype),
                dtype_name(array.dtype), why);
  };
  const bool from_number = is_float(array.dtype) || is_integer(array.dtype) || array.dtype == DType::kBool;
  if (!from_number || (!is_float(input.dtype) && !is_integer(input.dtype))) return refuse("there is no conversion");
  if (is_float(input.dtype)) return {};
  if (real_numbers) return quantized ? Status{} : Status(refuse("real numbers are only rounded for quantized inputs"));
  if (quantized) return refuse("save the model's codes in the input's type, or real numbers as float32");
  return {};
}

Status write_numbers(const Array& array, const InputSpec& input, const IntegerCoding& coding, Array& out) {
  const bool coded = coding.scale > 0 && is_integer(array.dtype);
  FB_TRY(check_types(array, input, coded || is_float(array.dtype)));
  std::vector<double> values = *to_doubles(array);
  if (coded) {
    for (double& value : values) value = (value - static_cast<double>(coding.zero_point)) * double{coding.scale};
  }
  if (Caster(input).write(values, out.bytes.data())) return {};
  return fail(ErrorCode::kInvalidData, "input '{}' is {}: it cannot hold all numbers of the data, which is {}",
              input.name, dtype_name(input.dtype), dtype_name(array.dtype));
}

bool same_coding(const InputSpec& input, const IntegerCoding& coding) noexcept {
  constexpr float kSame = 1e-6f;  // scales written as text and read again
  return std::abs(coding.scale - input.scale) <= kSame * input.scale && coding.zero_point == input.zero_point;
}

bool copies(const Array& array, const InputSpec& input, const PreprocessOptions& options,
            const IntegerCoding& coding) noexcept {
  if (array.dtype != input.dtype) return false;
  if (coding.of_input || is_float(array.dtype) || !is_integer(array.dtype)) return true;
  if (coding.scale > 0) return same_coding(input, coding);
  return array.dtype != DType::kUInt8 || !options.normalizes();
}

// Does `wanted` take `from` size for size?
bool takes(std::span<const int32_t> wanted, std::span<const int32_t> from) noexcept {
  return std::equal(wanted.begin(), wanted.end(), from.begin(), from.end(),
                    [](int32_t want, int32_t size) { return want < 0 || want == size; });
}

Shape without_ones(const Shape& shape) {
  Shape out;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(out), [](int32_t size) { return size != 1; });
  return out;
}

}  // namespace

Result<Shape> fit_shape(const Shape& from, const InputSpec& input) {
  const Shape& wanted = input.shape;
  if (takes(wanted, from)) return from;
  if (!wanted.empty() && (wanted[0] == 1 || wanted[0] < 0)) {
    Shape single = wanted;
    single[0] = 1;
    if (takes(std::span(single).subspan(1), from)) {
      std::copy(from.begin(), from.end(), single.begin() + 1);
      return single;
    }
    if (is_static(single) && without_ones(single) == without_ones(from)) return single;
  } else if (is_static(wanted) && without_ones(wanted) == without_ones(from)) {
    return wanted;
  }
  return fail(ErrorCode::kInvalidData, "input '{}' has shape {}, but the sample has {}", input.name, shape_text(wanted),
              shape_text(from));
}

Result<Converted> convert_array(Array array, const InputSpec& input, const PreprocessOptions& options,
                                const IntegerCoding& coding) {
  FB_ASSIGN(Shape shape, fit_shape(array.shape, input));
  if (const auto bad = first_non_finite(array)) return Converted{{}, non_finite_text(array, *bad)};
  if (copies(array, input, options, coding)) {
    array.name = input.name;
    array.shape = std::move(shape);
    return Converted{std::move(array), {}};
  }
  Array out{input.name, input.dtype, std::move(shape), {}};
  const auto bytes = byte_size(out.dtype, out.shape);
  if (!bytes) {
    return fail(ErrorCode::kUnsupported, "input '{}' is {}, which data cannot be made for", input.name,
                dtype_name(input.dtype));
  }
  out.bytes.resize(*bytes);
  const bool pixels = array.dtype == DType::kUInt8 && !(coding.scale > 0);
  FB_TRY(pixels ? write_pixels(array, input, options, out) : write_numbers(array, input, coding, out));
  return Converted{std::move(out), {}};
}

}  // namespace fewbits::calibrate
