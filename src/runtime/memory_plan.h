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
  // A part of another block, `at` bytes after its beginning; -1: of none. The other one comes later in the list.
  int inside = -1;
  size_t at = 0;
};

// Gives blocks that hold others the lives of these, and every block an offset (those inside no other a multiple of 64) so that
// blocks alive at the same time do not overlap: largest first, each at the lowest gap that fits. Returns the bytes of the whole
// arena.
size_t place_blocks(std::vector<Block>& blocks);

}  // namespace fewbits::runtime
