// What the kernels of the pool family take.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fewbits::ops {

enum class PoolKind : uint8_t { kAverage, kMax, kL2 };

// Images are [batch, height, width, channels], contiguous.
struct PoolArgs {
  PoolKind kind = PoolKind::kAverage;
  int32_t batch = 0, in_h = 0, in_w = 0, channels = 0, out_h = 0, out_w = 0;
  int32_t filter_h = 1, filter_w = 1, stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0;
  float lo_f = 0, hi_f = 0;  // the activation's clamp of float32
  int32_t lo = 0, hi = 0;    // and of integers
};

// Rows [begin, end) of the batch * out_h rows of outputs. T: float, int8_t, uint8_t, int16_t.
template <class T>
using PoolRows = void (*)(const PoolArgs& args, const T* in, T* out, size_t begin, size_t end);

// ref.cc: the specification.
template <class T>
void pool_ref(const PoolArgs& args, const T* in, T* out) noexcept;

// rows.cc, rows_avx2.cc: channels in vectors, by rows.inc; equal to pool_ref to the bit.
template <class T>
void pool_rows_baseline(const PoolArgs& args, const T* in, T* out, size_t begin, size_t end) noexcept;
template <class T>
void pool_rows_avx2(const PoolArgs& args, const T* in, T* out, size_t begin, size_t end) noexcept;
}  // namespace fewbits::ops
