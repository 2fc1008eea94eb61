// Rows of floats quantized on the fly, each by its own range: the input of hybrid fully connected and matrix products.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/quantize.h"

namespace fewbits::ops {

// quantized: [rows, depth]; scales, zero_points: [rows].
inline void quantize_rows(const ThreadPool* pool, const float* in, size_t rows, size_t depth, bool symmetric,
                          int8_t* quantized, float* scales, int32_t* zero_points) noexcept {
  constexpr size_t kGrain = 8192;
  const QuantizeKernels& kernels = select_quantize(isa());
  parallel_for(pool, rows, kGrain / (depth + 1) + 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const DynamicParams q = kernels.f32_to_s8_dynamic(in + i * depth, quantized + i * depth, depth, symmetric);
      scales[i] = q.scale;
      zero_points[i] = q.zero_point;
    }
  });
}

}  // namespace fewbits::ops
