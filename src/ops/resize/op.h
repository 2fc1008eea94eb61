// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR of [batch, height, width, channels] images, with align_corners and
// half_pixel_centers (bilinear refuses both at once, as LiteRT does).
//
// Bilinear: float32 and uint8 interpolate in float32 by the formula and in the order of LiteRT's reference kernel; int8
// and int16 in integers with positions and weights of 10 fractional bits, rounded half away from zero: equal results.
// Positions that LiteRT would read beyond the last row or column are clamped to it. Nearest neighbour moves elements of
// any type. Scale and zero point of the output are the input's.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace fewbits::ops {

std::span<const OpDef> resize_ops() noexcept;

// bilinear.cc, nearest.cc
Result<Prepared> prepare_resize_bilinear(const OpContext& context);
Result<Prepared> prepare_resize_nearest(const OpContext& context);

}  // namespace fewbits::ops
