// How pack_b4() lays weights out: panels of 16 columns, which every kernel reads.
//
// A panel is 16 floats, each column's sum of scales times weights; then the float16 scales, [block][16]; then, from an address
// that is 64 bytes aligned if the panel is, lines of 64 bytes for 8 inputs each: byte 4 * column + i holds input i in its lower
// and input 4 + i in its upper half, as weight + 8. Columns that do not exist have scales of 0 and weights of 0.
#pragma once

#include "kernels/simd.h"

namespace fewbits {
namespace {

struct BlockLayout {
  static constexpr size_t kColumns = 16, kLine = 64, kLineInputs = 8;
  static constexpr size_t kScaleBytes = kColumns * 2;
  static constexpr int kOffset = 8;  // added to every weight
  static constexpr size_t kScalesAt = kColumns * sizeof(float);

  size_t block, blocks;

  BlockLayout(size_t k, size_t its_block) noexcept : block(its_block), blocks(k / its_block) {}
  size_t lines_at() const noexcept { return kScalesAt + round_up(blocks * kScaleBytes, kLine); }
  size_t lines_of_block() const noexcept { return block / kLineInputs; }
  size_t panel_bytes() const noexcept { return lines_at() + blocks * lines_of_block() * kLine; }
  const uint8_t* panel(const void* packed, size_t n) const noexcept {
    return static_cast<const uint8_t*>(packed) + n / kColumns * panel_bytes();
  }
};

}  // namespace
}  // namespace fewbits
