// Which time steps count: masks that Masking and Embedding layers make, and that other layers follow and give on.
#pragma once

#include <map>

#include "formats/keras/layer.h"

namespace fewbits::keras {

class Masks {
 public:
  // The mask of a tensor, [batch, steps] of bool; kNoValue: all of it counts.
  ValueId of(ValueId tensor) const;
  void set(ValueId tensor, ValueId mask) { masks_[tensor] = mask; }
  // Gives the mask of a layer's inputs to its first output, where layers of its class do.
  void pass_on(const LayerCall& call, const Outputs& outputs);

 private:
  ValueId merged(const LayerCall& call) const;

  std::map<ValueId, ValueId> masks_;
};

// Both masks together; kNoValue counts all.
ValueId both(GraphBuilder& b, ValueId mask, ValueId other);
// x where the mask says so, else zero; the mask has x's rank or broadcasts.
ValueId where_counted(GraphBuilder& b, ValueId mask, ValueId x);

std::span<const LayerEntry> mask_layers() noexcept;

}  // namespace fewbits::keras
