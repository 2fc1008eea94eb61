// int4 weights, symmetric in [-7, 7], under scales that are searched for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fewbits::quantize {

struct SmallWeights {
  std::vector<uint8_t> packed;                // two a byte, the lower half first, in the order of the values
  std::vector<float> scales;                  // one a block; each a bfloat16 and a float16 number
  double squared_error = 0, squared_sum = 0;  // of all values: what rounding changed, and what there was
};

// Values in blocks of neighbours, `block` each (a divisor of their number). A block's scale is the one, among all that bfloat16
// and float16 both hold, of least squared error, found by looking at every eighth and then around the best: a block of which
// little is large is better clipped, and no rounding of scales by a runtime changes what was chosen. Values are finite.
SmallWeights quantize_int4(std::span<const float> values, size_t block);

}  // namespace fewbits::quantize
