// SPACE_TO_DEPTH, DEPTH_TO_SPACE, SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND: blocks of positions to channels or batches and
// back.
#include <algorithm>

#include "ops/data_movement/op.h"
#include "ops/mover.h"
#include "schema/tflite.h"

namespace fewbits::ops {
namespace {

// ---- blocks and channels (NHWC) ----

Result<int32_t> require_block(const OpContext& context, int32_t block) {
  const TensorInfo& input = context.inputs[0];
  if (block < 1) return context.fail(ErrorCode::kInvalidModel, "the block size is {}", block);
  if (input.rank() != 4) return context.fail(ErrorCode::kInvalidModel, "the input has rank {}, not 4", input.rank());
  return block;
}

Result<int32_t> space_block(const OpContext& context) {
  const auto* options = context.node->options->AsSpaceToDepthOptions();
  return require_block(context, options == nullptr ? 0 : options->block_size);
}

Result<int32_t> depth_block(const OpContext& context) {
  const auto* options = context.node->options->AsDepthToSpaceOptions();
  return require_block(context, options == nullptr ? 0 : options->block_size);
}

// The copy between space [N, H*b, W*b, C] and depth [N, H, W, b*b*C]: both are the box N, H, b, W, b*C, in another
// order.
StridedCopy depth_copy(const Shape& space, int32_t block, size_t element, bool to_depth) {
  const int64_t run =
      static_cast<int64_t>(element) * space[3] * block;  // one row of a block is contiguous on both sides
  const int64_t width = space[2] / block, height = space[1] / block;
  const int64_t space_row = run * width, depth_cell = run * block, depth_row = depth_cell * width;
  const CopyDim dims[] = {{space[0], space_row * space[1], depth_row * height},
                          {height, space_row * block, depth_row},
                          {block, space_row, run},
                          {width, run, depth_cell}};
  if (to_depth) return StridedCopy(dims, static_cast<size_t>(run));
  std::array<CopyDim, 4> back;
  std::transform(std::begin(dims), std::end(dims), back.begin(),
                 [](const CopyDim& d) { return CopyDim{d.size, d.dst, d.src}; });
  return StridedCopy(back, static_cast<size_t>(run));
}

Prepared make_depth_kernel(const OpContext& context, const Shape& space, int32_t block, size_t element, bool to_depth) {
  if (context.inputs[0].count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  return make_mover(
      context,
      [copy = depth_copy(space, block, element, to_depth)](const RunArgs& args) noexcept {
        copy.run(args.in[0], args.out[0], args.pool);
      },
      to_depth ? "space_to_depth" : "depth_to_space");
}

// ---- blocks and batches ----

// Checks the operands of both: block sizes [M] and two borders [M, 2] for dimensions 1 to M.
Result<size_t> spatial_dims(const OpContext& context) {
  const size_t spatial = context.inputs[1].count();
  if (context.inputs[1].rank() != 1 || spatial + 1 > context.inputs[0].shape.size() ||
      context.inputs[2].count() != 2 * spatial) {
    return context.fail(ErrorCode::kInvalidModel, "block sizes {} and borders {} do not fit {}",
                        shape_text(context.inputs[1].shape), shape_text(context.inputs[2].shape),
                        shape_text(context.inputs[0].shape));
  }
  return spatial;
}

// Every block position is one strided copy between the spacious tensor, shrunk by its borders or grown by its padding,
// and its entries of the batched tensor.
struct BatchBlocks {
  Shape spacious, batched;
  size_t spatial = 0, element = 1;
  DType block_type = DType::kInt32, border_type = DType::kInt32;
  bool to_batch = true;

  void run(const RunArgs& args) const noexcept {
    const IntOperand blocks{args.in[1], block_type}, borders{args.in[2], border_type};
    const auto space = byte_strides(spacious, element), batch = byte_strides(batched, element);
    // The number of positions is that of the shapes, so that operands which changed cannot lead outside.
    const int32_t positions = spacious[0] == 0 ? 0 : batched[0] / spacious[0];
    for (int32_t position = 0; position < positions; ++position) {
      std::array<CopyDim, kMaxMoverRank> dims;
      int64_t space_offset = 0, batch_offset = position * spacious[0] * batch[0];
      dims[0] = {spacious[0], space[0], batch[0]};
      int64_t rest = position;
      for (size_t d = spatial; d >= 1; --d) {
        const int64_t block = std::clamp<int64_t>(blocks[d - 1], 1, INT32_MAX);
        const int64_t border = std::clamp<int64_t>(borders[2 * (d - 1)], 0, INT32_MAX);
        // Index i of the batched dimension is index i * block + shift of the spacious one.
        const int64_t shift = rest % block - border;
        rest /= block;
        const int64_t first = shift >= 0 ? 0 : (-shift - 1) / block + 1;
        const int64_t last = shift >= spacious[d] ? 0 : (spacious[d] - 1 - shift) / block + 1;
        const int64_t count = std::min<int64_t>(last, batched[d]) - first;
        if (count > 0) {
          space_offset += (first * block + shift) * space[d];
          batch_offset += first * batch[d];
        }
        dims[d] = {count, block * space[d], batch[d]};
      }
      for (size_t d = spatial + 1; d < spacious.size(); ++d) dims[d] = {spacious[d], space[d], batch[d]};
      if (to_batch) {
        StridedCopy({dims.data(), spacious.size()}, element, space_offset, batch_offset)
            .run(args.in[0], args.out[0], args.pool);
      } else {
        for (CopyDim& dim : dims) std::swap(dim.src, dim.dst);
        StridedCopy({dims.data(), spacious.size()}, element, batch_offset, space_offset)
            .run(args.in[0], args.out[0], args.pool);
      }
    }
  }
};

Result<Prepared> prepare_batch_blocks(const OpContext& context, bool to_batch) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_ASSIGN(const size_t spatial, spatial_dims(context));
  FB_TRY(require_integers(context, 1));
  FB_TRY(require_integers(context, 2));
  const TensorInfo& input = context.inputs[0];
  const TensorInfo& output = context.outputs[0];
  const BatchBlocks blocks{.spacious = to_batch ? input.shape : output.shape,
                           .batched = to_batch ? output.shape : input.shape,
                           .spatial = spatial,
                           .element = element,
                           .block_type = context.inputs[1].dtype,
                           .border_type = context.inputs[2].dtype,
                           .to_batch = to_batch};
  if (output.count() == 0) return make_kernel([](const RunArgs&) noexcept {}, "empty");
  if (!to_batch) {
    return make_mover(context, [blocks](const RunArgs& args) noexcept { blocks.run(args); }, "batch_to_space");
  }
  return make_mover(
      context,
      [blocks, zero = real_zero(output), fill = fill_copy(output.count(), element),
       padded = output.count() > input.count()](const RunArgs& args) noexcept {
        if (padded) fill.run(zero.data(), args.out[0], args.pool);
        blocks.run(args);
      },
      "space_to_batch");
}

}  // namespace

Status infer_space_to_depth(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const int32_t block, space_block(context));
  const Shape& in = context.inputs[0].shape;
  if (in[1] % block != 0 || in[2] % block != 0) {
    return context.fail(ErrorCode::kInvalidModel, "blocks of {} do not fit {}", block, shape_text(in));
  }
  const int64_t depth = in[3] == 0 ? 0 : std::min<int64_t>(int64_t{block} * block, INT64_MAX / in[3]) * in[3];
  return set_shape(context, 0, std::array<int64_t, 4>{in[0], in[1] / block, in[2] / block, depth});
}

Result<Prepared> prepare_space_to_depth(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_ASSIGN(const int32_t block, space_block(context));
  return make_depth_kernel(context, context.inputs[0].shape, block, element, true);
}

Status infer_depth_to_space(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const int32_t block, depth_block(context));
  const Shape& in = context.inputs[0].shape;
  const int64_t area = int64_t{block} * block;
  if (in[3] % area != 0) {
    return context.fail(ErrorCode::kInvalidModel, "blocks of {} do not fit {} channels", block, in[3]);
  }
  return set_shape(context, 0,
                   std::array<int64_t, 4>{in[0], int64_t{in[1]} * block, int64_t{in[2]} * block, in[3] / area});
}

Result<Prepared> prepare_depth_to_space(const OpContext& context) {
  FB_ASSIGN(const size_t element, require_movable(context, {0}));
  FB_ASSIGN(const int32_t block, depth_block(context));
  return make_depth_kernel(context, context.outputs[0].shape, block, element, false);
}

// SPACE_TO_BATCH_ND(input, blocks, paddings).
Status infer_space_to_batch(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const size_t spatial, spatial_dims(context));
  FB_ASSIGN(const auto blocks, int_values(context, 1));
  FB_ASSIGN(const auto paddings, int_values(context, 2));
  if (!blocks || !paddings) return infer_dynamic(context);
  const Shape& in = context.inputs[0].shape;
  std::vector<int64_t> shape(in.begin(), in.end());
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t block = (*blocks)[d], before = (*paddings)[2 * d], after = (*paddings)[2 * d + 1];
    const bool valid =
        block >= 1 && block <= INT32_MAX && before >= 0 && before <= INT32_MAX && after >= 0 && after <= INT32_MAX;
    if (!valid || (shape[d + 1] + before + after) % block != 0) {
      return context.fail(ErrorCode::kInvalidModel,
                          "a block of {} and padding of {} and {} do not fit dimension {} of {}", block, before, after,
                          d + 1, shape_text(in));
    }
    shape[d + 1] = (shape[d + 1] + before + after) / block;
    shape[0] = std::min<int64_t>(shape[0] * block, int64_t{INT32_MAX} + 1);  // set_shape refuses what is too large
  }
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_space_to_batch(const OpContext& context) { return prepare_batch_blocks(context, true); }

// BATCH_TO_SPACE_ND(input, blocks, crops).
Status infer_batch_to_space(OpContext& context) {
  if (any_dynamic(context)) return {};
  FB_ASSIGN(const size_t spatial, spatial_dims(context));
  FB_ASSIGN(const auto blocks, int_values(context, 1));
  FB_ASSIGN(const auto crops, int_values(context, 2));
  if (!blocks || !crops) return infer_dynamic(context);
  const Shape& in = context.inputs[0].shape;
  std::vector<int64_t> shape(in.begin(), in.end());
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t block = (*blocks)[d], before = (*crops)[2 * d], after = (*crops)[2 * d + 1];
    const bool valid =
        block >= 1 && block <= INT32_MAX && before >= 0 && before <= INT32_MAX && after >= 0 && after <= INT32_MAX;
    if (!valid || shape[0] % block != 0 || before + after > shape[d + 1] * block) {
      return context.fail(ErrorCode::kInvalidModel,
                          "a block of {} and crops of {} and {} do not fit dimension {} of {}", block, before, after,
                          d + 1, shape_text(in));
    }
    shape[d + 1] = shape[d + 1] * block - before - after;
    shape[0] /= block;
  }
  return set_shape(context, 0, shape);
}

Result<Prepared> prepare_batch_to_space(const OpContext& context) { return prepare_batch_blocks(context, false); }

}  // namespace fewbits::ops
