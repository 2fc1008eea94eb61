// Where values live in a session's arena: lifetimes, sharing by views and in-place operators, offsets.
#pragma once

#include <cstddef>
#include <vector>

namespace fewbits::runtime {

// One piece of memory, alive from step `first` to step `last` inclusive.
struct Block {
  size_t bytes = 0;
  int first = 0, last = 0;
  size_t offset = 0;  // set by place_blocks
};

// Gives every block an offset (a multiple of 64) so that blocks alive at the same time do not overlap: largest first, each at
// the lowest gap that fits. Returns the bytes of the whole arena.
size_t place_blocks(std::vector<Block>& blocks);

}  // namespace fewbits::runtime
