// Matrix products: C[m, n] = A[m, k] * W[n, k] + bias, the core of every convolution, fully connected and matmul
// operator.
//
// W is packed once by the kernel that will run; A is read where it lies, as plain rows or, for a convolution, as rows
// gathered from `taps` places ("indirect", without an im2col copy). Each kernel has a list, best first, and a reference
// that every other kernel of the list must equal: integer kernels exactly, float kernels within kFloatError of the sum of
// magnitudes.
//
// A uint8 tensor is an int8 tensor whose bytes are xor-ed with 0x80 and whose zero point is 128 less: every byte
// operand has a `flip` (0 for int8, 0x80 for uint8), so that legacy models need no copies. All zero points here are
// those of the int8 form.
//
//   const GemmS8Kernel& kernel = select_gemm_s8(isa());
//   kernel.pack({.data = w, .n = n, .taps = 1, .tap_k = k, .n_stride = k}, packed);   // when the plan is made
//   run_gemm(pool, kernel, args);                                                     // each run
//
// All functions are noexcept, allocate nothing and check nothing: the operator's prepare() has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "kernels/requantize.h"
#include "kernels/row_sink.h"

namespace fewbits {

// The most that a float kernel's output lies off the exact sum, as a share of the sum of |a * w|.
inline constexpr float kFloatError = 1e-6f;

// Packed weights want this alignment for speed; any multiple of 4 is correct.
inline constexpr size_t kPackedAlignment = 64;

// A, [m, k] with k = taps * tap_k.
// Plain rows: offsets is null, taps is 1 and row i is data + i * row_stride.
// Indirect rows: the elements [t * tap_k, (t + 1) * tap_k) of row i are those at data + offsets[i * taps + t], or at
// `padding` when that offset is negative. Nothing beyond a tap's tap_k elements is read.
template <class T>
struct GemmRows {
  const T* data = nullptr;
  size_t row_stride = 0;             // elements; plain rows only
  const int32_t* offsets = nullptr;  // [m][taps], elements from data; shared by all images of a batch
  const T* padding = nullptr;  // tap_k elements that stand for a real 0: 0.0f, or the zero point (flipped as data is)
  size_t taps = 1;
  size_t tap_k = 0;
  // Indirect rows in runs: of rows [i * run, (i + 1) * run) every tap's offsets lie run_step elements apart, and none is
  // negative. 0: nothing is known of them. Products are cut between runs.
  size_t run = 0, run_step = 0;
  bool tail_readable = false;  // up to 3 elements past a tap's end may be read (they are not used)
};

// Where tap t of row m begins.
template <class T>
inline const T* row_tap(const GemmRows<T>& a, size_t m, size_t t) noexcept {
  if (a.offsets == nullptr) return a.data + m * a.row_stride;
  const int32_t offset = a.offsets[m * a.taps + t];
  return offset < 0 ? a.padding : a.data + offset;
}

// W before packing: element (i, t, c) is data[i * n_stride + (t * tap_k + c) * k_stride].
template <class T>
struct GemmWeights {
  const T* data = nullptr;
  size_t n = 0;
  size_t taps = 1;
  size_t tap_k = 0;
  size_t n_stride = 0;  // elements between two output channels: k for TFLite's filters, 1 for a [k, n] matrix
  size_t k_stride = 1;  // elements between two inputs: 1 for TFLite's filters, n for a [k, n] matrix
  uint8_t flip = 0;     // int8 kernels only
};

// The part of C that one call computes. n_begin is a multiple of the kernel's nr; any m_begin will do, multiples of mr
// are best.
struct GemmRange {
  size_t m_begin = 0, m_end = 0;
  size_t n_begin = 0, n_end = 0;
};

struct GemmF32Args {
  GemmRows<float> a;
  size_t m = 0, n = 0;
  const void* packed = nullptr;  // by the pack() of the same kernel
  const float* bias = nullptr;   // [n], or null
  float* out = nullptr;          // [m, n]
  size_t out_stride = 0;         // elements between two rows of out
  float lo = 0, hi = 0;          // the fused activation's limits; -inf and inf for none. NaN passes through.
};

// What becomes of the int32 accumulators of a GemmS8.
enum class GemmS8Output {
  kInt8,   // requantize(): out int8 (uint8 with out_flip)
  kInt32,  // the accumulators themselves, bias added
  kFloat,  // accumulator * (row_scale * channel_scale) + float_bias, clamped: hybrid operators
};

struct GemmS8Args {
  GemmRows<int8_t> a;
  size_t m = 0, n = 0;
  const void* packed = nullptr;
  uint8_t a_flip = 0;
  int32_t a_zero_point = 0;                 // subtracted from every element of A
  const int32_t* row_zero_point = nullptr;  // [m]: one a row, instead of a_zero_point (which must be 0 then), or null
  int32_t w_zero_point = 0;                 // subtracted from every element of W; not 0 only in legacy uint8 models
  const int32_t* bias = nullptr;            // [n], or null

  GemmS8Output output = GemmS8Output::kInt8;
  void* out = nullptr;    // [m, n] int8, int32 or float
  size_t out_stride = 0;  // elements between two rows of out

  // kInt8
  const float* multiplier = nullptr;  // [n], as requantize.h has it
  Rounding rounding = Rounding::kTwice;
  int32_t out_zero_point = 0;
  int32_t lo = -128, hi = 127;  // limits of the output, in its int8 form
  uint8_t out_flip = 0;

  // kFloat
  const float* row_scale = nullptr;      // [m]
  const float* channel_scale = nullptr;  // [n]
  bool channel_first = false;            // the order of the products: (accumulator * channel_scale) * row_scale
  const float* float_bias = nullptr;     // [n], or null
  float float_lo = 0, float_hi = 0;
};

// A int16, W int8 ("16x8"). Sums are exact in 64 bits, scaled by one of TFLite's 16x8 rules (requantize.h).
struct GemmS16S8Args {
  GemmRows<int16_t> a;
  size_t m = 0, n = 0;
  const void* packed = nullptr;
  int32_t a_zero_point = 0;
  const int64_t* bias = nullptr;                // [n], or null
  const FixedMultiplier* multiplier = nullptr;  // [n]
  ShortRule rule = ShortRule::kReduced;
  int16_t* out = nullptr;  // [m, n]
  size_t out_stride = 0;
  int32_t out_zero_point = 0;
  int32_t lo = -32768, hi = 32767;
};

// A kernel: how it packs W and runs. name is as in gemm_s8_6x64_avx512vnni; mr and nr are its tile.
template <class T, class ArgsType>
struct GemmKernel {
  using Weight = T;
  using Args = ArgsType;
  const char* name;
  Isa isa;
  size_t mr, nr;
  size_t (*packed_size)(size_t n, size_t taps, size_t tap_k) noexcept;  // bytes
  void (*pack)(const GemmWeights<T>& weights, void* packed) noexcept;
  void (*run)(const Args& args, const GemmRange& range) noexcept;
  // Runs of at least so many rows, whose taps are multiples of 64 elements, are worth a padded copy of an image; 0: none are.
  size_t least_run = 0;
};
using GemmF32Kernel = GemmKernel<float, GemmF32Args>;
using GemmS8Kernel = GemmKernel<int8_t, GemmS8Args>;
using GemmS16S8Kernel = GemmKernel<int8_t, GemmS16S8Args>;

// All kernels built in, best first, the reference last; those with isa <= isa() may run on this machine.
std::span<const GemmF32Kernel* const> gemm_f32_kernels() noexcept;
std::span<const GemmS8Kernel* const> gemm_s8_kernels() noexcept;
std::span<const GemmS16S8Kernel* const> gemm_s16s8_kernels() noexcept;

// The best kernel for an ISA. Of the float ones the best that multiplies float32, or one that adds products of bfloat16 where
// that pays: m rows, n columns and a depth of k.
const GemmF32Kernel& select_gemm_f32(Isa isa) noexcept;
const GemmF32Kernel& select_fast_gemm_f32(Isa isa, size_t m, size_t n, size_t k) noexcept;
const GemmS8Kernel& select_gemm_s8(Isa isa) noexcept;
const GemmS16S8Kernel& select_gemm_s16s8(Isa isa) noexcept;

// The whole product on a pool (null: on the caller), cut along m and, where rows are few, along n. Its rows go to `rows`.
void run_gemm(const ThreadPool* pool, const GemmF32Kernel& kernel, const GemmF32Args& args, RowsTo rows = {}) noexcept;
void run_gemm(const ThreadPool* pool, const GemmS8Kernel& kernel, const GemmS8Args& args, RowsTo rows = {}) noexcept;
void run_gemm(const ThreadPool* pool, const GemmS16S8Kernel& kernel, const GemmS16S8Args& args,
              RowsTo rows = {}) noexcept;

}  // namespace fewbits
