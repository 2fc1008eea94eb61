// Matrix products of int8 rows by int4 weights whose inputs come in blocks, each with a scale of its own (TFLite's
// BlockwiseQuantization): C[m, n] = row_scale[m] * sum over blocks b of scale[n, b] * (sum over k in b of
// (A[m, k] - row_zero_point[m]) * W[n, k]) + bias.
//
// Weights stay four bits wide when packed and become bytes in registers, or, where a tile unit wants them in memory, in a
// buffer as large as one panel. All kernels read the same packed form (gemm_s8b4_layout.h) and give the same floats: the sum of
// a block is exact, and blocks are added in order, each by one fused multiply-add.
//
//   acc = 0 - zero_point * (sum of scale[b] * (sum of the weights of b), by fused multiply-adds in order)
//   acc = fma(scale[b], float(sum of A * W over b), acc), b in order
//   out = clamp(acc * row_scale + bias)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/gemm.h"

namespace fewbits {

// Inputs of a block are a multiple of this.
inline constexpr size_t kLeastBlock = 32;

// W as TFLite stores it: [n, k], two elements a byte, the lower half first, signed; scales are float16, [n, k / block].
struct BlockWeights {
  const uint8_t* data = nullptr;
  const uint16_t* scales = nullptr;
  size_t n = 0, k = 0, block = 0;  // k is a multiple of block, block one of kLeastBlock
};

// Bytes of the packed form (about 0.5 + 2 / block a weight), and packing; alignment as kPackedAlignment says.
size_t packed_b4_size(size_t n, size_t k, size_t block) noexcept;
void pack_b4(const BlockWeights& weights, void* packed) noexcept;

struct GemmS8B4Args {
  GemmRows<int8_t> a;  // plain rows: taps 1
  size_t m = 0, n = 0, block = 0;
  const void* packed = nullptr;             // by pack_b4()
  const float* row_scale = nullptr;         // [m]
  const int32_t* row_zero_point = nullptr;  // [m], or null: 0
  const float* bias = nullptr;              // [n], or null
  float* out = nullptr;                     // [m, n]
  size_t out_stride = 0;                    // elements between two rows of out
  float lo = 0, hi = 0;                     // the fused activation's limits; -inf and inf for none
};

// As GemmKernel; n_begin of a range is a multiple of nr.
struct GemmS8B4Kernel {
  using Args = GemmS8B4Args;
  const char* name;
  Isa isa;
  size_t mr, nr;
  void (*run)(const GemmS8B4Args& args, const GemmRange& range) noexcept;
};

// All kernels built in, best first, the reference last; those with isa <= isa() may run on this machine.
std::span<const GemmS8B4Kernel* const> gemm_s8b4_kernels() noexcept;
const GemmS8B4Kernel& select_gemm_s8b4(Isa isa) noexcept;

// The whole product on a pool (null: on the caller). Its rows go to `rows`.
void run_gemm(const ThreadPool* pool, const GemmS8B4Kernel& kernel, const GemmS8B4Args& args,
              RowsTo rows = {}) noexcept;

extern const GemmS8B4Kernel kGemmS8B4Ref;
extern const GemmS8B4Kernel kGemmS8B4Avx2;
extern const GemmS8B4Kernel kGemmS8B4Avx512Vnni;
extern const GemmS8B4Kernel kGemmS8B4Amx;
extern const GemmS8B4Kernel kGemmS8B4NeonDot;

}  // namespace fewbits
