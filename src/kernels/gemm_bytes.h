// What the Cores with int8 weights share: the packing of a weight, and a panel's header of column sums.
#pragma once

#include "kernels/gemm_tiles.h"

namespace fewbits {
namespace {

struct ByteWeights {
  using Weight = int8_t;
  using Packed = int8_t;
  static constexpr size_t kHeaderBytes = sizeof(int32_t);

  static FB_INLINE int8_t pack_one(const GemmWeights<int8_t>& w, int8_t weight) {
    return static_cast<int8_t>(weight ^ w.flip);
  }

  static void pack_header(const GemmWeights<int8_t>& w, size_t n, size_t columns, size_t width, uint8_t* header) {
    for (size_t i = 0; i < width; ++i) {
      uint32_t sum = 0;
      for (size_t k = 0; i < columns && k < w.taps * w.tap_k; ++k) {
        sum += static_cast<uint32_t>(pack_one(w, w.data[(n + i) * w.n_stride + k * w.k_stride]));
      }
      __builtin_memcpy(header + i * sizeof sum, &sum, sizeof sum);
    }
  }
};

}  // namespace
}  // namespace fewbits
