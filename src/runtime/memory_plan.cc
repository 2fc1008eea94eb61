// Greedy by size: the offset assignment of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020).
#include "runtime/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace fewbits::runtime {

size_t place_blocks(std::vector<Block>& blocks) {
  constexpr size_t kAlignment = 64;
  std::vector<size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
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
  return total;
}

}  // namespace fewbits::runtime
