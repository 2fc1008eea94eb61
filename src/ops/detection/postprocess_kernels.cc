// infer() and prepare() of TFLite_Detection_PostProcess.
#include <algorithm>

#include "ops/detection/flexbuffer.h"
#include "ops/detection/op.h"
#include "ops/detection/ref.h"
#include "ops/support.h"

namespace fewbits::ops {
namespace {

enum Operand : size_t { kEncodings, kScores, kAnchors };

Result<PostprocessOptions> read_options(const OpContext& context) {
  const auto map = FlexMap::open(context.node->custom_options.bytes());
  if (!map) return context.fail(ErrorCode::kInvalidModel, "the options are not a FlexBuffer map");
  const auto real = [&](const char* key) { return static_cast<float>(map->number(key).value_or(0)); };
  const auto integer = [&](const char* key, int32_t otherwise = 0) {
    const double value = map->number(key).value_or(otherwise);
    return value >= 0 && value <= INT32_MAX ? static_cast<int32_t>(value) : -1;
  };
  PostprocessOptions options;
  options.max_detections = integer("max_detections");
  options.max_classes_per_detection = integer("max_classes_per_detection");
  options.detections_per_class = integer("detections_per_class", options.detections_per_class);
  options.regular = map->number("use_regular_nms").value_or(0) != 0;
  options.num_classes = integer("num_classes");
  options.score_threshold = real("nms_score_threshold");
  options.iou_threshold = real("nms_iou_threshold");
  options.y_scale = real("y_scale");
  options.x_scale = real("x_scale");
  options.h_scale = real("h_scale");
  options.w_scale = real("w_scale");
  const int64_t slots = int64_t{options.max_detections} * options.max_classes_per_detection;
  if (options.max_detections <= 0 || options.max_classes_per_detection <= 0 || options.detections_per_class <= 0 ||
      options.num_classes <= 0 || slots > INT32_MAX) {
    return context.fail(
        ErrorCode::kInvalidModel, "the options ask for {} detections of {} classes each, {} a class, of {}",
        options.max_detections, options.max_classes_per_detection, options.detections_per_class, options.num_classes);
  }
  if (!(options.iou_threshold > 0 && options.iou_threshold <= 1)) {
    return context.fail(ErrorCode::kInvalidModel, "nms_iou_threshold {} is not in (0, 1]", options.iou_threshold);
  }
  return options;
}

// float32, or a byte type with its parameters.
struct Source {
  DType dtype = DType::kFloat32;
  float scale = 1;
  float zero_point = 0;

  void read(const void* data, size_t first, size_t count, float* to) const noexcept {
    if (dtype == DType::kFloat32) {
      std::copy_n(static_cast<const float*>(data) + first, count, to);
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      const float q = dtype == DType::kUInt8 ? static_cast<float>(static_cast<const uint8_t*>(data)[first + i])
                                             : static_cast<float>(static_cast<const int8_t*>(data)[first + i]);
      to[i] = (q - zero_point) * scale;
    }
  }
};

Result<Source> source(const OpContext& context, size_t operand, const char* what) {
  const TensorInfo& tensor = context.inputs[operand];
  FB_TRY(require_type(context, tensor, what, {DType::kFloat32, DType::kUInt8, DType::kInt8}));
  if (tensor.dtype == DType::kFloat32) return Source{};
  FB_TRY(require_per_tensor(context, tensor, what));
  return Source{tensor.dtype, tensor.scale(), static_cast<float>(tensor.zero_point())};
}

struct Postprocess {
  PostprocessOptions options;
  Source encodings, scores, anchors;
  size_t boxes = 0, box_width = 4, columns = 0;
  size_t decoded_at = 0, scores_at = 0, best_at = 0, order_at = 0, selected_at = 0, active_at = 0, merged_at = 0,
         spare_at = 0;

  size_t lay_out() noexcept {
    size_t size = 0;
    const auto add = [&](size_t bytes) {
      const size_t at = size;
      size = (size + bytes + 63) / 64 * 64;
      return at;
    };
    decoded_at = add(boxes * sizeof(Box));
    scores_at = add(scores.dtype == DType::kFloat32 ? 0 : boxes * columns * sizeof(float));
    best_at = add(options.regular ? 0 : boxes * sizeof(float));
    order_at = add(boxes * sizeof(int32_t));
    selected_at = add(boxes * sizeof(int32_t));
    active_at = add(boxes);
    const size_t kept = options.regular ? kept_capacity(options, boxes) * sizeof(ScoredBox) : 0;
    merged_at = add(kept);
    spare_at = add(kept);
    return size;
  }

  void run(const RunArgs& run) const noexcept {
    const auto at = [&]<class T>(size_t offset, T*) { return reinterpret_cast<T*>(run.workspace + offset); };
    Box* decoded = at(decoded_at, static_cast<Box*>(nullptr));
    for (size_t i = 0; i < boxes; ++i) {
      float encoded[4], anchor[4];
      encodings.read(run.in[kEncodings], i * box_width, 4, encoded);
      anchors.read(run.in[kAnchors], i * 4, 4, anchor);
      decoded[i] = decode_box(options, encoded, anchor);
    }
    PostprocessArgs args;
    args.options = options;
    args.boxes = boxes;
    args.columns = columns;
    args.decoded = decoded;
    args.scores = in<float>(run, kScores);
    if (scores.dtype != DType::kFloat32) {
      float* dequantized = at(scores_at, static_cast<float*>(nullptr));
      scores.read(run.in[kScores], 0, boxes * columns, dequantized);
      args.scores = dequantized;
    }
    args.slots = static_cast<size_t>(options.max_detections) * static_cast<size_t>(options.max_classes_per_detection);
    args.out_boxes = out<float>(run, 0);
    args.out_classes = out<float>(run, 1);
    args.out_scores = out<float>(run, 2);
    args.out_count = out<float>(run, 3);
    std::fill_n(args.out_boxes, args.slots * 4, 0.0f);
    std::fill_n(args.out_classes, args.slots, 0.0f);
    std::fill_n(args.out_scores, args.slots, 0.0f);
    args.best_scores = at(best_at, static_cast<float*>(nullptr));
    args.order = at(order_at, static_cast<int32_t*>(nullptr));
    args.selected = at(selected_at, static_cast<int32_t*>(nullptr));
    args.active = at(active_at, static_cast<uint8_t*>(nullptr));
    args.merged = at(merged_at, static_cast<ScoredBox*>(nullptr));
    args.spare = at(spare_at, static_cast<ScoredBox*>(nullptr));
    detection_postprocess(args);
  }
};

}  // namespace

Status infer_postprocess(OpContext& context) {
  FB_ASSIGN(const PostprocessOptions options, read_options(context));
  const int32_t slots = options.max_detections * options.max_classes_per_detection;
  context.outputs[0].shape = {1, slots, 4};
  context.outputs[1].shape = {1, slots};
  context.outputs[2].shape = {1, slots};
  context.outputs[3].shape = {1};
  return {};
}

Result<Prepared> prepare_postprocess(const OpContext& context) {
  Postprocess kernel;
  FB_ASSIGN(kernel.options, read_options(context));
  FB_ASSIGN(kernel.encodings, source(context, kEncodings, "the box encodings"));
  FB_ASSIGN(kernel.scores, source(context, kScores, "the class predictions"));
  FB_ASSIGN(kernel.anchors, source(context, kAnchors, "the anchors"));
  for (const TensorInfo& output : context.outputs) {
    FB_TRY(require_type(context, output, "an output", {DType::kFloat32}));
  }
  const TensorInfo& boxes = context.inputs[kEncodings];
  const TensorInfo& scores = context.inputs[kScores];
  const TensorInfo& anchors = context.inputs[kAnchors];
  if (boxes.rank() != 3 || boxes.dim(0) != 1 || boxes.dim(2) < 4 || scores.rank() != 3 || scores.dim(0) != 1 ||
      scores.dim(1) != boxes.dim(1) || anchors.rank() != 2 || anchors.dim(0) < boxes.dim(1) || anchors.dim(1) != 4) {
    return context.fail(ErrorCode::kInvalidModel, "boxes {}, scores {} and anchors {} do not fit",
                        shape_text(boxes.shape), shape_text(scores.shape), shape_text(anchors.shape));
  }
  const int64_t background = int64_t{scores.dim(2)} - kernel.options.num_classes;
  if (background < 0 || background > 1) {
    return context.fail(ErrorCode::kInvalidModel, "there are scores of {} classes instead of {} and a background",
                        scores.dim(2), kernel.options.num_classes);
  }
  kernel.boxes = static_cast<size_t>(boxes.dim(1));
  kernel.box_width = static_cast<size_t>(boxes.dim(2));
  kernel.columns = static_cast<size_t>(scores.dim(2));
  const size_t workspace = kernel.lay_out();
  const char* choice = kernel.options.regular ? "postprocess regular" : "postprocess fast";
  return make_kernel([kernel](const RunArgs& args) noexcept { kernel.run(args); }, choice, workspace);
}

}  // namespace fewbits::ops
