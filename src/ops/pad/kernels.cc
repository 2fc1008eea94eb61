// prepare() of the pad family. The kernels read the paddings when they run, so that constant ones need no second path;
// what they cost is a few short loops beside the copies.
#include <algorithm>

#include "ops/mover.h"
#include "ops/pad/op.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// A tensor in the middle of a larger one. Dimension i of the larger one: `before[i]` steps, the tensor, `after(i)`
// steps.
struct Padding {
  Shape in, out;
  size_t element = 1;
  DType type = DType::kInt32;  // of the paddings

  struct Placed {
    std::array<int64_t, kMaxMoverRank> before{};
    std::array<int64_t, kMaxMoverRank> from{}, to{};  // strides
  };

  Placed place(const RunArgs& args) const noexcept {
    Placed placed{.from = byte_strides(in, element), .to = byte_strides(out, element)};
    const IntOperand paddings{args.in[1], type};
    for (size_t i = 0; i < in.size(); ++i) placed.before[i] = std::clamp<int64_t>(paddings[2 * i], 0, out[i] - in[i]);
    return placed;
  }
  int64_t after(const Placed& placed, size_t i) const noexcept { return out[i] - in[i] - placed.before[i]; }

  // The box of a border of dimension d: the tensor's own extent in the dimensions before d, all of those after it. The
  // borders of all dimensions and the tensor make up the output, each place once. `offset` is that of step 0 of
  // dimension d.
  std::array<CopyDim, kMaxMoverRank> border(const Placed& placed, size_t d, int64_t& offset) const noexcept {
    std::array<CopyDim, kMaxMoverRank> dims{};
    offset = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      if (i < d) offset += placed.before[i] * placed.to[i];
      dims[i] = {i < d ? in[i] : out[i], placed.to[i], placed.to[i]};
    }
    return dims;
  }

  void copy_middle(const Placed& placed, const RunArgs& args) const noexcept {
    std::array<CopyDim, kMaxMoverRank> dims;
    int64_t offset = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      dims[i] = {in[i], placed.from[i], placed.to[i]};
      offset += placed.before[i] * placed.to[i];
    }
    StridedCopy({dims.data(), in.size()}, element, 0, offset).run(args.in[0], args.out[0], args.pool);
  }
};

void fill_borders(const Padding& padding, const void* value, const RunArgs& args) noexcept {
  const Padding::Placed placed = padding.place(args);
  padding.copy_middle(placed, args);
  for (size_t d = 0; d < padding.in.size(); ++d) {
    int64_t offset = 0;
    auto dims = padding.border(placed, d, offset);
    for (CopyDim& dim : dims) dim.src = 0;
    const auto fill = [&](int64_t first, int64_t steps) {
      dims[d].size = steps;
      StridedCopy({dims.data(), padding.in.size()}, padding.element, 0, offset + first * placed.to[d])
          .run(value, args.out[0], args.pool);
    };
    fill(0, placed.before[d]);
    fill(placed.before[d] + padding.in[d], padding.after(placed, d));
  }
}

// From the innermost dimension outwards, each border is a reversed copy inside the output. skip: 1 when the edge is not
// repeated.
void mirror_borders(const Padding& padding, int64_t skip, const RunArgs& args) noexcept {
  const Padding::Placed placed = padding.place(args);
  padding.copy_middle(placed, args);
  for (size_t d = padding.in.size(); d-- > 0;) {
    int64_t offset = 0;
    auto dims = padding.border(placed, d, offset);
    const int64_t step = placed.to[d], before = placed.before[d], size = padding.in[d];
    const auto mirror = [&](int64_t first, int64_t steps, int64_t to) {
      dims[d] = {steps, -step, step};
      StridedCopy({dims.data(), padding.in.size()}, padding.element, offset + first * step, offset + to * step)
          .run(args.out[0], args.out[0], args.pool);
    };
    const int64_t least = std::min(before, size - skip);  // shape inference saw to it that neither is cut
    mirror(before + skip + least - 1, least, before - least);
    mirror(before + size - 1 - skip, std::min(padding.after(placed, d), size - skip), before + size);
  }
}

Result<Padding> make_padding(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_TRY(require_integers(context, 1));
  return Padding{context.inputs[0].shape, context.outputs[0].shape, element, context.inputs[1].dtype};
}

}  // namespace

Result<Prepared> prepare_pad(const OpContext& context) {
  FB_ASSIGN(const Padding padding, make_padding(context));
  if (context.outputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  if (context.has_input(2)) {
    FB_TRY(require_movable(context, {2}));
    return make_mover(
        context, [padding](const RunArgs& args) noexcept { fill_borders(padding, args.in[2], args); }, "pad");
  }
  return make_mover(
      context,
      [padding, zero = real_zero(context.outputs[0])](const RunArgs& args) noexcept {
        fill_borders(padding, zero.data(), args);
      },
      "pad");
}

Result<Prepared> prepare_mirror_pad(const OpContext& context) {
  FB_ASSIGN(const Padding padding, make_padding(context));
  if (context.outputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  const auto* options = context.node->options->AsMirrorPadOptions();
  const int64_t skip = options == nullptr || options->mode == tflite::MirrorPadMode::REFLECT ? 1 : 0;
  return make_mover(
      context, [padding, skip](const RunArgs& args) noexcept { mirror_borders(padding, skip, args); }, "mirror_pad");
}

}  // namespace fewbits::ops
