// infer() and prepare() of NON_MAX_SUPPRESSION_V4 and V5.
#include <algorithm>
#include <cstring>
#include <vector>

#include "ops/detection/op.h"
#include "ops/detection/ref.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

enum Operand : size_t { kBoxes, kScores, kMaxOutputSize, kIouThreshold, kScoreThreshold, kSigma };

// Outputs: V4 indices and count; V5 indices, scores and count.
bool is_soft(const OpContext& context) { return context.node->op == Op::NON_MAX_SUPPRESSION_V5; }

NmsArgs read_args(const void* const* in, size_t boxes, bool soft) noexcept {
  NmsArgs args;
  args.boxes = static_cast<const Box*>(in[kBoxes]);
  args.scores = static_cast<const float*>(in[kScores]);
  args.count = boxes;
  args.iou_threshold = *static_cast<const float*>(in[kIouThreshold]);
  args.score_threshold = *static_cast<const float*>(in[kScoreThreshold]);
  if (soft) args.sigma = *static_cast<const float*>(in[kSigma]);
  return args;
}

// As many outputs as were selected.
Status run_dynamic(DynamicArgs& dynamic, bool soft) {
  const std::span<const TensorView> inputs = dynamic.inputs();
  const int32_t limit = *static_cast<const int32_t*>(inputs[kMaxOutputSize].data);
  if (limit < 0) return fail(ErrorCode::kInvalidData, "max_output_size is {}", limit);
  const void* in[6] = {};
  for (size_t i = 0; i < inputs.size() && i < std::size(in); ++i) in[i] = inputs[i].data;
  const auto boxes = static_cast<size_t>(inputs[kBoxes].shape[0]);
  NmsArgs args = read_args(in, boxes, soft);
  args.max_selected = std::min(boxes, static_cast<size_t>(limit));
  std::vector<NmsCandidate> candidates(boxes);
  std::vector<int32_t> indices(args.max_selected);
  std::vector<float> scores(args.max_selected);
  args.candidates = candidates.data();
  args.indices = indices.data();
  args.selected_scores = scores.data();
  const auto count = static_cast<int32_t>(non_max_suppression(args));
  const auto bytes = static_cast<size_t>(count) * sizeof(int32_t);
  FB_TRY(copy_to_output(dynamic, 0, {DType::kInt32, {count}, indices.data(), bytes}));
  if (soft) FB_TRY(copy_to_output(dynamic, 1, {DType::kFloat32, {count}, scores.data(), bytes}));
  return copy_to_output(dynamic, soft ? 2 : 1, {DType::kInt32, {}, &count, sizeof(count)});
}

Status check(const OpContext& context) {
  const bool soft = is_soft(context);
  const TensorInfo& boxes = context.inputs[kBoxes];
  const TensorInfo& scores = context.inputs[kScores];
  FB_TRY(require_type(context, boxes, "boxes", {DType::kFloat32}));
  FB_TRY(require_type(context, scores, "scores", {DType::kFloat32}));
  FB_TRY(require_type(context, context.inputs[kMaxOutputSize], "max_output_size", {DType::kInt32}));
  for (size_t i : {kIouThreshold, kScoreThreshold, kSigma}) {
    if (i == kSigma && !soft) continue;
    FB_TRY(require_type(context, context.inputs[i], "a threshold", {DType::kFloat32}));
  }
  for (size_t i = kMaxOutputSize; i < context.inputs.size(); ++i) {
    if (context.inputs[i].count() != 1) {
      return context.fail(ErrorCode::kInvalidModel, "operand {} must be one number", i);
    }
  }
  if (boxes.rank() != 2 || boxes.dim(1) != 4 || scores.rank() != 1 || scores.dim(0) != boxes.dim(0)) {
    return context.fail(ErrorCode::kInvalidModel, "boxes {} and scores {} do not fit", shape_text(boxes.shape),
                        shape_text(scores.shape));
  }
  FB_TRY(require_type(context, context.outputs[0], "the indices", {DType::kInt32}));
  if (soft) FB_TRY(require_type(context, context.outputs[1], "the scores", {DType::kFloat32}));
  return require_type(context, context.outputs[soft ? 2 : 1], "the count", {DType::kInt32});
}

}  // namespace

Status infer_nms(OpContext& context) {
  TensorInfo& indices = context.outputs[0];
  TensorInfo& count = context.outputs[is_soft(context) ? 2 : 1];
  count.shape = {};
  if (context.inputs[kMaxOutputSize].is_const) {
    FB_ASSIGN(const auto limit, int_values(context, kMaxOutputSize));
    if (!limit || limit->size() != 1 || (*limit)[0] < 0 || (*limit)[0] > INT32_MAX) {
      return context.fail(ErrorCode::kInvalidModel, "max_output_size must be one number that is not negative");
    }
    indices.shape = {static_cast<int32_t>((*limit)[0])};
  } else {
    indices.dynamic = true;
  }
  if (is_soft(context)) {
    context.outputs[1].shape = indices.shape;
    context.outputs[1].dynamic = indices.dynamic;
  }
  return {};
}

Result<Prepared> prepare_nms(const OpContext& context) {
  FB_TRY(check(context));
  const bool soft = is_soft(context);
  if (!context.inputs[kMaxOutputSize].is_const) {
    return make_dynamic_kernel([soft](DynamicArgs& args) { return run_dynamic(args, soft); }, "nms dynamic");
  }
  const auto boxes = static_cast<size_t>(context.inputs[kBoxes].dim(0));
  const size_t limit = context.outputs[0].count();
  return make_kernel(
      [boxes, limit, soft](const RunArgs& run) noexcept {
        NmsArgs args = read_args(run.in, boxes, soft);
        args.max_selected = limit;
        args.candidates = reinterpret_cast<NmsCandidate*>(run.workspace);
        args.indices = out<int32_t>(run);
        args.selected_scores = soft ? out<float>(run, 1) : nullptr;
        *out<int32_t>(run, soft ? 2 : 1) = static_cast<int32_t>(non_max_suppression(args));
      },
      "nms", boxes * sizeof(NmsCandidate));
}

}  // namespace fewbits::ops
