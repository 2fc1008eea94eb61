// Philox 4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC
// 2011).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace fewbits::ops {

class Philox {
 public:
  using Block = std::array<uint32_t, 4>;

  // As TensorFlow seeds it: the first seed is the key, the second the upper half of the counter.
  Philox(uint64_t seed, uint64_t seed2) noexcept : key_(seed), low_(0), high_(seed2) {}
  explicit Philox(const std::vector<uint64_t>& state) noexcept : key_(state[0]), low_(state[1]), high_(state[2]) {}
  std::vector<uint64_t> state() const { return {key_, low_, high_}; }

  // The next 128 bits.
  Block operator()() noexcept {
    const Block block = block_at();
    skip(1);
    return block;
  }
  // Passes over `blocks` results.
  void skip(uint64_t blocks) noexcept {
    low_ += blocks;
    if (low_ < blocks) ++high_;
  }

 private:
  Block block_at() const noexcept {
    Block counter = {static_cast<uint32_t>(low_), static_cast<uint32_t>(low_ >> 32), static_cast<uint32_t>(high_),
                     static_cast<uint32_t>(high_ >> 32)};
    auto key0 = static_cast<uint32_t>(key_), key1 = static_cast<uint32_t>(key_ >> 32);
    for (int round = 0; round < 10; ++round) {
      const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
      const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
      counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
                 static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    return counter;
  }

  uint64_t key_, low_, high_;
};

}  // namespace fewbits::ops
