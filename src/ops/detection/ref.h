// Suppression of overlapping boxes: the readable specification, and the only implementation.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fewbits::ops {

struct Box {
  float y1, x1, y2, x2;
};

// ---- NON_MAX_SUPPRESSION ----

struct NmsCandidate {
  int32_t index;
  float score;
  int32_t compared;  // the selections that it was compared with already
};
struct NmsArgs {
  const Box* boxes = nullptr;  // any two opposite corners
  const float* scores = nullptr;
  size_t count = 0;
  size_t max_selected = 0;
  float iou_threshold = 0, score_threshold = 0;
  float sigma = 0;                     // of soft suppression; 0: none
  NmsCandidate* candidates = nullptr;  // workspace, [count]
  int32_t* indices = nullptr;          // [max_selected], zeros beyond the selected
  float* selected_scores = nullptr;    // the same; null: not wanted
};
// How many boxes were selected.
size_t non_max_suppression(const NmsArgs& args) noexcept;

// ---- TFLite_Detection_PostProcess ----

struct PostprocessOptions {
  int32_t max_detections = 0, max_classes_per_detection = 0, detections_per_class = 100, num_classes = 0;
  float score_threshold = 0, iou_threshold = 0;
  float y_scale = 1, x_scale = 1, h_scale = 1, w_scale = 1;
  bool regular = false;  // suppression class by class
};
struct ScoredBox {
  int32_t box, label;
  float score;
};
struct PostprocessArgs {
  PostprocessOptions options;
  size_t boxes = 0, columns = 0;  // columns: classes, with the background's where there is one
  const Box* decoded = nullptr;   // [boxes]
  const float* scores = nullptr;  // [boxes][columns]
  size_t slots = 0;               // max_detections * max_classes_per_detection
  float* out_boxes = nullptr;     // [slots][4], zeroed by the caller, as the next two
  float* out_classes = nullptr;   // [slots]
  float* out_scores = nullptr;    // [slots]
  float* out_count = nullptr;
  // Workspace.
  float* best_scores = nullptr;                   // [boxes], fast only
  int32_t* order = nullptr;                       // [boxes]
  int32_t* selected = nullptr;                    // [boxes]
  uint8_t* active = nullptr;                      // [boxes]
  ScoredBox *merged = nullptr, *spare = nullptr;  // [kept_capacity()], regular only
};
// The most boxes that regular suppression keeps.
size_t kept_capacity(const PostprocessOptions& options, size_t boxes) noexcept;
Box decode_box(const PostprocessOptions& options, const float encoded[4], const float anchor[4]) noexcept;
void detection_postprocess(const PostprocessArgs& args) noexcept;

}  // namespace fewbits::ops
