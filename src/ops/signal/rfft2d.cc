// RFFT2D: for each [height, width] slice a transform of the rows, of which the first width / 2 + 1 columns are kept,
// then one of those columns.
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "ops/signal/op.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

using Complex = std::complex<double>;

// The discrete Fourier transform of a fixed length that is a power of two, in place: radix 2, decimation in time.
class Fft {
 public:
  explicit Fft(size_t length) : length_(length) {
    for (size_t i = 0; i < length / 2; ++i) {
      const double angle = -2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(length);
      roots_.emplace_back(std::cos(angle), std::sin(angle));
    }
  }
  size_t length() const noexcept { return length_; }

  void run(Complex* x) const noexcept {
    for (size_t i = 1, j = 0; i < length_; ++i) {  // j is i with its bits reversed
      size_t bit = length_ / 2;
      for (; j & bit; bit /= 2) j ^= bit;
      j ^= bit;
      if (i < j) std::swap(x[i], x[j]);
    }
    for (size_t half = 1; half < length_; half *= 2) {
      const size_t step = length_ / (2 * half);
      for (size_t begin = 0; begin < length_; begin += 2 * half) {
        for (size_t i = 0; i < half; ++i) {
          Complex& a = x[begin + i];
          Complex& b = x[begin + i + half];
          const Complex root = roots_[i * step];
          const Complex turned(b.real() * root.real() - b.imag() * root.imag(),
                               b.real() * root.imag() + b.imag() * root.real());
          b = a - turned;
          a += turned;
        }
      }
    }
  }

 private:
  size_t length_;
  std::vector<Complex> roots_;
};

struct Rfft2d {
  size_t slices = 0, in_height = 0, in_width = 0;
  Fft columns, rows;  // of lengths height and width

  size_t height() const noexcept { return columns.length(); }
  size_t width() const noexcept { return rows.length(); }
  size_t kept() const noexcept { return width() / 2 + 1; }
  // Workspace: the kept part of the transformed rows, a row, a column.
  size_t workspace() const noexcept { return (height() * kept() + width() + height()) * sizeof(Complex); }

  void run(const RunArgs& args) const noexcept {
    auto* half = reinterpret_cast<Complex*>(args.workspace);
    Complex* row = half + height() * kept();
    Complex* column = row + width();
    for (size_t slice = 0; slice < slices; ++slice) {
      const float* from = in<float>(args, 0) + slice * in_height * in_width;
      auto* to = out<std::complex<float>>(args) + slice * height() * kept();
      for (size_t y = 0; y < height(); ++y) {
        std::fill_n(row, width(), Complex());
        if (y < in_height) std::copy_n(from + y * in_width, std::min(in_width, width()), row);
        if (y < in_height) rows.run(row);
        std::copy_n(row, kept(), half + y * kept());
      }
      for (size_t x = 0; x < kept(); ++x) {
        for (size_t y = 0; y < height(); ++y) column[y] = half[y * kept() + x];
        columns.run(column);
        for (size_t y = 0; y < height(); ++y) to[y * kept() + x] = std::complex<float>(column[y]);
      }
    }
  }
};

bool is_power_of_two(int64_t x) { return x > 0 && (x & (x - 1)) == 0; }

}  // namespace

Status infer_rfft2d(OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  FB_ASSIGN(const auto lengths, int_values(context, 1));
  if (any_dynamic(context)) return {};
  if (!lengths) return infer_dynamic(context);
  if (input.rank() < 2 || lengths->size() != 2) {
    return context.fail(ErrorCode::kInvalidModel,
                        "the input {} must have two dimensions or more, and there must be two lengths",
                        shape_text(input.shape));
  }
  constexpr int64_t kLongest = int64_t{1} << 26;
  for (int64_t length : *lengths) {
    if (!is_power_of_two(length) || length > kLongest) {
      return context.fail(ErrorCode::kUnsupported, "the length {} is not a power of two up to 2^26", length);
    }
  }
  context.outputs[0].shape = input.shape;
  context.outputs[0].shape[input.shape.size() - 2] = static_cast<int32_t>((*lengths)[0]);
  context.outputs[0].shape[input.shape.size() - 1] = static_cast<int32_t>((*lengths)[1] / 2 + 1);
  return {};
}

Result<Prepared> prepare_rfft2d(const OpContext& context) {
  const TensorInfo& input = context.inputs[0];
  FB_TRY(require_type(context, input, "the input", {DType::kFloat32}));
  FB_TRY(require_type(context, context.inputs[1], "the lengths", {DType::kInt32}));
  FB_TRY(require_type(context, context.outputs[0], "the output", {DType::kComplex64}));
  // The output's shape tells the lengths, also where they are no constant.
  const auto height = static_cast<size_t>(context.outputs[0].dim(-2));
  const auto kept = static_cast<size_t>(context.outputs[0].dim(-1));
  size_t slices = 1;
  for (int i = 0; i + 2 < input.rank(); ++i) slices *= static_cast<size_t>(input.dim(i));
  Rfft2d transform{slices, static_cast<size_t>(input.dim(-2)), static_cast<size_t>(input.dim(-1)), Fft(height),
                   Fft(kept == 1 ? 1 : 2 * (kept - 1))};
  const size_t workspace = transform.workspace();
  return make_kernel([transform = std::move(transform)](const RunArgs& args) noexcept { transform.run(args); },
                     "fft radix 2, double", workspace);
}

}  // namespace fewbits::ops
