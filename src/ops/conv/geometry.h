// The shapes of a convolution, and which input elements each output position meets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ir/op_def.h"
#include "ops/row_kernel.h"

namespace tflite {
enum class ActivationFunctionType : int8_t;
}

namespace fewbits::ops {

// Depth, height, width; depth is 1 for images.
using Spatial = std::array<int32_t, 3>;

struct ConvGeometry {
  bool transposed = false;
  int32_t batch = 1, in_channels = 0, out_channels = 0, groups = 1;
  Spatial in{1, 1, 1}, out{1, 1, 1}, filter{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1};
  // How far the first window begins before the input; transposed: how much of the output's start is cut off.
  Spatial pad{0, 0, 0};

  size_t taps() const noexcept { return volume(filter); }
  size_t in_positions() const noexcept { return volume(in); }
  size_t out_positions() const noexcept { return volume(out); }
  size_t in_image() const noexcept { return in_positions() * static_cast<size_t>(in_channels); }
  size_t out_image() const noexcept { return out_positions() * static_cast<size_t>(out_channels); }
  // Rows of output positions with the same depth and height.
  size_t out_lines() const noexcept { return static_cast<size_t>(out[0]) * static_cast<size_t>(out[1]); }

  static size_t volume(const Spatial& s) noexcept {
    return static_cast<size_t>(s[0]) * static_cast<size_t>(s[1]) * static_cast<size_t>(s[2]);
  }
};

// Which operand is which.
struct ConvOperands {
  size_t input = 0, weights = 1, bias = 2;
};
ConvOperands conv_operands(Op op) noexcept;

// How an operator's filter lies: elements between two output channels, two taps and two input channels of a group.
struct FilterStrides {
  size_t out = 0, tap = 0, in = 0;
};
FilterStrides filter_strides(Op op, const ConvGeometry& geometry) noexcept;

// Reads and checks shapes and options of any operator of the family. Sizes that are not known (-1) stay so in `batch`,
// `in` and `out`; filter and channels must be known. Of a transposed convolution, `out` is what `out_shape` says.
Result<ConvGeometry> conv_geometry(const OpContext& context, const Shape* out_shape = nullptr);
Result<tflite::ActivationFunctionType> conv_activation(const OpContext& context);

// How the lines of a convolution's images depend on each other, elements of these sizes; no images where depth is more than 1.
LineShape line_shape(const ConvGeometry& geometry, size_t in_size, size_t out_size) noexcept;

// Writes, for the output positions of the lines [begin, end) and every tap, where the tap's channels begin, in elements
// from the image's start, or -1 in the padding: [(end - begin) * out[2]][taps]. Not for transposed geometries. ring: line
// y of the image lies where line y % ring would; 0: where it is.
void fill_offsets(const ConvGeometry& geometry, size_t begin, size_t end, int32_t* offsets, int32_t ring = 0) noexcept;

}  // namespace fewbits::ops
