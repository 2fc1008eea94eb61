// ONNX windows and Fourier transforms: these as products with the matrix of the transform.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "formats/onnx/importer.h"
#include "formats/options.h"

namespace fewbits::onnx {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 24;  // of a window or matrix

// ---- windows: a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n) ----

struct Terms {
  double a0, a1, a2;
};

ValueId window_of_open_length(Call& c, const Terms& terms, bool periodic) {
  GraphBuilder& b = c.b;
  const auto number = [&](double v) { return b.scalar(v, DType::kFloat32); };
  const ValueId size = b.reshape(b.cast(c.need(0), DType::kInt32), {});
  const ValueId at =
      b.cast(b.node(Op::RANGE, {b.int_scalar(0), size, b.int_scalar(1)}, formats::options(tflite::RangeOptionsT())),
             DType::kFloat32);
  ValueId period = b.cast(size, DType::kFloat32);
  if (!periodic) period = b.binary(Op::MAXIMUM, b.sub(period, number(1)), number(1));
  const ValueId angle = b.div(b.mul(at, number(2 * std::numbers::pi)), period);
  const ValueId once = b.sub(number(terms.a0), b.mul(b.unary(Op::COS, angle), number(terms.a1)));
  if (terms.a2 == 0) return once;
  return b.add(once, b.mul(b.unary(Op::COS, b.mul(angle, number(2))), number(terms.a2)));
}

void window(Call& c, const Terms& terms) {
  const bool periodic = c.int_attr("periodic", 1) != 0;
  const auto size = c.b.int_values(c.need(0));
  if (!size) return c.out(window_of_open_length(c, terms, periodic));
  if (size->size() != 1 || (*size)[0] < 1 || (*size)[0] > kMostElements)
    return (void)c.unsupported("a window of this length");
  const int64_t n = (*size)[0];
  const double step = 2 * std::numbers::pi / static_cast<double>(std::max<int64_t>(n - (periodic ? 0 : 1), 1));
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) {
    const double at = step * static_cast<double>(i);
    values.push_back(static_cast<float>(terms.a0 - terms.a1 * std::cos(at) + terms.a2 * std::cos(2 * at)));
  }
  c.out(c.b.floats(std::move(values)));
}
void map_hann(Call& c) { window(c, {0.5, 0.5, 0}); }
void map_hamming(Call& c) { window(c, {25.0 / 46, 21.0 / 46, 0}); }
void map_blackman(Call& c) { window(c, {0.42, 0.5, 0.08}); }

// ---- Fourier transforms ----

// What is transformed: signals of `length` numbers, real or complex, into `bins` complex ones.
struct Transform {
  int32_t length = 0, bins = 0;
  bool complex = false, inverse = false;
};

// The matrix [2 bins, length or 2 length], real and imaginary parts side by side.
ValueId matrix(GraphBuilder& b, const Transform& t) {
  const int32_t columns = t.length * (t.complex ? 2 : 1);
  const double sign = t.inverse ? 1 : -1, scale = t.inverse ? 1.0 / t.length : 1;
  std::vector<float> values;
  values.reserve(static_cast<size_t>(2 * t.bins) * static_cast<size_t>(columns));
  const auto fill = [&](int32_t k, bool imaginary) {
    for (int32_t i = 0; i < t.length; ++i) {
      // The angle of a product taken modulo the length is exact.
      const double angle = 2 * std::numbers::pi * static_cast<double>(int64_t{k} * i % t.length) / t.length;
      const double re = scale * std::cos(angle), im = scale * sign * std::sin(angle);
      values.push_back(static_cast<float>(imaginary ? im : re));
      if (t.complex) values.push_back(static_cast<float>(imaginary ? re : -im));
    }
  };
  for (int32_t k = 0; k < t.bins; ++k) {
    fill(k, false);
    fill(k, true);
  }
  return b.constant(std::move(values), DType::kFloat32, {2 * t.bins, columns});
}

// x [..., length, 1 or 2] to [..., bins, 2].
ValueId transformed(Call& c, ValueId x, const Transform& t) {
  GraphBuilder& b = c.b;
  const int rank = b.rank(x);
  if (int64_t{4} * t.bins * t.length > kMostElements) return c.unsupported("a Fourier transform of this length");
  std::vector<ValueId> sizes;
  for (int i = 0; i + 2 < rank; ++i) sizes.push_back(b.size_of(x, i));
  sizes.insert(sizes.end(), {b.int_scalar(t.bins), b.int_scalar(2)});
  const ValueId rows = b.reshape(x, {-1, t.length * (t.complex ? 2 : 1)});
  return b.reshape_to(b.fully_connected(rows, matrix(b, t), kNoValue), b.pack(sizes, 0));
}

// The one number of an optional input; `otherwise` when it is left out.
std::optional<int64_t> number_in(Call& c, size_t input, int64_t otherwise) {
  if (!c.has(input)) return otherwise;
  const auto numbers = c.const_ints(input);
  return numbers.size() == 1 ? std::optional(numbers[0]) : std::nullopt;
}

// Axis and whether only the bins that a real signal's others follow from are wanted.
void map_dft(Call& c) {
  ValueId x = c.need(0);
  const int rank = c.rank(x);
  const auto axis_number = c.opset() >= 20 ? number_in(c, 2, -2) : c.int_attr("axis", 1);
  if (rank < 2 || !axis_number) return (void)c.invalid("its input has too few dimensions, or no axis");
  const int axis = c.axis(*axis_number, rank);
  const bool onesided = c.int_attr("onesided", 0) != 0, inverse = c.int_attr("inverse", 0) != 0;
  const int32_t parts = c.b.dim(x, rank - 1), size = c.b.dim(x, axis);
  const auto length = number_in(c, 1, size);
  if (axis == rank - 1 || parts < 1 || parts > 2 || size < 1 || !length || *length < 1 || *length > kMostElements)
    return (void)c.unsupported("a Fourier transform over an axis of open size");
  if (onesided && (inverse || parts == 2)) return (void)c.unsupported("a one-sided transform of complex numbers");
  std::vector<int32_t> perm;
  for (int i = 0; i < rank; ++i) {
    if (i != axis && i != rank - 1) perm.push_back(i);
  }
  perm.insert(perm.end(), {axis, rank - 1});
  std::vector<int32_t> back(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) back[static_cast<size_t>(perm[i])] = static_cast<int32_t>(i);
  Transform t{static_cast<int32_t>(*length), static_cast<int32_t>(*length), parts == 2, inverse};
  if (onesided) t.bins = t.length / 2 + 1;
  x = c.b.transpose(x, perm);
  if (t.length < size) x = c.b.strided_slice(x, {rank - 2}, {0}, {t.length}, {1});
  if (t.length > size) {
    std::vector<std::array<int32_t, 2>> pads(static_cast<size_t>(rank), {0, 0});
    pads[static_cast<size_t>(rank) - 2] = {0, t.length - size};
    x = c.b.pad(x, pads);
  }
  c.out(c.b.transpose(transformed(c, x, t), back));
}

// signal [batch, length, 1 or 2], step, window, length of a frame
void map_stft(Call& c) {
  GraphBuilder& b = c.b;
  const ValueId signal = c.need(0);
  const int32_t length = b.dim(signal, 1), parts = b.dim(signal, 2);
  const int64_t in_window = c.has(2) ? b.dim(c.in(2), 0) : -1;
  const auto step = number_in(c, 1, 0), given = number_in(c, 3, in_window);
  if (c.rank(signal) != 3 || length < 1 || parts < 1 || parts > 2)
    return (void)c.unsupported("a short-time transform of signals of open length: give it with --shape");
  if (!step || !given || *step < 1 || *given < 1 || *given > length || (in_window > 0 && in_window != *given))
    return (void)c.invalid("its step, window and length of a frame do not fit its signal");
  const auto frame = static_cast<int32_t>(*given);
  const auto frames = static_cast<int32_t>((length - frame) / *step + 1);
  if (int64_t{frames} * frame > kMostElements) return (void)c.unsupported("this number of frames");
  std::vector<int32_t> places;
  for (int32_t i = 0; i < frames; ++i) {
    for (int32_t j = 0; j < frame; ++j) places.push_back(static_cast<int32_t>(i * *step) + j);
  }
  const ValueId batch = b.size_of(signal, 0);
  ValueId x = b.gather(signal, b.constant(std::move(places), DType::kInt32, {frames * frame}), 1);
  x = b.reshape_to(x, b.pack({batch, b.int_scalar(frames), b.int_scalar(frame), b.int_scalar(parts)}, 0));
  if (c.has(2)) x = b.mul(x, b.reshape(c.in(2), {frame, 1}));
  const bool onesided = c.int_attr("onesided", 1) != 0 && parts == 1;
  c.out(transformed(c, x, {frame, onesided ? frame / 2 + 1 : frame, parts == 2, false}));
}

constexpr OpEntry kOps[] = {
    {"BlackmanWindow", map_blackman}, {"DFT", map_dft},   {"HammingWindow", map_hamming},
    {"HannWindow", map_hann},         {"STFT", map_stft},
};

}  // namespace

std::span<const OpEntry> signal_ops() { return kOps; }

}  // namespace fewbits::onnx
