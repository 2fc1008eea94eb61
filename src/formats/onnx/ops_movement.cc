// ONNX operators that move elements: joins, cuts, gathers, scatters, padding.
#include <algorithm>
#include <numeric>

#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"
#include "formats/options.h"

namespace fewbits::onnx {
namespace {

int32_t to_int32(int64_t v) { return static_cast<int32_t>(std::clamp<int64_t>(v, INT32_MIN, INT32_MAX)); }

void map_concat(Call& c) {
  std::vector<ValueId> xs = c.all_inputs();
  if (xs.empty()) return;
  // Exporters join empty tensors to others; they add nothing.
  const int axis = c.axis(c.int_attr("axis", 0), c.rank(xs[0]));
  std::vector<ValueId> parts;
  for (ValueId x : xs) {
    if (c.b.dim(x, axis) != 0) parts.push_back(x);
  }
  c.out(parts.empty() ? xs[0] : c.b.concat(parts, axis));
}

void map_split(Call& c) {
  const ValueId x = c.need(0);
  const int axis = c.axis(c.int_attr("axis", 0), c.rank(x));
  std::vector<int32_t> sizes;
  if (const auto given = c.ints_either("split", 1)) {
    for (int64_t size : *given) sizes.push_back(to_int32(size));
  } else {
    const auto parts = static_cast<int32_t>(c.output_count());
    const int32_t size = c.b.dim(x, axis);
    if (size < 0) return (void)c.unsupported("splitting a size that is not known into equal parts");
    const int32_t part = (size + parts - 1) / std::max(parts, 1);
    for (int32_t i = 0; i < parts; ++i) sizes.push_back(std::max(std::min(part, size - i * part), 0));
  }
  if (sizes.size() < c.output_count()) return (void)c.invalid("there are more outputs than parts");
  const auto parts = c.b.split(x, sizes, axis);
  for (size_t i = 0; i < parts.size(); ++i) c.out(parts[i], i);
}

// A scalar out of an integer vector.
ValueId element(Call& c, ValueId vector, size_t i) {
  return c.b.gather(vector, c.b.int_scalar(static_cast<int32_t>(i)), 0);
}

void map_slice(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  const bool attributes = c.has_attr("starts");
  std::vector<int64_t> axis_values;
  if (const auto given = c.ints_either("axes", 3)) {
    axis_values = *given;
  } else {
    const auto count = attributes ? static_cast<int32_t>(c.ints_attr("starts").size()) : c.b.dim(c.need(1), 0);
    if (count < 0) return (void)c.unsupported("slicing along axes whose number is computed");
    axis_values.resize(static_cast<size_t>(count));
    std::iota(axis_values.begin(), axis_values.end(), 0);
  }
  const auto axes = c.axes(axis_values, rank);
  const auto known = [&](const char* attribute, size_t input) -> std::optional<std::vector<int64_t>> {
    return attributes ? c.ints_attr(attribute) : c.b.int_values(c.in(input));
  };
  const auto starts = known("starts", 1), ends = known("ends", 2);
  auto steps = c.has(4) ? c.const_ints(4) : std::vector<int64_t>(axes.size(), 1);
  if (steps.size() != axes.size()) return (void)c.invalid("there are not as many steps as axes");
  if (starts && ends) {
    if (starts->size() != axes.size() || ends->size() != axes.size()) {
      return (void)c.invalid("there are not as many starts and ends as axes");
    }
    std::vector<int32_t> begin, end, step;
    for (size_t i = 0; i < axes.size(); ++i) {
      begin.push_back(to_int32((*starts)[i]));
      end.push_back(to_int32((*ends)[i]));
      step.push_back(to_int32(steps[i]));
    }
    return c.out(c.b.strided_slice(x, axes, begin, end, step));
  }
  // Computed bounds: whole vectors, with masks for the other axes.
  std::vector<ValueId> begin(static_cast<size_t>(rank), c.b.int_scalar(0)), end = begin;
  std::vector<int32_t> step(static_cast<size_t>(rank), 1);
  int32_t mask = (1 << rank) - 1;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    mask &= ~(1 << axis);
    step[axis] = to_int32(steps[i]);
    begin[axis] = starts ? c.b.int_scalar(to_int32((*starts)[i])) : element(c, c.need(1), i);
    end[axis] = ends ? c.b.int_scalar(to_int32((*ends)[i])) : element(c, c.need(2), i);
  }
  tflite::StridedSliceOptionsT table;
  table.begin_mask = table.end_mask = mask;
  c.out(c.b.node(Op::STRIDED_SLICE, {x, c.b.pack(begin, 0), c.b.pack(end, 0), c.b.ints(step)},
                 formats::options(std::move(table))));
}

// Indices that count from the end are put right where they are known; LiteRT refuses others at run time.
ValueId from_start(Call& c, ValueId indices, int32_t size) {
  const auto values = c.b.int_values(indices);
  if (!values || size < 0 || std::none_of(values->begin(), values->end(), [](int64_t v) { return v < 0; }))
    return indices;
  return c.b.binary(Op::FLOOR_MOD, indices, c.b.scalar_like(size, indices));
}

void map_gather(Call& c) {
  const ValueId x = c.need(0);
  const int axis = c.axis(c.int_attr("axis", 0), c.rank(x));
  c.out(c.b.gather(x, from_start(c, c.need(1), c.b.dim(x, axis)), axis));
}

void map_gather_nd(Call& c) {
  const ValueId x = c.need(0), indices = c.need(1);
  const auto batch = static_cast<int32_t>(c.int_attr("batch_dims", 0));
  if (batch == 0) return c.out(c.b.node(Op::GATHER_ND, {x, indices}, formats::options(tflite::GatherNdOptionsT())));
  // The batch's own indices stand in front.
  const Shape shape = c.b.shape(indices);
  if (!c.b.is_static(indices) || batch >= static_cast<int32_t>(shape.size())) {
    return (void)c.unsupported("batched gathering with open sizes");
  }
  Shape iota_shape(shape.begin(), shape.end() - 1);
  iota_shape.push_back(batch);
  const size_t rows = element_count(iota_shape) / static_cast<size_t>(batch);
  std::vector<int32_t> own;
  for (size_t row = 0; row < rows; ++row) {
    size_t rest = row;
    std::vector<int32_t> at(shape.size() - 1);
    for (size_t d = at.size(); d-- > 0;) {
      at[d] = static_cast<int32_t>(rest % static_cast<size_t>(shape[d]));
      rest /= static_cast<size_t>(shape[d]);
    }
    own.insert(own.end(), at.begin(), at.begin() + batch);
  }
  const ValueId all = c.b.concat({c.b.constant(std::move(own), DType::kInt32, iota_shape), indices},
                                 static_cast<int>(shape.size()) - 1);
  c.out(c.b.node(Op::GATHER_ND, {x, all}, formats::options(tflite::GatherNdOptionsT())));
}

// [indices' shape, rank]: where each element of `indices` points, along `axis`.
ValueId coordinates(Call& c, ValueId indices, int axis, int32_t size) {
  const Shape shape = c.b.shape(indices);
  if (!c.b.is_static(indices) || element_count(shape) > (size_t{1} << 24)) {
    return c.unsupported("element-wise indices of open size");
  }
  Shape column = shape;
  column.push_back(1);
  std::vector<ValueId> columns;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (static_cast<int>(d) == axis) {
      const ValueId negative = c.b.binary(Op::LESS, indices, c.b.scalar_like(0, indices));
      const ValueId right = c.b.is_const(indices)
                                ? from_start(c, indices, size)
                                : c.b.select(negative, c.b.add(indices, c.b.scalar_like(size, indices)), indices);
      columns.push_back(c.b.reshape(right, column));
      continue;
    }
    size_t inner = 1;
    for (size_t i = d + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
    std::vector<int32_t> iota(element_count(shape));
    for (size_t i = 0; i < iota.size(); ++i) {
      iota[i] = static_cast<int32_t>(i / inner % static_cast<size_t>(shape[d]));
    }
    columns.push_back(c.b.constant(std::move(iota), DType::kInt32, column));
  }
  return c.b.concat(columns, static_cast<int>(shape.size()));
}

void map_gather_elements(Call& c) {
  const ValueId x = c.need(0), indices = c.need(1);
  const int axis = c.axis(c.int_attr("axis", 0), c.rank(x));
  const ValueId where = coordinates(c, indices, axis, c.b.dim(x, axis));
  c.out(c.b.node(Op::GATHER_ND, {x, where}, formats::options(tflite::GatherNdOptionsT())));
}

// data with `updates` at `where`. TFLite scatters into zeros, so a mask says what was hit.
void scatter(Call& c, ValueId data, ValueId where, ValueId updates) {
  const std::string reduction = c.string_attr("reduction", "none");
  const DType type = c.b.dtype(data);
  const ValueId shape = c.b.shape_of(data);
  const auto scattered = [&](ValueId values) {
    return c.b.node(Op::SCATTER_ND, {where, values, shape}, formats::options(tflite::ScatterNdOptionsT()));
  };
  if (reduction == "add") {
    const ValueId sums =
        scattered(type == DType::kBool || is_small_int(type) ? c.b.cast(updates, DType::kInt32) : updates);
    return c.out(c.b.cast(c.b.add(c.b.cast(data, c.b.dtype(sums)), sums), type));
  }
  if (reduction != "none") return (void)c.unsupported(fmt::format("scattering with reduction '{}'", reduction));
  const ValueId ones =
      c.b.node(Op::FILL, {c.b.shape_of(updates), c.b.int_scalar(1)}, formats::options(tflite::FillOptionsT()));
  const ValueId hit = c.b.binary(Op::GREATER, scattered(ones), c.b.int_scalar(0));
  const bool narrow = type == DType::kBool || type == DType::kInt16;
  const ValueId values = scattered(narrow ? c.b.cast(updates, DType::kInt32) : updates);
  c.out(c.b.select(hit, narrow ? cast_like_onnx(c, values, type) : values, data));
}

void map_scatter_nd(Call& c) { scatter(c, c.need(0), c.need(1), c.need(2)); }
void map_scatter_elements(Call& c) {
  const ValueId x = c.need(0);
  const int axis = c.axis(c.int_attr("axis", 0), c.rank(x));
  scatter(c, x, coordinates(c, c.need(1), axis, c.b.dim(x, axis)), c.need(2));
}

// The source index of each index of a padded axis.
std::vector<int32_t> padded_indices(int32_t size, int32_t before, int32_t after, const std::string& mode) {
  std::vector<int32_t> list;
  for (int32_t i = -before; i < size + after; ++i) {
    int32_t at = i;
    if (mode == "edge") at = std::clamp(i, 0, size - 1);
    if (mode == "wrap") at = (i % size + size) % size;
    if (mode == "reflect") {
      const int32_t period = std::max(2 * (size - 1), 1);
      at = (i % period + period) % period;
      if (at >= size) at = period - at;
    }
    list.push_back(at);
  }
  return list;
}

void map_pad(Call& c) {
  ValueId x = c.need(0);
  const int rank = c.rank(x);
  const auto given = c.ints_either("pads", 1);
  if (!given) return (void)c.invalid("there are no pads");
  std::vector<int32_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (c.has(3)) axes = c.axes(c.const_ints(3), rank);
  if (given->size() != 2 * axes.size()) return (void)c.invalid("there are not two pads an axis");
  std::vector<std::array<int32_t, 2>> pads(static_cast<size_t>(rank), {0, 0});
  for (size_t i = 0; i < axes.size(); ++i) {
    pads[static_cast<size_t>(axes[i])] = {to_int32((*given)[i]), to_int32((*given)[i + axes.size()])};
  }
  const std::string mode = c.string_attr("mode", "constant");
  if (mode == "constant") {
    double value = c.float_attr("value", 0);
    if (c.has(2)) {
      const auto numbers = c.const_numbers(2);
      value = numbers.empty() ? 0 : numbers[0];
    }
    return c.out(c.b.pad(x, pads, value));
  }
  if (mode != "edge" && mode != "wrap" && mode != "reflect") {
    return (void)c.unsupported(fmt::format("padding of mode '{}'", mode));
  }
  const bool mirrors = mode == "reflect" && rank <= 4 &&
                       std::all_of(pads.begin(), pads.end(), [](const auto& p) { return p[0] >= 0 && p[1] >= 0; });
  if (mirrors) return c.out(c.b.mirror_pad(x, pads, false));
  for (int i = 0; i < rank; ++i) {
    const auto& [before, after] = pads[static_cast<size_t>(i)];
    if (before == 0 && after == 0) continue;
    const int32_t size = c.b.dim(x, i);
    if (size < 1) return (void)c.unsupported(fmt::format("padding of mode '{}' along a size that is not known", mode));
    if (before > (1 << 20) || after > (1 << 20)) return (void)c.unsupported("padding of this size");
    x = c.b.gather(x, c.b.ints(padded_indices(size, before, after, mode)), i);
  }
  c.out(x);
}

void map_tile(Call& c) {
  const ValueId x = c.need(0), times = c.need(1);
  const auto known = c.b.int_values(times);
  if (known) return c.out(c.b.tile(x, std::vector<int32_t>(known->begin(), known->end())));
  c.out(c.b.node(Op::TILE, {x, times}, formats::options(tflite::TileOptionsT())));
}

void map_depth_to_space(Call& c) {
  const ValueId x = c.need(0);
  const auto block = static_cast<int32_t>(c.int_attr("blocksize", 1));
  const int32_t channels = c.b.dim(x, 1);
  if (c.rank(x) != 4 || channels < 1 || block < 1 || channels % (block * block) != 0) {
    return (void)c.invalid("its input is no image whose channels are blocks");
  }
  ValueId image = c.b.transpose(x, to_channels_last(4));
  if (c.string_attr("mode", "DCR") == "CRD" && channels != block * block) {
    // TFLite's channels are blocks of depths, these are depths of blocks.
    const int32_t depth = channels / (block * block);
    std::vector<int32_t> order;
    for (int32_t k = 0; k < block * block; ++k) {
      for (int32_t d = 0; d < depth; ++d) order.push_back(d * block * block + k);
    }
    image = c.b.gather(image, c.b.ints(order), 3);
  }
  c.out(c.b.transpose(c.b.depth_to_space(image, block), to_channels_first(4)));
}

void map_space_to_depth(Call& c) {
  const ValueId x = c.need(0);
  if (c.rank(x) != 4) return (void)c.invalid("its input is no image");
  const ValueId image = c.b.transpose(x, to_channels_last(4));
  const auto block = static_cast<int32_t>(c.int_attr("blocksize", 1));
  c.out(c.b.transpose(c.b.space_to_depth(image, block), to_channels_first(4)));
}

void map_reverse_sequence(Call& c) {
  tflite::ReverseSequenceOptionsT table;
  table.seq_dim = static_cast<int32_t>(c.int_attr("time_axis", 0));
  table.batch_dim = static_cast<int32_t>(c.int_attr("batch_axis", 1));
  c.out(c.b.node(Op::REVERSE_SEQUENCE, {c.need(0), c.need(1)}, formats::options(std::move(table))));
}

void map_trilu(Call& c) {
  const ValueId x = c.need(0);
  const int32_t rows = c.b.dim(x, -2), columns = c.b.dim(x, -1);
  if (rows < 0 || columns < 0 || static_cast<int64_t>(rows) * columns > (1 << 24)) {
    return (void)c.unsupported("the triangle of a matrix of open size");
  }
  const auto offsets = c.has(1) ? c.const_ints(1) : std::vector<int64_t>{0};
  const int64_t k = offsets.empty() ? 0 : offsets[0];
  const bool upper = c.int_attr("upper", 1) != 0;
  std::vector<uint8_t> keep;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) keep.push_back(upper ? j - i >= k : j - i <= k);
  }
  c.out(c.b.select(c.b.constant(std::move(keep), DType::kBool, {rows, columns}), x, c.b.scalar_like(0, x)));
}

void map_compress(Call& c) {
  ValueId x = c.need(0);
  int axis = 0;
  if (c.has_attr("axis")) {
    axis = c.axis(c.int_attr("axis", 0), c.rank(x));
  } else {
    x = c.b.reshape(x, {-1});
  }
  const ValueId found = c.b.node(Op::WHERE, {c.need(1)}, formats::options(tflite::WhereOptionsT()));
  c.out(c.b.gather(x, c.b.reshape(c.b.cast(found, DType::kInt32), {-1}), axis));
}

void map_one_hot(Call& c) {
  ValueId indices = c.need(0);
  const ValueId depth = c.b.reshape(c.b.cast(c.need(1), DType::kInt32), {}), values = c.need(2);
  const int rank = c.rank(indices);
  indices = c.b.cast(indices, DType::kInt32);
  const ValueId negative = c.b.binary(Op::LESS, indices, c.b.int_scalar(0));
  indices = c.b.select(negative, c.b.add(indices, depth), indices);
  tflite::OneHotOptionsT table;
  table.axis = c.axis(c.int_attr("axis", -1), rank + 1);
  const ValueId off = c.b.gather(values, c.b.int_scalar(0), 0), on = c.b.gather(values, c.b.int_scalar(1), 0);
  c.out(c.b.node(Op::ONE_HOT, {indices, depth, on, off}, formats::options(std::move(table))));
}

constexpr OpEntry kOps[] = {
    {"Compress", map_compress},
    {"Concat", map_concat},
    {"DepthToSpace", map_depth_to_space},
    {"Gather", map_gather},
    {"GatherElements", map_gather_elements},
    {"GatherND", map_gather_nd},
    {"OneHot", map_one_hot},
    {"Pad", map_pad},
    {"ReverseSequence", map_reverse_sequence},
    {"Scatter", map_scatter_elements},
    {"ScatterElements", map_scatter_elements},
    {"ScatterND", map_scatter_nd},
    {"Slice", map_slice},
    {"SpaceToDepth", map_space_to_depth},
    {"Split", map_split},
    {"Tile", map_tile},
    {"Trilu", map_trilu},
};

}  // namespace

std::span<const OpEntry> movement_ops() { return kOps; }

}  // namespace fewbits::onnx
