// Greedy by size: the offset assignment of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020).
#include "runtime/memory_plan.h"

#include <algorithm>

namespace fewbits::runtime {

size_t place_blocks(std::vector<Block>& blocks) {
  constexpr size_t kAlignment = 64;
  std::vector<size_t> by_size;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Block& block = blocks[i];
    if (block.inside < 0) {
      by_size.push_back(i);
      continue;
    }
    Block& outer = blocks[static_cast<size_t>(block.inside)];
    outer.first = std::min(outer.first, block.first);
    outer.last = std::max(outer.last, block.last);
  }
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });

  std::vector<const Block*> placed;  // by offset
  size_t total = 0;
  for (size_t index : by_size) {
    Block& block = blocks[index];
    const size_t bytes = (block.bytes + kAlignment - 1) / kAlignment * kAlignment;
    size_t at = 0;
    for (const Block* other : placed) {
      if (other->last < block.first || block.last < other->first) continue;
      if (other->offset >= at + bytes) break;
      at = std::max(at, (other->offset + other->bytes + kAlignment - 1) / kAlignment * kAlignment);
    }
    block.offset = at;
    total = std::max(total, at + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &block,
                                   [](const Block* a, const Block* b) { return a->offset < b->offset; }),
                  &block);
  }
  for (size_t i = blocks.size(); i-- > 0;) {
    if (blocks[i].inside >= 0) blocks[i].offset = blocks[static_cast<size_t>(blocks[i].inside)].offset + blocks[i].at;
  }
  return total;
}

}  // namespace fewbits::runtime
