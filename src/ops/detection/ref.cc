// Suppression of overlapping boxes. Sources of the algorithms: tflite/kernels/internal/reference/non_max_suppression.h
// and tflite/kernels/detection_postprocess.cc.
#include "ops/detection/ref.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fewbits::ops {
namespace {

// Intersection over union; 0 when a box has no area.
float overlap(const Box& a, const Box& b) noexcept {
  const float area_a = (a.y2 - a.y1) * (a.x2 - a.x1);
  const float area_b = (b.y2 - b.y1) * (b.x2 - b.x1);
  if (!(area_a > 0) || !(area_b > 0)) return 0.0f;
  const float height = std::max(std::min(a.y2, b.y2) - std::max(a.y1, b.y1), 0.0f);
  const float width = std::max(std::min(a.x2, b.x2) - std::max(a.x1, b.x1), 0.0f);
  const float both = height * width;
  return both / (area_a + area_b - both);
}

Box ordered(const Box& box) noexcept {
  return {std::min(box.y1, box.y2), std::min(box.x1, box.x2), std::max(box.y1, box.y2), std::max(box.x1, box.x2)};
}

// The heap's order: the best score on top, of equal ones the first.
bool worse(const NmsCandidate& a, const NmsCandidate& b) noexcept {
  return a.score != b.score ? a.score < b.score : a.index > b.index;
}

// NaN as the least of all, so that sorting has an order.
float key(float score) noexcept { return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score; }

// Selects boxes of one class, best first; a box that overlaps one selected before it too much is dropped.
size_t suppress_class(const PostprocessArgs& args, const float* scores, size_t stride, size_t max_selected) noexcept {
  size_t kept = 0;
  for (size_t i = 0; i < args.boxes; ++i) {
    if (scores[i * stride] >= args.options.score_threshold) args.order[kept++] = static_cast<int32_t>(i);
  }
  const auto score = [&](int32_t i) { return scores[static_cast<size_t>(i) * stride]; };
  std::sort(args.order, args.order + kept,
            [&](int32_t i, int32_t j) { return score(i) != score(j) ? score(i) > score(j) : i < j; });
  std::fill_n(args.active, kept, uint8_t{1});
  size_t selected = 0;
  for (size_t i = 0; i < kept && selected < max_selected; ++i) {
    if (args.active[i] == 0) continue;
    args.selected[selected++] = args.order[i];
    const Box& box = args.decoded[args.order[i]];
    for (size_t j = i + 1; j < kept; ++j) {
      if (args.active[j] != 0 && overlap(box, args.decoded[args.order[j]]) > args.options.iou_threshold) {
        args.active[j] = 0;
      }
    }
  }
  return selected;
}

void put(const PostprocessArgs& args, size_t slot, int32_t box, int32_t label, float score) noexcept {
  const Box& from = args.decoded[box];
  const float corners[] = {from.y1, from.x1, from.y2, from.x2};
  std::copy_n(corners, 4, args.out_boxes + slot * 4);
  args.out_classes[slot] = static_cast<float>(label);
  args.out_scores[slot] = score;
}

// Every class for itself; the best of all classes are kept.
void suppress_regular(const PostprocessArgs& args) noexcept {
  const PostprocessOptions& options = args.options;
  const size_t capacity = kept_capacity(options, args.boxes);
  const auto per_class = static_cast<size_t>(std::min(options.detections_per_class, options.max_detections));
  const size_t offset = args.columns - static_cast<size_t>(options.num_classes);
  size_t kept = 0;
  ScoredBox *merged = args.merged, *spare = args.spare;
  for (int32_t label = 0; label < options.num_classes; ++label) {
    const float* scores = args.scores + offset + static_cast<size_t>(label);
    const size_t count = suppress_class(args, scores, args.columns, per_class);
    size_t old_at = 0, new_at = 0, to = 0;
    while (to < capacity && (old_at < kept || new_at < count)) {
      const int32_t box = new_at < count ? args.selected[new_at] : 0;
      const float score = scores[static_cast<size_t>(box) * args.columns];
      if (new_at < count && (old_at == kept || score > merged[old_at].score)) {
        spare[to++] = {box, label, score};
        ++new_at;
      } else {
        spare[to++] = merged[old_at++];
      }
    }
    kept = to;
    std::swap(merged, spare);
  }
  // One slot a detection here, whatever max_classes_per_detection says.
  const size_t shown = std::min(kept, args.slots);
  for (size_t i = 0; i < shown; ++i) put(args, i, merged[i].box, merged[i].label, merged[i].score);
  *args.out_count = static_cast<float>(shown);
}

// Suppression by each box's best class; then the best classes of the selected boxes.
void suppress_fast(const PostprocessArgs& args) noexcept {
  const PostprocessOptions& options = args.options;
  const auto classes = static_cast<size_t>(options.num_classes);
  const size_t offset = args.columns - classes;
  for (size_t i = 0; i < args.boxes; ++i) {
    const float* scores = args.scores + i * args.columns + offset;
    float best = key(scores[0]);
    for (size_t c = 1; c < classes; ++c) best = std::max(best, key(scores[c]));
    args.best_scores[i] = best;
  }
  const size_t count = suppress_class(args, args.best_scores, 1, static_cast<size_t>(options.max_detections));
  const auto per_box = static_cast<size_t>(options.max_classes_per_detection);
  for (size_t i = 0; i < count; ++i) {
    const float* scores = args.scores + static_cast<size_t>(args.selected[i]) * args.columns + offset;
    // The classes in descending order, each found as the best of those that come after the one before.
    size_t last = classes;
    for (size_t rank = 0; rank < std::min(per_box, classes); ++rank) {
      size_t next = classes;
      for (size_t c = 0; c < classes; ++c) {
        const bool after =
            last == classes || key(scores[c]) < key(scores[last]) || (key(scores[c]) == key(scores[last]) && c > last);
        if (after && (next == classes || key(scores[c]) > key(scores[next]))) next = c;
      }
      put(args, i * per_box + rank, args.selected[i], static_cast<int32_t>(next), scores[next]);
      last = next;
    }
  }
  *args.out_count = static_cast<float>(count);
}

}  // namespace

size_t non_max_suppression(const NmsArgs& args) noexcept {
  size_t queued = 0;
  for (size_t i = 0; i < args.count; ++i) {
    if (args.scores[i] > args.score_threshold) args.candidates[queued++] = {static_cast<int32_t>(i), args.scores[i], 0};
  }
  std::make_heap(args.candidates, args.candidates + queued, worse);
  const size_t wanted = std::min(queued, args.max_selected);
  const float decay = args.sigma > 0 ? -0.5f / args.sigma : 0.0f;
  size_t selected = 0;
  while (selected < wanted && queued > 0) {
    std::pop_heap(args.candidates, args.candidates + queued, worse);
    NmsCandidate candidate = args.candidates[--queued];
    const float score = candidate.score;
    bool suppressed = false;
    for (auto j = static_cast<int64_t>(selected) - 1; j >= candidate.compared; --j) {
      const float iou = overlap(ordered(args.boxes[candidate.index]), ordered(args.boxes[args.indices[j]]));
      suppressed = iou >= args.iou_threshold;
      if (suppressed) break;
      if (args.sigma > 0) candidate.score *= std::exp(decay * iou * iou);
      if (candidate.score <= args.score_threshold) break;
    }
    candidate.compared = static_cast<int32_t>(selected);
    if (suppressed) continue;
    if (candidate.score == score) {
      args.indices[selected] = candidate.index;
      if (args.selected_scores != nullptr) args.selected_scores[selected] = candidate.score;
      ++selected;
    }
    // Also a selected one goes back, as in LiteRT: it meets itself, and only a box without area is selected again.
    if (candidate.score > args.score_threshold) {
      args.candidates[queued++] = candidate;
      std::push_heap(args.candidates, args.candidates + queued, worse);
    }
  }
  for (size_t i = selected; i < args.max_selected; ++i) {
    args.indices[i] = 0;
    if (args.selected_scores != nullptr) args.selected_scores[i] = 0.0f;
  }
  return selected;
}

size_t kept_capacity(const PostprocessOptions& options, size_t boxes) noexcept {
  return std::min(static_cast<size_t>(options.max_detections), boxes * static_cast<size_t>(options.num_classes));
}

Box decode_box(const PostprocessOptions& options, const float encoded[4], const float anchor[4]) noexcept {
  const auto center = [](float x, float scale, float size, float origin) {
    return static_cast<float>(static_cast<double>(x) / static_cast<double>(scale) * static_cast<double>(size) +
                              static_cast<double>(origin));
  };
  const auto half = [](float x, float scale, float size) {
    return static_cast<float>(0.5 * std::exp(static_cast<double>(x) / static_cast<double>(scale)) *
                              static_cast<double>(size));
  };
  const float y = center(encoded[0], options.y_scale, anchor[2], anchor[0]);
  const float x = center(encoded[1], options.x_scale, anchor[3], anchor[1]);
  const float half_height = half(encoded[2], options.h_scale, anchor[2]);
  const float half_width = half(encoded[3], options.w_scale, anchor[3]);
  return {y - half_height, x - half_width, y + half_height, x + half_width};
}

void detection_postprocess(const PostprocessArgs& args) noexcept {
  args.options.regular ? suppress_regular(args) : suppress_fast(args);
}

}  // namespace fewbits::ops
