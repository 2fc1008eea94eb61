// The quantizers that Brevitas and QONNX write: real numbers in and out, on a grid of a few bits between them. Constants become
// the numbers of the grid with a note of the integers; activations go through int8 of the same scale, held to the narrower range.
#include <algorithm>
#include <cmath>

#include "formats/onnx/importer.h"

namespace fewbits::onnx {
namespace {

struct Grid {
  std::vector<double> scale;
  double zero = 0;
  int64_t bits = 8, low = -128, high = 127;
  int axis = 0;  // that the scales lie along
};

// Rounds as the node says; nothing for a mode that is not known.
double (*rounding(const std::string& mode))(double) {
  if (mode == "ROUND" || mode == "HALF_EVEN") return std::nearbyint;
  if (mode == "CEIL") return std::ceil;
  if (mode == "FLOOR") return std::floor;
  if (mode == "ROUND_TO_ZERO" || mode == "DOWN") return std::trunc;
  return nullptr;
}

// Scales, zero point and width, which must be constants. The scales lie along one dimension of x, or are one number.
std::optional<Grid> read_grid(Call& c, ValueId x, size_t scale_at, size_t zero_at, size_t bits_at) {
  Grid grid;
  const ValueId scale = c.need(scale_at);
  grid.scale = c.const_numbers(scale_at);
  const auto zeros = c.const_numbers(zero_at), bits = c.const_numbers(bits_at);
  if (!c.b.ok()) return std::nullopt;
  const bool positive =
      std::all_of(grid.scale.begin(), grid.scale.end(), [](double s) { return s > 0 && std::isfinite(s); });
  const bool even = std::all_of(zeros.begin(), zeros.end(), [&](double z) { return z == zeros[0]; });
  if (grid.scale.empty() || zeros.empty() || bits.size() != 1 || !positive || !even ||
      !(bits[0] >= 2 && bits[0] <= 32) || bits[0] != std::floor(bits[0]) || std::abs(zeros[0]) > 1e6 ||
      zeros[0] != std::floor(zeros[0])) {
    c.unsupported(
        "these scales, zero points and bits: scales above zero, one whole zero point, and 2 to 32 bits are read");
    return std::nullopt;
  }
  grid.zero = zeros[0];
  grid.bits = static_cast<int64_t>(bits[0]);
  if (grid.scale.size() == 1) return grid;
  const int rank = c.rank(x), lacking = rank - c.b.rank(scale);
  for (int i = 0; i < c.b.rank(scale); ++i) {
    if (c.b.dim(scale, i) != static_cast<int32_t>(grid.scale.size())) continue;
    grid.axis = i + lacking;
    if (lacking >= 0 && c.b.dim(x, grid.axis) == c.b.dim(scale, i)) return grid;
  }
  c.unsupported("scales that lie along more than one dimension");
  return std::nullopt;
}

// A constant on the grid.
ValueId constant_on(Call& c, ValueId x, const Grid& grid, double (*round)(double)) {
  const auto values = c.b.number_values(x);
  const Shape shape = c.b.shape(x);
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(grid.axis) + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
  std::vector<float> out(values->size());
  for (size_t i = 0; i < out.size(); ++i) {
    const double s = grid.scale[grid.scale.size() == 1 ? 0 : i / inner % grid.scale.size()];
    const double q =
        std::clamp(round((*values)[i] / s + grid.zero), static_cast<double>(grid.low), static_cast<double>(grid.high));
    out[i] = static_cast<float>((q - grid.zero) * s);
  }
  const ValueId y = c.b.constant(std::move(out), DType::kFloat32, shape);
  if (grid.low >= -128 && grid.high <= 127) {
    QuantParams params;
    params.scale.assign(grid.scale.begin(), grid.scale.end());
    params.zero_point.assign(grid.scale.size(), static_cast<int64_t>(grid.zero));
    params.axis = grid.axis;
    c.b.set_origin(y, std::move(params));
  }
  return y;
}

// An activation through int8: QUANTIZE, the range of fewer bits, DEQUANTIZE.
ValueId through_int8(Call& c, ValueId x, const Grid& grid, int64_t shift) {
  QuantParams params;
  params.scale = {static_cast<float>(grid.scale[0])};
  params.zero_point = {static_cast<int64_t>(grid.zero) - shift};
  ValueId q = c.b.quantize(x, DType::kInt8, params);
  const auto limit = [&](Op op, int64_t value) {
    const ValueId number = c.b.scalar(static_cast<double>(value), DType::kInt8);
    c.b.graph().value(number).quant = params;
    q = c.b.binary(op, q, number);
  };
  if (grid.low - shift > -128) limit(Op::MAXIMUM, grid.low - shift);
  if (grid.high - shift < 127) limit(Op::MINIMUM, grid.high - shift);
  return c.b.dequantize(q);
}

// Any grid in float arithmetic.
ValueId in_floats(Call& c, ValueId x, const Grid& grid, Op round) {
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  Shape shape(static_cast<size_t>(std::max(c.rank(x), 1)), 1);
  shape[static_cast<size_t>(grid.axis)] = -1;
  const ValueId scale = grid.scale.size() == 1 ? number(grid.scale[0])
                                               : c.b.reshape(c.b.floats({grid.scale.begin(), grid.scale.end()}), shape);
  ValueId q = c.b.div(x, scale);
  if (grid.zero != 0) q = c.b.add(q, number(grid.zero));
  q = c.b.clamp(c.b.unary(round, q), static_cast<double>(grid.low), static_cast<double>(grid.high));
  if (grid.zero != 0) q = c.b.sub(q, number(grid.zero));
  return c.b.mul(q, scale);
}

void map_quant(Call& c) {
  const ValueId x = c.need(0);
  auto grid = read_grid(c, x, 1, 2, 3);
  if (!grid) return;
  const bool is_signed = c.int_attr("signed", 1) != 0, narrow = c.int_attr("narrow", 0) != 0;
  const int64_t values = int64_t{1} << grid->bits;
  grid->low = is_signed ? -values / 2 + narrow : 0;
  grid->high = is_signed ? values / 2 - 1 : values - 1 - narrow;
  const std::string mode = c.string_attr("rounding_mode", "ROUND");
  const auto round = rounding(mode);
  if (round == nullptr) return (void)c.unsupported(fmt::format("the rounding mode '{}'", mode));
  if (c.b.number_values(x)) return c.out(constant_on(c, x, *grid, round));
  const bool nearest = mode == "ROUND" || mode == "HALF_EVEN";
  if (!nearest && mode != "FLOOR" && mode != "CEIL")
    return (void)c.unsupported(fmt::format("the rounding mode '{}' of an activation", mode));
  const int64_t shift = grid->high > 127 ? 128 : 0;
  const double zero = grid->zero - static_cast<double>(shift);
  if (nearest && grid->bits <= 8 && grid->scale.size() == 1 && zero >= -128 && zero <= 127)
    return c.out(through_int8(c, x, *grid, shift));
  if (grid->bits > 24) return c.out(x);  // finer than float32 is
  c.out(in_floats(c, x, *grid, nearest ? Op::ROUND : mode == "FLOOR" ? Op::FLOOR : Op::CEIL));
}

// One bit: the scale above and at zero, minus the scale below.
void map_bipolar(Call& c) {
  const ValueId x = c.need(0), scale = c.need(1);
  const ValueId above = c.b.binary(Op::GREATER_EQUAL, x, c.b.scalar_like(0, x));
  c.out(c.b.mul(c.b.select(above, c.b.scalar_like(1, x), c.b.scalar_like(-1, x)), scale));
}

// Drops the lowest bits: x, scale, zero point, bits before, bits after.
void map_trunc(Call& c) {
  const ValueId x = c.need(0);
  if (c.input_count() != 5) return (void)c.unsupported("Trunc of version 2");
  auto grid = read_grid(c, x, 1, 2, 3);
  const auto after = c.const_numbers(4);
  if (!grid || after.size() != 1) return;
  const std::string mode = c.string_attr("rounding_mode", "FLOOR");
  const Op round = mode == "FLOOR" ? Op::FLOOR : mode == "CEIL" ? Op::CEIL : Op::ROUND;
  if (rounding(mode) == nullptr || mode == "ROUND_TO_ZERO" || mode == "DOWN")
    return (void)c.unsupported(fmt::format("the rounding mode '{}'", mode));
  if (grid->scale.size() != 1 || after[0] > static_cast<double>(grid->bits))
    return (void)c.unsupported("these scales or bits");
  const auto number = [&](double v) { return c.b.scalar(v, DType::kFloat32); };
  const ValueId whole = c.b.unary(Op::ROUND, c.b.add(c.b.div(x, number(grid->scale[0])), number(grid->zero)));
  const ValueId cut = c.b.unary(round, c.b.mul(whole, number(std::exp2(after[0] - static_cast<double>(grid->bits)))));
  c.out(c.b.mul(c.b.sub(cut, number(grid->zero)), number(grid->scale[0])));
}

constexpr OpEntry kOps[] = {
    {"BipolarQuant", map_bipolar},
    {"IntQuant", map_quant},
    {"Quant", map_quant},
    {"Trunc", map_trunc},
};

}  // namespace

std::span<const OpEntry> brevitas_ops() { return kOps; }

}  // namespace fewbits::onnx
