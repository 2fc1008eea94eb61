// Recurrent networks as WHILE loops over time.
#pragma once

#include <functional>

#include "formats/builder.h"

namespace fewbits::formats {

struct TimeLoop {
  std::string name;
  ValueId x = kNoValue;  // [batch, time, ...], or [time, batch, ...]
  int time_axis = 1;
  int32_t units = 0;            // of an output
  std::vector<ValueId> states;  // before the first step, each [batch, ...]; the first one is the output
  // The states behind a step, from its input [batch, ...] and the states before it. Runs in the builder of the loop's body, whose
  // constants are its own.
  std::function<std::vector<ValueId>(GraphBuilder&, ValueId, const std::vector<ValueId>&)> step;
  bool keep_all = false;  // the outputs of all steps are wanted
  bool reverse = false;   // from the last step to the first; outputs stay in time's order
  // [batch, time] bool, in time's order: steps that do not count leave the states as they were.
  ValueId mask = kNoValue;
  bool zeros = false;  // what all outputs have at steps that do not count: zeros, or the output before
};

struct Sequence {
  ValueId all = kNoValue;       // as x, with `units`; only when asked for
  ValueId last = kNoValue;      // the last step's output
  std::vector<ValueId> states;  // behind the last step
};

Sequence run_over_time(GraphBuilder& b, const TimeLoop& loop);

// A constant of another graph, in this one.
ValueId constant_in(GraphBuilder& b, const Value& value);
// [sizes...] of zeros, sizes being int32 scalars.
ValueId zeros_of(GraphBuilder& b, const std::vector<ValueId>& sizes);

}  // namespace fewbits::formats
