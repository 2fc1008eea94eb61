// The part of a value's range in which its readers tell numbers apart.
//
// A logistic function of -20 and of -8 is the same 8-bit number, a softmax sees only what lies near its row's largest element, a
// RELU makes one number of all negative ones. Steps of a scale that reach further are steps that the rest of the range lacks.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "ir/op_def.h"
#include "ir/statistics.h"

namespace fewbits::quantize {

struct Interval {
  float min = -std::numeric_limits<float>::infinity();
  float max = std::numeric_limits<float>::infinity();
};
// Where a value's numbers may lie, and the step between its 8-bit codes; 0: that of the range, as it is cut.
struct Codes {
  Interval range;
  float step = 0;
};

// For 8-bit activations: the interval that each of `values` may be cut to, so that no reader's answer moves by more than an
// eighth of its output's step. Values that anything else reads (an operator that is not `is_integer`, the caller of the graph)
// are left out. Looked through: functions of one value, element by element (also of several operators, as x * logistic(x));
// SOFTMAX, where the statistics know the least of the rows' largest elements; operators that only move elements.
std::map<ValueId, Interval> visible_ranges(const Model& model, int32_t graph, const Statistics& statistics,
                                           const std::map<ValueId, Codes>& values,
                                           const std::function<bool(NodeId)>& is_integer);

// How far below its row's largest element SOFTMAX sees anything: elements further down, all together, move no answer by more than
// an eighth of a step. Nothing where its rows' length is not known, or its beta is not above 0.
std::optional<double> softmax_depth(const Graph& graph, const Node& softmax);

}  // namespace fewbits::quantize
