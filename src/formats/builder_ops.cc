// GraphBuilder: elementwise operators, movement and reductions.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/builder.h"
#include "formats/options.h"

namespace fewbits::formats {
namespace {

tflite::ActivationFunctionType to_schema(Activation activation) {
  return static_cast<tflite::ActivationFunctionType>(activation);
}
tflite::TensorType to_schema(DType type) { return static_cast<tflite::TensorType>(type); }

template <class Table>
OptionsPtr fused(Activation activation) {
  Table table;
  table.fused_activation_function = to_schema(activation);
  return options(std::move(table));
}

// The option table of elementwise operators that have an empty one, as TensorFlow's converter writes them.
OptionsPtr plain_options(Op op) {
  switch (op) {
    case Op::EXP: return options(tflite::ExpOptionsT());
    case Op::COS: return options(tflite::CosOptionsT());
    case Op::NEG: return options(tflite::NegOptionsT());
    case Op::ABS: return options(tflite::AbsOptionsT());
    case Op::SQUARE: return options(tflite::SquareOptionsT());
    case Op::SIGN: return options(tflite::SignOptionsT());
    case Op::HARD_SWISH: return options(tflite::HardSwishOptionsT());
    case Op::LOGICAL_NOT: return options(tflite::LogicalNotOptionsT());
    case Op::LOG_SOFTMAX: return options(tflite::LogSoftmaxOptionsT());
    case Op::POW: return options(tflite::PowOptionsT());
    case Op::MAXIMUM:
    case Op::MINIMUM: return options(tflite::MaximumMinimumOptionsT());
    case Op::FLOOR_DIV: return options(tflite::FloorDivOptionsT());
    case Op::FLOOR_MOD: return options(tflite::FloorModOptionsT());
    case Op::SQUARED_DIFFERENCE: return options(tflite::SquaredDifferenceOptionsT());
    case Op::EQUAL: return options(tflite::EqualOptionsT());
    case Op::NOT_EQUAL: return options(tflite::NotEqualOptionsT());
    case Op::LESS: return options(tflite::LessOptionsT());
    case Op::LESS_EQUAL: return options(tflite::LessEqualOptionsT());
    case Op::GREATER: return options(tflite::GreaterOptionsT());
    case Op::GREATER_EQUAL: return options(tflite::GreaterEqualOptionsT());
    case Op::LOGICAL_AND: return options(tflite::LogicalAndOptionsT());
    case Op::LOGICAL_OR: return options(tflite::LogicalOrOptionsT());
    default: return nullptr;
  }
}

bool is_identity(const std::vector<int32_t>& perm) {
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int32_t>(i)) return false;
  }
  return true;
}

}  // namespace

// ---- elementwise ----

ValueId GraphBuilder::unary(Op op, ValueId x) { return node(op, {x}, plain_options(op)); }

ValueId GraphBuilder::binary(Op op, ValueId a, ValueId b, Activation activation) {
  switch (op) {
    case Op::ADD: return node(op, {a, b}, fused<tflite::AddOptionsT>(activation));
    case Op::SUB: return node(op, {a, b}, fused<tflite::SubOptionsT>(activation));
    case Op::MUL: return node(op, {a, b}, fused<tflite::MulOptionsT>(activation));
    case Op::DIV: return node(op, {a, b}, fused<tflite::DivOptionsT>(activation));
    default: return node(op, {a, b}, plain_options(op));
  }
}

ValueId GraphBuilder::clamp(ValueId x, double low, double high) {
  if (dtype(x) == DType::kFloat32) {
    if (low == 0 && high == 6) return unary(Op::RELU6, x);
    if (low == -1 && high == 1) return unary(Op::RELU_N1_TO_1, x);
    if (low == 0) {
      x = unary(Op::RELU, x);
      low = -std::numeric_limits<double>::infinity();
    }
  }
  if (low > -std::numeric_limits<float>::max()) x = binary(Op::MAXIMUM, x, scalar_like(low, x));
  if (high < std::numeric_limits<float>::max()) x = binary(Op::MINIMUM, x, scalar_like(high, x));
  return x;
}

ValueId GraphBuilder::leaky_relu(ValueId x, float alpha) {
  tflite::LeakyReluOptionsT table;
  table.alpha = alpha;
  return node(Op::LEAKY_RELU, {x}, options(std::move(table)));
}

ValueId GraphBuilder::gelu(ValueId x, bool approximate) {
  tflite::GeluOptionsT table;
  table.approximate = approximate;
  return node(Op::GELU, {x}, options(std::move(table)));
}

ValueId GraphBuilder::erf(ValueId x) {
  if (is_const(x) && dtype(x) == DType::kFloat32) {
    std::vector<float> values;
    for (float v : value(x).data.as<float>()) values.push_back(std::erf(v));
    return constant(std::move(values), DType::kFloat32, shape(x));
  }
  Node made;
  made.op = Op::CUSTOM;
  made.custom_code = "fewbits.erf";
  made.inputs = {x};
  return typed_nodes(std::move(made), {dtype(x)})[0];
}

ValueId GraphBuilder::cast(ValueId x, DType to) {
  if (dtype(x) == to) return x;
  tflite::CastOptionsT table;
  table.in_data_type = to_schema(dtype(x));
  table.out_data_type = to_schema(to);
  return node(Op::CAST, {x}, options(std::move(table)));
}

ValueId GraphBuilder::quantize(ValueId x, DType type, QuantParams params) {
  Node made;
  made.op = Op::QUANTIZE;
  made.inputs = {x};
  made.options = options(tflite::QuantizeOptionsT());
  const ValueId out = new_value(type, scope_);
  graph().value(out).quant = std::move(params);
  if (!ok()) return out;
  known(out) = {known(x).ranked, known(x).shape, {}, {}};
  made.outputs = {out};
  producer_[static_cast<size_t>(out)] = graph().add_node(std::move(made));
  publish_shape(out);
  return out;
}

ValueId GraphBuilder::dequantize(ValueId x) { return node(Op::DEQUANTIZE, {x}, options(tflite::DequantizeOptionsT())); }

ValueId GraphBuilder::select(ValueId condition, ValueId a, ValueId b) {
  return node(Op::SELECT_V2, {condition, a, b}, options(tflite::SelectV2OptionsT()));
}

ValueId GraphBuilder::softmax(ValueId x, float beta) {
  tflite::SoftmaxOptionsT table;
  table.beta = beta;
  return node(Op::SOFTMAX, {x}, options(std::move(table)));
}

// ---- shapes and movement ----

ValueId GraphBuilder::transpose(ValueId x, const std::vector<int32_t>& perm) {
  if (is_identity(perm) && (!has_rank(x) || rank(x) == static_cast<int>(perm.size()))) return x;
  const Node* made = producer(x);
  if (made != nullptr && made->op == Op::TRANSPOSE) {
    const auto inner = int_values(made->inputs[1]);
    if (inner && inner->size() == perm.size() && std::all_of(perm.begin(), perm.end(), [&](int32_t p) {
          return p >= 0 && p < static_cast<int32_t>(perm.size());
        })) {
      std::vector<int32_t> both;
      for (int32_t p : perm) both.push_back(static_cast<int32_t>((*inner)[static_cast<size_t>(p)]));
      return transpose(made->inputs[0], both);
    }
  }
  return node(Op::TRANSPOSE, {x, ints(perm)}, options(tflite::TransposeOptionsT()));
}

ValueId GraphBuilder::reshape(ValueId x, const Shape& wanted) {
  Shape target = wanted;
  const auto unknown = std::find(target.begin(), target.end(), -1);
  if (unknown != target.end() && is_static(x)) {
    size_t rest = 1;
    for (int32_t size : target) rest *= size < 0 ? 1 : static_cast<size_t>(size);
    const size_t count = element_count(shape(x));
    if (rest > 0 && count % rest == 0) *unknown = static_cast<int32_t>(count / rest);
  }
  if (is_static(x) && shape(x) == target) return x;
  const Node* made = producer(x);
  if (made != nullptr && made->op == Op::RESHAPE && is_static(made->inputs[0])) return reshape(made->inputs[0], target);
  tflite::ReshapeOptionsT table;
  table.new_shape = target;
  return node(Op::RESHAPE, {x, ints(target)}, options(std::move(table)));
}

ValueId GraphBuilder::reshape_to(ValueId x, ValueId target) {
  const auto known_sizes = partial_int_values(target);
  if (known_sizes && std::count(known_sizes->begin(), known_sizes->end(), -1) <= 1) {
    return reshape(x, Shape(known_sizes->begin(), known_sizes->end()));
  }
  return node(Op::RESHAPE, {x, target}, options(tflite::ReshapeOptionsT()));
}

ValueId GraphBuilder::flatten_from(ValueId x, int axis) {
  if (!has_rank(x)) return error(ErrorCode::kUnsupported, "cannot flatten a tensor of unknown rank");
  Shape target;
  int32_t last = 1, unknown = 0;
  for (int i = 0; i < axis; ++i) {
    target.push_back(dim(x, i));
    unknown += dim(x, i) < 0;
  }
  for (int i = axis; i < rank(x); ++i) last = last < 0 || dim(x, i) < 0 ? -1 : last * dim(x, i);
  target.push_back(last);
  unknown += last < 0;
  if (unknown <= 1) return reshape(x, target);
  std::vector<ValueId> sizes;
  for (int i = 0; i < axis; ++i) sizes.push_back(size_of(x, i));
  sizes.push_back(int_scalar(-1));
  return reshape_to(x, pack(sizes, 0));
}

ValueId GraphBuilder::expand_dims(ValueId x, const std::vector<int32_t>& axes) {
  if (has_rank(x)) {
    Shape target = shape(x);
    for (int32_t axis : axes) {
      if (axis < 0 || axis > static_cast<int32_t>(target.size())) {
        return error(ErrorCode::kInvalidModel, fmt::format("axis {} to insert is out of range", axis));
      }
      target.insert(target.begin() + axis, 1);
    }
    if (std::count(target.begin(), target.end(), -1) <= 1) return reshape(x, target);
  }
  for (int32_t axis : axes) {
    x = node(Op::EXPAND_DIMS, {x, int_scalar(axis)}, options(tflite::ExpandDimsOptionsT()));
  }
  return x;
}

ValueId GraphBuilder::squeeze(ValueId x, const std::vector<int32_t>& axes) {
  if (has_rank(x)) {
    Shape target;
    for (int i = 0; i < rank(x); ++i) {
      if (std::find(axes.begin(), axes.end(), i) == axes.end()) target.push_back(dim(x, i));
    }
    if (std::count(target.begin(), target.end(), -1) <= 1) return reshape(x, target);
  }
  tflite::SqueezeOptionsT table;
  table.squeeze_dims = axes;
  return node(Op::SQUEEZE, {x}, options(std::move(table)));
}

ValueId GraphBuilder::concat(const std::vector<ValueId>& xs, int axis) {
  if (xs.size() == 1) return xs[0];
  tflite::ConcatenationOptionsT table;
  table.axis = axis;
  return node(Op::CONCATENATION, xs, options(std::move(table)));
}

ValueId GraphBuilder::pack(const std::vector<ValueId>& xs, int axis) {
  tflite::PackOptionsT table;
  table.values_count = static_cast<int32_t>(xs.size());
  table.axis = axis;
  return node(Op::PACK, xs, options(std::move(table)));
}

std::vector<ValueId> GraphBuilder::split(ValueId x, const std::vector<int32_t>& sizes, int axis) {
  if (sizes.size() == 1) return {x};
  if (!sizes.empty() && std::all_of(sizes.begin(), sizes.end(), [&](int32_t s) { return s == sizes[0]; })) {
    tflite::SplitOptionsT table;
    table.num_splits = static_cast<int32_t>(sizes.size());
    return nodes(Op::SPLIT, {int_scalar(axis), x}, sizes.size(), options(std::move(table)));
  }
  tflite::SplitVOptionsT table;
  table.num_splits = static_cast<int32_t>(sizes.size());
  return nodes(Op::SPLIT_V, {x, ints(sizes), int_scalar(axis)}, sizes.size(), options(std::move(table)));
}

ValueId GraphBuilder::strided_slice(ValueId x, const std::vector<int32_t>& axes, const std::vector<int32_t>& begin,
                                    const std::vector<int32_t>& end, const std::vector<int32_t>& step) {
  if (!has_rank(x)) return error(ErrorCode::kUnsupported, "cannot slice a tensor of unknown rank");
  const auto dims = static_cast<size_t>(rank(x));
  std::vector<int32_t> from(dims, 0), to(dims, 0), by(dims, 1);
  uint32_t whole = dims >= 32 ? ~0u : (1u << dims) - 1, begin_mask = whole, end_mask = whole;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    if (axis >= dims) return error(ErrorCode::kInvalidModel, fmt::format("axis {} to slice is out of range", axes[i]));
    from[axis] = begin[i];
    to[axis] = end[i];
    by[axis] = step[i];
    begin_mask &= ~(1u << axis);
    end_mask &= ~(1u << axis);
  }
  bool all = true;
  for (size_t i = 0; i < dims; ++i) {
    const int32_t size = dim(x, static_cast<int>(i));
    if (((begin_mask >> i) & 1) != 0) {
      to[i] = std::max(size, 0);  // what LiteRT's tools show; the mask says to ignore it
      continue;
    }
    all = all && by[i] == 1 && from[i] == 0 && (to[i] == INT32_MAX || (size >= 0 && to[i] >= size));
    // "To the end" is a mask: it stays right when the size changes.
    if (by[i] > 0 && (to[i] == INT32_MAX || (size >= 0 && to[i] >= size))) {
      end_mask |= 1u << i;
      to[i] = std::max(size, 0);
    }
    if (by[i] < 0 && (to[i] == INT32_MIN || (size >= 0 && to[i] < -size))) {
      end_mask |= 1u << i;
      to[i] = 0;
    }
    if (size >= 0 && from[i] > size) from[i] = size;
  }
  if (all) return x;
  tflite::StridedSliceOptionsT table;
  table.begin_mask = static_cast<int32_t>(begin_mask);
  table.end_mask = static_cast<int32_t>(end_mask);
  return node(Op::STRIDED_SLICE, {x, ints(from), ints(to), ints(by)}, options(std::move(table)));
}

ValueId GraphBuilder::gather(ValueId x, ValueId indices, int axis, int batch_dims) {
  tflite::GatherOptionsT table;
  table.axis = axis;
  table.batch_dims = batch_dims;
  return node(Op::GATHER, {x, indices}, options(std::move(table)));
}

ValueId GraphBuilder::pad(ValueId x, const std::vector<std::array<int32_t, 2>>& pads, double value) {
  std::vector<int32_t> flat;
  bool crops = false, pads_any = false;
  for (const auto& [before, after] : pads) {
    flat.push_back(std::max(before, 0));
    flat.push_back(std::max(after, 0));
    crops = crops || before < 0 || after < 0;
    pads_any = pads_any || before > 0 || after > 0;
  }
  if (crops) {
    std::vector<int32_t> axes, begin, end, step;
    for (size_t i = 0; i < pads.size(); ++i) {
      if (pads[i][0] >= 0 && pads[i][1] >= 0) continue;
      axes.push_back(static_cast<int32_t>(i));
      begin.push_back(std::max(-pads[i][0], 0));
      end.push_back(pads[i][1] < 0 ? pads[i][1] : INT32_MAX);
      step.push_back(1);
    }
    x = strided_slice(x, axes, begin, end, step);
  }
  if (!pads_any) return x;
  const ValueId amounts = constant(flat, DType::kInt32, {static_cast<int32_t>(pads.size()), 2});
  // PAD's zeros are the zero point of quantized numbers.
  const QuantParams quant = graph().value(x).quant;
  const double zero = quant.quantized() ? static_cast<double>(quant.zero()) : 0;
  if (value == zero) return node(Op::PAD, {x, amounts}, options(tflite::PadOptionsT()));
  const ValueId number = scalar_like(value, x);
  graph().value(number).quant = quant;
  return node(Op::PADV2, {x, amounts, number}, options(tflite::PadV2OptionsT()));
}

ValueId GraphBuilder::mirror_pad(ValueId x, const std::vector<std::array<int32_t, 2>>& pads, bool symmetric) {
  std::vector<int32_t> flat;
  for (const auto& [before, after] : pads) flat.insert(flat.end(), {before, after});
  tflite::MirrorPadOptionsT table;
  table.mode = symmetric ? tflite::MirrorPadMode::SYMMETRIC : tflite::MirrorPadMode::REFLECT;
  return node(Op::MIRROR_PAD, {x, constant(flat, DType::kInt32, {static_cast<int32_t>(pads.size()), 2})},
              options(std::move(table)));
}

ValueId GraphBuilder::tile(ValueId x, const std::vector<int32_t>& times) {
  if (std::all_of(times.begin(), times.end(), [](int32_t t) { return t == 1; })) return x;
  return node(Op::TILE, {x, ints(times)}, options(tflite::TileOptionsT()));
}

ValueId GraphBuilder::broadcast_to(ValueId x, ValueId target) {
  const auto sizes = int_values(target);
  if (sizes && is_static(x) && Shape(sizes->begin(), sizes->end()) == shape(x)) return x;
  return node(Op::BROADCAST_TO, {x, target}, options(tflite::BroadcastToOptionsT()));
}

ValueId GraphBuilder::shape_of(ValueId x) {
  tflite::ShapeOptionsT table;
  table.out_type = tflite::TensorType::INT32;
  return node(Op::SHAPE, {x}, options(std::move(table)));
}

ValueId GraphBuilder::size_of(ValueId x, int axis) {
  if (axis < 0) axis += std::max(rank(x), 0);
  if (dim(x, axis) >= 0) return int_scalar(dim(x, axis));
  tflite::StridedSliceOptionsT table;
  table.shrink_axis_mask = 1;
  return node(Op::STRIDED_SLICE, {shape_of(x), ints({axis}), ints({axis + 1}), ints({1})}, options(std::move(table)));
}

ValueId GraphBuilder::space_to_depth(ValueId x, int32_t block) {
  tflite::SpaceToDepthOptionsT table;
  table.block_size = block;
  return node(Op::SPACE_TO_DEPTH, {x}, options(std::move(table)));
}

ValueId GraphBuilder::depth_to_space(ValueId x, int32_t block) {
  tflite::DepthToSpaceOptionsT table;
  table.block_size = block;
  return node(Op::DEPTH_TO_SPACE, {x}, options(std::move(table)));
}

// ---- reductions ----

ValueId GraphBuilder::reduce(Op op, ValueId x, const std::vector<int32_t>& axes, bool keep_dims) {
  tflite::ReducerOptionsT table;
  table.keep_dims = keep_dims;
  return node(op, {x, ints(axes)}, options(std::move(table)));
}

ValueId GraphBuilder::arg(Op op, ValueId x, int axis, DType output) {
  if (op == Op::ARG_MAX) {
    tflite::ArgMaxOptionsT table;
    table.output_type = to_schema(output);
    return node(op, {x, int_scalar(axis)}, options(std::move(table)));
  }
  tflite::ArgMinOptionsT table;
  table.output_type = to_schema(output);
  return node(op, {x, int_scalar(axis)}, options(std::move(table)));
}

ValueId GraphBuilder::cumsum(ValueId x, ValueId axis, bool exclusive, bool reverse) {
  tflite::CumsumOptionsT table;
  table.exclusive = exclusive;
  table.reverse = reverse;
  return node(Op::CUMSUM, {x, axis}, options(std::move(table)));
}

}  // namespace fewbits::formats
