// ONNX operators about shapes, and those that make tensors out of numbers.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/onnx/importer.h"
#include "formats/onnx/math.h"
#include "formats/options.h"

namespace fewbits::onnx {
namespace {

void map_constant(Call& c) {
  if (proto::Attribute* value = c.attr("value")) {
    const auto made = c.importer().constant(*value->mutable_t(), c.b, c.node().output(0));
    return c.out(made ? *made : c.b.error(made.error().code, made.error().message));
  }
  const auto narrow = [](const std::vector<int64_t>& values) {
    std::vector<int32_t> out;
    for (int64_t v : values) out.push_back(static_cast<int32_t>(std::clamp<int64_t>(v, INT32_MIN, INT32_MAX)));
    return out;
  };
  if (c.has_attr("value_int")) return c.out(c.b.int_scalar(narrow({c.int_attr("value_int", 0)})[0]));
  if (c.has_attr("value_ints")) return c.out(c.b.ints(narrow(c.ints_attr("value_ints"))));
  if (c.has_attr("value_float")) return c.out(c.b.scalar(c.float_attr("value_float", 0), DType::kFloat32));
  if (c.has_attr("value_floats")) {
    const auto values = c.floats_attr("value_floats");
    return c.out(c.b.floats(std::vector<float>(values.begin(), values.end())));
  }
  c.unsupported("constants of strings or sparse tensors have no place in TFLite");
}

void map_constant_of_shape(Call& c) {
  ValueId value = c.b.scalar(0, DType::kFloat32);
  if (proto::Attribute* attribute = c.attr("value")) {
    const auto made = c.importer().constant(*attribute->mutable_t(), c.b, "");
    value = made ? *made : c.b.error(made.error().code, made.error().message);
  }
  c.out(c.b.node(Op::FILL, {c.need(0), c.b.reshape(value, {})}, formats::options(tflite::FillOptionsT())));
}

void map_shape(Call& c) {
  const ValueId x = c.need(0);
  const ValueId sizes = c.b.shape_of(x);
  const int rank = c.b.rank(x);
  if (!c.has_attr("start") && !c.has_attr("end")) return c.out(sizes);
  if (rank < 0) return (void)c.rank(x);
  const auto place = [&](int64_t v) {
    return static_cast<int32_t>(std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank));
  };
  const int32_t start = place(c.int_attr("start", 0)), end = std::max(start, place(c.int_attr("end", rank)));
  c.out(c.b.strided_slice(sizes, {0}, {start}, {end}, {1}));
}

void map_size(Call& c) { c.out(c.b.reduce(Op::REDUCE_PROD, c.b.shape_of(c.need(0)), {0}, false)); }

void map_reshape(Call& c) {
  const ValueId x = c.need(0), target = c.need(1);
  auto sizes = c.b.partial_int_values(target);
  const bool zeros = c.int_attr("allowzero", 0) == 0 && sizes && std::count(sizes->begin(), sizes->end(), 0) > 0;
  if (!sizes || (!zeros && !c.b.int_values(target))) return c.out(c.b.reshape_to(x, target));
  const bool computed = !c.b.int_values(target);
  // 0 keeps the size at its place.
  bool open = computed;
  std::vector<ValueId> parts;
  for (size_t i = 0; i < sizes->size(); ++i) {
    int64_t& size = (*sizes)[i];
    const auto axis = static_cast<int>(i);
    if (size == 0 && zeros) {
      size = c.b.dim(x, axis);
      if (size < 0 && c.b.rank(x) <= axis)
        return (void)c.invalid(fmt::format("size {} of the new shape is kept from nothing", i));
      open = open || size < 0;
      parts.push_back(c.b.size_of(x, axis));
    } else if (size < 0 && computed) {
      parts.push_back(c.b.gather(target, c.b.int_scalar(axis), 0));
    } else {
      parts.push_back(c.b.int_scalar(static_cast<int32_t>(size)));
    }
  }
  if (open && std::count(sizes->begin(), sizes->end(), -1) > 1) return c.out(c.b.reshape_to(x, c.b.pack(parts, 0)));
  c.out(c.b.reshape(x, Shape(sizes->begin(), sizes->end())));
}

void map_flatten(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  int64_t axis = c.int_attr("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis > rank)
    return (void)c.invalid(fmt::format("axis {} does not exist in {} dimensions", axis, rank));
  if (axis == 1) return c.out(c.b.flatten_from(x, 1));
  int32_t first = 1, second = 1;
  for (int i = 0; i < rank; ++i) {
    int32_t& part = i < axis ? first : second;
    part = part < 0 || c.b.dim(x, i) < 0 ? -1 : part * c.b.dim(x, i);
  }
  if (first < 0 && second < 0) return (void)c.unsupported("flattening two sizes that are both open");
  c.out(c.b.reshape(x, {first, second}));
}

void map_squeeze(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  const auto given = c.ints_either("axes", 1);
  std::vector<int32_t> axes;
  if (given) {
    axes = c.axes(*given, rank);
  } else {
    for (int i = 0; i < rank; ++i) {
      if (c.b.dim(x, i) == 1) axes.push_back(i);
    }
  }
  c.out(c.b.squeeze(x, axes));
}

void map_unsqueeze(Call& c) {
  const ValueId x = c.need(0);
  const auto given = c.ints_either("axes", 1);
  if (!given) return (void)c.invalid("there are no axes");
  auto axes = c.axes(*given, c.rank(x) + static_cast<int>(given->size()));
  std::sort(axes.begin(), axes.end());
  c.out(c.b.expand_dims(x, axes));
}

void map_transpose(Call& c) {
  const ValueId x = c.need(0);
  const int rank = c.rank(x);
  std::vector<int32_t> perm;
  if (c.has_attr("perm")) {
    perm = c.axes(c.ints_attr("perm"), rank);
  } else {
    for (int i = rank - 1; i >= 0; --i) perm.push_back(i);
  }
  c.out(c.b.transpose(x, perm));
}

void map_expand(Call& c) {
  const ValueId x = c.need(0), target = c.need(1);
  const auto sizes = c.b.int_values(target);
  if (sizes && c.b.is_static(x)) {
    Shape from = c.b.shape(x), to(sizes->begin(), sizes->end());
    while (from.size() < to.size()) from.insert(from.begin(), 1);
    while (to.size() < from.size()) to.insert(to.begin(), 1);
    for (size_t i = 0; i < to.size(); ++i) {
      if (to[i] == 1) to[i] = from[i];
    }
    return c.out(c.b.broadcast_to(x, c.b.ints(to)));
  }
  if (sizes && std::all_of(sizes->begin(), sizes->end(), [](int64_t s) { return s == 1; }) &&
      static_cast<int>(sizes->size()) <= c.b.rank(x)) {
    return c.out(x);
  }
  c.out(c.b.broadcast_to(x, c.b.node(Op::BROADCAST_ARGS, {c.b.shape_of(x), target})));
}

void map_range(Call& c) {
  c.out(c.b.node(Op::RANGE, {c.b.reshape(c.need(0), {}), c.b.reshape(c.need(1), {}), c.b.reshape(c.need(2), {})},
                 formats::options(tflite::RangeOptionsT())));
}

void map_eye_like(Call& c) {
  const ValueId x = c.need(0);
  const int32_t rows = c.b.dim(x, 0), columns = c.b.dim(x, 1);
  if (c.b.rank(x) != 2 || rows < 0 || columns < 0) return (void)c.unsupported("an identity matrix of unknown size");
  const int64_t k = c.int_attr("k", 0);
  std::vector<float> values;
  if (static_cast<int64_t>(rows) * columns > (1 << 24)) return (void)c.unsupported("an identity matrix of this size");
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) values.push_back(j - i == k ? 1.0f : 0.0f);
  }
  const auto type =
      c.has_attr("dtype") ? inner_type(static_cast<int32_t>(c.int_attr("dtype", kFloat))) : Result<DType>(c.b.dtype(x));
  if (!type) return (void)c.unsupported(type.error().message);
  c.out(c.b.cast(c.b.constant(std::move(values), DType::kFloat32, {rows, columns}), *type));
}

void map_non_zero(Call& c) {
  const ValueId x = c.need(0);
  const ValueId truth = cast_like_onnx(c, x, DType::kBool);
  const ValueId found = c.b.node(Op::WHERE, {truth}, formats::options(tflite::WhereOptionsT()));
  c.out(c.b.transpose(c.b.cast(found, DType::kInt32), {1, 0}));
}

constexpr OpEntry kOps[] = {
    {"Constant", map_constant},   {"ConstantOfShape", map_constant_of_shape},
    {"Expand", map_expand},       {"EyeLike", map_eye_like},
    {"Flatten", map_flatten},     {"NonZero", map_non_zero},
    {"Range", map_range},         {"Reshape", map_reshape},
    {"Shape", map_shape},         {"Size", map_size},
    {"Squeeze", map_squeeze},     {"Transpose", map_transpose},
    {"Unsqueeze", map_unsqueeze},
};

}  // namespace

std::span<const OpEntry> shape_ops() { return kOps; }

}  // namespace fewbits::onnx
