// Shapes and movement: reshapes, slices, concatenation, padding, and what passes its input on.
#include <algorithm>

#include "formats/options.h"
#include "formats/savedmodel/lowering.h"

namespace fewbits::savedmodel {
namespace {

using enum fewbits::Op;

Result<Tensors> pass_on(const OpCall& op) {
  if (op.inputs.empty()) return op.unsupported("it has no input");
  return Tensors{op.inputs[0]};
}
Result<Tensors> pass_all_on(const OpCall& op) { return Tensors(op.inputs.begin(), op.inputs.end()); }

Result<Tensors> constant(const OpCall& op) {
  const tf::AttrValue* value = op.attrs.find("value");
  if (value == nullptr) return fail(ErrorCode::kInvalidModel, "a constant without a value");
  if (value->tensor().dtype() == tf::DT_STRING) return Tensors{Tensor{}};
  FB_ASSIGN(const ConstTensor tensor, read_tensor(value->tensor(), op.owner, "its value"));
  return one(op.lowering.constant(tensor, op.node.name()));
}

Result<Tensors> placeholder(const OpCall& op) { return op.unsupported("an input that the signature does not have"); }

// ---- shapes ----

ValueId with_type(const OpCall& op, ValueId sizes, const char* attr) {
  return op.attrs.type(attr, tf::DT_INT32) == tf::DT_INT64 ? op.b().cast(sizes, DType::kInt64) : sizes;
}

Result<Tensors> shape(const OpCall& op) { return one(with_type(op, op.b().shape_of(op.in(0)), "out_type")); }
Result<Tensors> shape_n(const OpCall& op) {
  Tensors out;
  for (size_t i = 0; i < op.count(); ++i)
    out.push_back(value_tensor(with_type(op, op.b().shape_of(op.in(i)), "out_type")));
  return out;
}
Result<Tensors> size(const OpCall& op) {
  return one(with_type(op, op.b().reduce(REDUCE_PROD, op.b().shape_of(op.in(0)), {0}, false), "out_type"));
}
Result<Tensors> rank(const OpCall& op) {
  const int known = op.b().rank(op.in(0));
  if (known < 0) return op.unsupported("a rank that is not known at conversion");
  return one(op.b().int_scalar(known));
}

Result<Tensors> reshape(const OpCall& op) { return one(op.b().reshape_to(op.in(0), op.index(1))); }

Result<Tensors> expand_dims(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(int32_t axis, op.integer(1, "axis"));
  const int rank_after = b.rank(op.in(0)) + 1;
  if (axis < -rank_after || axis >= rank_after) return op.unsupported("axis {} of rank {}", axis, rank_after);
  return one(b.expand_dims(op.in(0), {axis < 0 ? axis + rank_after : axis}));
}

Result<Tensors> squeeze(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId x = op.in(0);
  std::vector<int32_t> axes;
  std::vector<int64_t> wanted = op.attrs.integers("squeeze_dims");
  if (wanted.empty()) wanted = op.attrs.integers("axis");
  for (int64_t axis : wanted) axes.push_back(static_cast<int32_t>(axis < 0 ? axis + b.rank(x) : axis));
  if (axes.empty()) {
    for (int i = 0; i < b.rank(x); ++i) {
      if (b.dim(x, i) < 0) return op.unsupported("it drops sizes of 1, and a size is not known");
      if (b.dim(x, i) == 1) axes.push_back(i);
    }
  }
  return one(axes.empty() ? x : b.squeeze(x, axes));
}

Result<Tensors> transpose(const OpCall& op) {
  FB_ASSIGN(const auto perm, op.ints(1, "permutation"));
  return one(op.b().transpose(op.in(0), perm));
}

Result<Tensors> broadcast_to(const OpCall& op) { return one(op.b().broadcast_to(op.in(0), op.index(1))); }

Result<Tensors> broadcast_args(const OpCall& op) { return one(op.b().node(BROADCAST_ARGS, {op.in(0), op.in(1)})); }

Result<Tensors> tile(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId times = op.index(1);
  if (const auto known = b.int_values(times); known) {
    return one(b.tile(op.in(0), std::vector<int32_t>(known->begin(), known->end())));
  }
  return one(b.node(TILE, {op.in(0), times}, formats::options(tflite::TileOptionsT())));
}

Result<Tensors> fill(const OpCall& op) {
  return one(op.b().node(FILL, {op.index(0), op.in(1)}, formats::options(tflite::FillOptionsT())));
}
Result<Tensors> zeros_like(const OpCall& op) {
  GraphBuilder& b = op.b();
  if (b.is_static(op.in(0)))
    return one(
        b.node(FILL, {b.shape_of(op.in(0)), b.scalar_like(0, op.in(0))}, formats::options(tflite::FillOptionsT())));
  return one(b.node(ZEROS_LIKE, {op.in(0)}, formats::options(tflite::ZerosLikeOptionsT())));
}
Result<Tensors> ones_like(const OpCall& op) {
  GraphBuilder& b = op.b();
  return one(
      b.node(FILL, {b.shape_of(op.in(0)), b.scalar_like(1, op.in(0))}, formats::options(tflite::FillOptionsT())));
}

// ---- joining and splitting ----

Result<Tensors> concat_v2(const OpCall& op) {
  GraphBuilder& b = op.b();
  if (op.count() < 2) return op.unsupported("nothing to concatenate");
  FB_ASSIGN(const int32_t axis, op.axis(op.count() - 1, op.in(0)));
  std::vector<ValueId> parts;
  for (size_t i = 0; i + 1 < op.count(); ++i) parts.push_back(op.in(i));
  return one(b.concat(parts, axis));
}
Result<Tensors> concat(const OpCall& op) {
  if (op.count() < 2) return op.unsupported("nothing to concatenate");
  FB_ASSIGN(const int32_t axis, op.axis(0, op.in(1)));
  std::vector<ValueId> parts;
  for (size_t i = 1; i < op.count(); ++i) parts.push_back(op.in(i));
  return one(op.b().concat(parts, axis));
}
Result<Tensors> pack(const OpCall& op) {
  if (op.inputs.empty()) return op.unsupported("nothing to pack");
  std::vector<ValueId> parts;
  for (size_t i = 0; i < op.count(); ++i) parts.push_back(op.in(i));
  auto axis = static_cast<int>(op.attrs.integer("axis", 0));
  if (axis < 0) axis += op.b().rank(parts[0]) + 1;
  return one(op.b().pack(parts, axis));
}
Result<Tensors> unpack(const OpCall& op) {
  GraphBuilder& b = op.b();
  tflite::UnpackOptionsT table;
  auto axis = op.attrs.integer("axis", 0);
  if (axis < 0) axis += b.rank(op.in(0));
  table.axis = static_cast<int32_t>(axis);
  table.num = static_cast<int32_t>(op.attrs.integer("num", 0));
  if (table.num != b.dim(op.in(0), table.axis) || table.num < 1)
    return op.unsupported("{} parts of a size of {}", table.num, b.dim(op.in(0), table.axis));
  const auto parts = static_cast<size_t>(table.num);
  return many(b.nodes(UNPACK, {op.in(0)}, parts, formats::options(std::move(table))));
}

Result<Tensors> split(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(const int32_t axis, op.axis(0, op.in(1)));
  const int64_t parts = op.attrs.integer("num_split", 1);
  const int32_t all = b.dim(op.in(1), axis);
  if (parts < 1 || all < 0 || all % parts != 0) return op.unsupported("{} equal parts of a size of {}", parts, all);
  return many(
      b.split(op.in(1), std::vector<int32_t>(static_cast<size_t>(parts), static_cast<int32_t>(all / parts)), axis));
}
Result<Tensors> split_v(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(const int32_t axis, op.axis(2, op.in(0)));
  FB_ASSIGN(auto sizes, op.ints(1, "sizes"));
  int32_t rest = b.dim(op.in(0), axis);
  if (rest < 0 && std::any_of(sizes.begin(), sizes.end(), [](int32_t s) { return s < 0; }))
    return op.unsupported("one part is the rest of a size that is not known");
  for (int32_t part : sizes) rest -= std::max(part, 0);
  for (int32_t& part : sizes) part = part < 0 ? rest : part;
  return many(b.split(op.in(0), sizes, axis));
}

// ---- slices ----

Result<Tensors> slice(const OpCall& op) {
  GraphBuilder& b = op.b();
  const ValueId x = op.in(0);
  const auto begin = b.int_values(op.in(1)), sizes = b.int_values(op.in(2));
  if (!begin || !sizes)
    return one(b.node(SLICE, {x, op.index(1), op.index(2)}, formats::options(tflite::SliceOptionsT())));
  std::vector<int32_t> axes, from, to, steps;
  for (size_t i = 0; i < begin->size() && i < sizes->size(); ++i) {
    axes.push_back(static_cast<int32_t>(i));
    from.push_back(static_cast<int32_t>((*begin)[i]));
    to.push_back((*sizes)[i] < 0 ? INT32_MAX : static_cast<int32_t>((*begin)[i] + (*sizes)[i]));
    steps.push_back(1);
  }
  return one(b.strided_slice(x, axes, from, to, steps));
}

// TensorFlow's masks are TFLite's.
Result<Tensors> strided_slice(const OpCall& op) {
  tflite::StridedSliceOptionsT table;
  const auto mask = [&](const char* name) { return static_cast<int32_t>(op.attrs.integer(name, 0)); };
  table.begin_mask = mask("begin_mask");
  table.end_mask = mask("end_mask");
  table.ellipsis_mask = mask("ellipsis_mask");
  table.new_axis_mask = mask("new_axis_mask");
  table.shrink_axis_mask = mask("shrink_axis_mask");
  GraphBuilder& b = op.b();
  const ValueId x = op.in(0);
  if (table.new_axis_mask == 0 && table.shrink_axis_mask == 0 && table.ellipsis_mask == 0) {
    const auto begin = b.int_values(op.in(1)), end = b.int_values(op.in(2)), step = b.int_values(op.in(3));
    if (begin && end && step && begin->size() == end->size() && begin->size() == step->size()) {
      std::vector<int32_t> axes, from, to, by;
      for (size_t i = 0; i < begin->size(); ++i) {
        const bool backward = (*step)[i] < 0;
        const int32_t first = backward ? INT32_MAX : 0, last = backward ? INT32_MIN : INT32_MAX;
        const auto clipped = [](int64_t v) {
          return static_cast<int32_t>(std::clamp<int64_t>(v, INT32_MIN, INT32_MAX));
        };
        axes.push_back(static_cast<int32_t>(i));
        from.push_back((table.begin_mask >> i & 1) != 0 ? first : clipped((*begin)[i]));
        to.push_back((table.end_mask >> i & 1) != 0 ? last : clipped((*end)[i]));
        by.push_back(clipped((*step)[i]));
      }
      return one(b.strided_slice(x, axes, from, to, by));
    }
  }
  return one(b.node(STRIDED_SLICE, {x, op.index(1), op.index(2), op.index(3)}, formats::options(std::move(table))));
}

// What leaves at the end of an axis comes in again at its beginning.
Result<Tensors> roll(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(const auto shifts, op.ints(1, "shifts"));
  FB_ASSIGN(const auto axes, op.axes(2, op.in(0), "axes"));
  ValueId x = op.in(0);
  for (size_t i = 0; i < axes.size() && i < shifts.size(); ++i) {
    const int32_t size = b.dim(x, axes[i]);
    if (size < 1) return op.unsupported("the size of the axis that it rolls is not known");
    const int32_t cut = size - ((shifts[i] % size) + size) % size;  // what begins the result
    if (cut == size) continue;
    const auto parts = b.split(x, {cut, size - cut}, axes[i]);
    x = b.concat({parts[1], parts[0]}, axes[i]);
  }
  return one(x);
}

Result<Tensors> reverse(const OpCall& op) {
  GraphBuilder& b = op.b();
  FB_ASSIGN(const auto axes, op.axes(1, op.in(0), "axes"));
  ValueId x = op.in(0);
  for (int32_t axis : axes) x = b.node(REVERSE_V2, {x, b.ints({axis})}, formats::options(tflite::ReverseV2OptionsT()));
  return one(x);
}
Result<Tensors> reverse_sequence(const OpCall& op) {
  tflite::ReverseSequenceOptionsT table;
  table.seq_dim = static_cast<int32_t>(op.attrs.integer("seq_dim", 0));
  table.batch_dim = static_cast<int32_t>(op.attrs.integer("batch_dim", 0));
  return one(op.b().node(REVERSE_SEQUENCE, {op.in(0), op.in(1)}, formats::options(std::move(table))));
}

// ---- padding and blocks ----

Result<std::vector<std::array<int32_t, 2>>> pads_of(const OpCall& op) {
  FB_ASSIGN(const auto flat, op.ints(1, "paddings"));
  std::vector<std::array<int32_t, 2>> pads;
  for (size_t i = 0; i + 1 < flat.size(); i += 2) pads.push_back({flat[i], flat[i + 1]});
  return pads;
}

Result<Tensors> pad(const OpCall& op) {
  GraphBuilder& b = op.b();
  if (!b.int_values(op.in(1))) {
    if (op.count() < 3) return one(b.node(PAD, {op.in(0), op.index(1)}, formats::options(tflite::PadOptionsT())));
    return one(b.node(PADV2, {op.in(0), op.index(1), op.in(2)}, formats::options(tflite::PadV2OptionsT())));
  }
  FB_ASSIGN(const auto pads, pads_of(op));
  if (op.count() < 3) return one(b.pad(op.in(0), pads));
  const auto value = b.number_values(op.in(2));
  if (value && value->size() == 1) return one(b.pad(op.in(0), pads, (*value)[0]));
  return one(b.node(PADV2, {op.in(0), op.index(1), op.in(2)}, formats::options(tflite::PadV2OptionsT())));
}
Result<Tensors> mirror_pad(const OpCall& op) {
  FB_ASSIGN(const auto pads, pads_of(op));
  return one(op.b().mirror_pad(op.in(0), pads, op.attrs.text("mode") == "SYMMETRIC"));
}
template <fewbits::Op kOp>
Result<Tensors> blocks(const OpCall& op) {
  return one(op.b().node(kOp, {op.in(0), op.index(1), op.index(2)}));
}

constexpr RuleEntry kRules[] = {
    {"BatchToSpaceND", blocks<BATCH_TO_SPACE_ND>},
    {"BroadcastArgs", broadcast_args},
    {"BroadcastTo", broadcast_to},
    {"CheckNumerics", pass_on},
    {"Concat", concat},
    {"ConcatV2", concat_v2},
    {"Const", constant},
    {"CopyOnMutate", pass_on},
    {"DisableCopyOnRead", pass_on},
    {"EnsureShape", pass_on},
    {"ExpandDims", expand_dims},
    {"Fill", fill},
    {"Identity", pass_on},
    {"IdentityN", pass_all_on},
    {"MirrorPad", mirror_pad},
    {"OnesLike", ones_like},
    {"Pack", pack},
    {"Pad", pad},
    {"PadV2", pad},
    {"Placeholder", placeholder},
    {"PlaceholderWithDefault", pass_on},
    {"PreventGradient", pass_on},
    {"Rank", rank},
    {"Reshape", reshape},
    {"ReverseSequence", reverse_sequence},
    {"ReverseV2", reverse},
    {"Roll", roll},
    {"Shape", shape},
    {"ShapeN", shape_n},
    {"Size", size},
    {"Slice", slice},
    {"Snapshot", pass_on},
    {"SpaceToBatchND", blocks<SPACE_TO_BATCH_ND>},
    {"Split", split},
    {"SplitV", split_v},
    {"Squeeze", squeeze},
    {"StopGradient", pass_on},
    {"StridedSlice", strided_slice},
    {"Tile", tile},
    {"Transpose", transpose},
    {"Unpack", unpack},
    {"ZerosLike", zeros_like},
};

}  // namespace

std::span<const RuleEntry> shape_rules() noexcept { return kRules; }

}  // namespace fewbits::savedmodel
