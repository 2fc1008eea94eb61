// Depthwise convolution over gathered rows: out[i, c] = sum over taps t of in[i, t, c / depth_multiplier] * w[t, c].
//
// A row is an output pixel. Weights have TFLite's layout [taps][channels] (filter height and width together are the
// taps) and are packed once by the kernel that will run. The conventions (flip, offsets, padding, noexcept) are those
// of gemm.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "kernels/gemm.h"

namespace fewbits {

// The input: the channels of tap t of row i are at data + offsets[i * taps + t], or at `padding` where that is
// negative.
template <class T>
struct DepthwiseRows {
  const T* data = nullptr;
  const int32_t* offsets = nullptr;  // [rows][taps], elements from data
  const T* padding = nullptr;        // channels / depth_multiplier elements that stand for a real 0
  size_t taps = 0;
  // Where neighbouring rows overlap, kernels may share the work on their pixels. 0: nothing is known. Else the columns of
  // the filter (taps = filter lines x columns), and within each `line` of that many rows tap (y, x + 1) of a row lies
  // where tap (y, x) of the next row does.
  size_t shared_columns = 0;
  size_t line = 0;
};

template <class T>
struct DepthwiseWeights {
  const T* data = nullptr;  // [taps][channels]
  size_t taps = 0;
  size_t channels = 0;        // of the output
  uint8_t flip = 0;           // int8 kernels only
  int32_t zero_point = 0;     // int8 kernels only: subtracted from every weight; not 0 only in legacy uint8 models
  size_t shared_columns = 0;  // as in the rows that the kernel will meet
};

struct DepthwiseF32Args {
  DepthwiseRows<float> in;
  size_t rows = 0, channels = 0;
  size_t depth_multiplier = 1;
  const void* packed = nullptr;
  const float* bias = nullptr;  // [channels], or null
  float* out = nullptr;         // [rows, channels]
  size_t out_stride = 0;
  float lo = 0, hi = 0;
};

struct DepthwiseS8Args {
  DepthwiseRows<int8_t> in;
  size_t rows = 0, channels = 0;
  size_t depth_multiplier = 1;
  const void* packed = nullptr;
  uint8_t in_flip = 0;
  int32_t in_zero_point = 0;
  const int32_t* bias = nullptr;  // [channels], or null

  GemmS8Output output = GemmS8Output::kInt8;
  void* out = nullptr;  // [rows, channels]
  size_t out_stride = 0;

  // kInt8
  const float* multiplier = nullptr;  // [channels]
  Rounding rounding = Rounding::kTwice;
  int32_t out_zero_point = 0;
  int32_t lo = -128, hi = 127;
  uint8_t out_flip = 0;

  // kFloat: accumulator * (in_scale * channel_scale) + float_bias, clamped
  float in_scale = 0;
  const float* channel_scale = nullptr;  // [channels]
  const float* float_bias = nullptr;     // [channels], or null
  float float_lo = 0, float_hi = 0;
};

// 16x8; the sum is exact in 64 bits.
struct DepthwiseS16S8Args {
  DepthwiseRows<int16_t> in;
  size_t rows = 0, channels = 0;
  size_t depth_multiplier = 1;
  const void* packed = nullptr;
  int32_t in_zero_point = 0;
  const int64_t* bias = nullptr;                // [channels], or null
  const FixedMultiplier* multiplier = nullptr;  // [channels]
  ShortRule rule = ShortRule::kReduced;
  int16_t* out = nullptr;  // [rows, channels]
  size_t out_stride = 0;
  int32_t out_zero_point = 0;
  int32_t lo = -32768, hi = 32767;
};

template <class T, class ArgsType>
struct DepthwiseKernel {
  using Weight = T;
  using Args = ArgsType;
  const char* name;
  Isa isa;
  size_t channel_block;        // channels are computed by this many
  bool any_depth_multiplier;   // or 1 only
  bool any_weight_zero_point;  // or 0 only
  size_t (*packed_size)(size_t taps, size_t channels, size_t shared_columns) noexcept;  // bytes
  void (*pack)(const DepthwiseWeights<T>& weights, void* packed) noexcept;
  void (*run)(const Args& args, size_t row_begin, size_t row_end) noexcept;
};
using DepthwiseF32Kernel = DepthwiseKernel<float, DepthwiseF32Args>;
using DepthwiseS8Kernel = DepthwiseKernel<int8_t, DepthwiseS8Args>;
using DepthwiseS16S8Kernel = DepthwiseKernel<int8_t, DepthwiseS16S8Args>;

// All kernels built in, best first, the reference last.
std::span<const DepthwiseF32Kernel* const> depthwise_f32_kernels() noexcept;
std::span<const DepthwiseS8Kernel* const> depthwise_s8_kernels() noexcept;
std::span<const DepthwiseS16S8Kernel* const> depthwise_s16s8_kernels() noexcept;

// The best kernel for an ISA and a case. channels: lets a kernel with wide blocks step back where they would be mostly
// empty; 0 where it is not known.
const DepthwiseF32Kernel& select_depthwise_f32(Isa isa, size_t depth_multiplier, size_t channels = 0) noexcept;
const DepthwiseS8Kernel& select_depthwise_s8(Isa isa, size_t depth_multiplier, int32_t weight_zero_point,
                                             size_t channels = 0) noexcept;
const DepthwiseS16S8Kernel& select_depthwise_s16s8(Isa isa, size_t depth_multiplier) noexcept;

// All rows on a pool (null: on the caller); they go to `rows`.
void run_depthwise(const ThreadPool* pool, const DepthwiseF32Kernel& kernel, const DepthwiseF32Args& args,
                   RowsTo rows = {}) noexcept;
void run_depthwise(const ThreadPool* pool, const DepthwiseS8Kernel& kernel, const DepthwiseS8Args& args,
                   RowsTo rows = {}) noexcept;
void run_depthwise(const ThreadPool* pool, const DepthwiseS16S8Kernel& kernel, const DepthwiseS16S8Args& args,
                   RowsTo rows = {}) noexcept;

}  // namespace fewbits
