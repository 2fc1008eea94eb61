// int8 rows by int4 weights in blocks, for AMX.
//
// A panel's weights become signed bytes in a buffer once, then all tiles of rows pass over it. A block's products leave the tile
// unit as integers and are added to 16 rows of float sums in registers; some blocks lie between a tile's store and that.
#include "kernels/amx_tiles.h"
#include "kernels/gemm_s8b4.h"
#include "kernels/gemm_s8b4_layout.h"
#include "kernels/simd_avx512.h"

namespace fewbits {
namespace {

using Args = GemmS8B4Args;

constexpr size_t kLanes = 16;
constexpr size_t kNr = 64;
constexpr size_t kMr = 64;                     // rows that are worth unpacking weights for again
constexpr size_t kLeastRows = 8;               // fewer are the vector units' affair
constexpr size_t kUnpackedBytes = 256 * 1024;  // of a panel: 16 a depth
constexpr size_t kBehind = 3;                  // blocks between a product and its addition to the sums
constexpr size_t kBuffers = 4;

// A panel as tiles of W: rows of four inputs by 16 columns.
void unpack(const uint8_t* lines, size_t count, int8_t* to) {
  const __m512i low_half = _mm512_set1_epi8(0x0f), offset = _mm512_set1_epi8(BlockLayout::kOffset);
  for (size_t i = 0; i < count; ++i, lines += BlockLayout::kLine, to += 2 * BlockLayout::kLine) {
    const __m512i both = _mm512_loadu_si512(lines);
    const __m512i low = _mm512_and_si512(both, low_half);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), low_half);
    _mm512_storeu_si512(to, _mm512_sub_epi8(low, offset));
    _mm512_storeu_si512(to + BlockLayout::kLine, _mm512_sub_epi8(high, offset));
  }
}

// Rows [m, m + high) under the panel of columns from n on.
struct Tile {
  const Args& args;
  const BlockLayout& layout;
  const uint8_t* panel;
  const int8_t* weights;  // unpacked
  size_t n, m, high, chunk;

  // Products of block b to one of the buffers.
  FB_INLINE void multiply(size_t b, int32_t* buffer) const {
    zero_tile<kSums>();
    const int8_t* a = args.a.data + m * args.a.row_stride;
    for (size_t k = b * layout.block; k < (b + 1) * layout.block; k += chunk) {
      load_tile<kRowsOfA>(a + k, args.a.row_stride);
      load_tile<kWeights>(weights + k * kLanes, kTileBytes);
      multiply_s8<kSums, kRowsOfA, kWeights>();
    }
    store_tile<kSums>(buffer, kTileBytes);
  }

  FB_INLINE void add(size_t b, const int32_t* buffer, __m512 (&acc)[kTileRows]) const {
    const void* halves = panel + BlockLayout::kScalesAt + b * BlockLayout::kScaleBytes;
    const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(halves)));
    unroll<kTileRows>([&]<size_t r>() FB_LAMBDA {
      acc[r] = Simd::fma(scale, _mm512_cvtepi32_ps(Simd::load(buffer + r * kLanes)), acc[r]);
    });
  }

  // buffers: [kBuffers][16][16], of numbers.
  __attribute__((noinline)) void run(int32_t* buffers) const {
    const auto buffer = [&](size_t b) FB_LAMBDA { return buffers + b % kBuffers * kTileRows * kLanes; };
    __m512 acc[kTileRows];
    const __m512 sums = _mm512_loadu_ps(panel);
    unroll<kTileRows>([&]<size_t r>() FB_LAMBDA {
      const size_t row = m + smaller(r, high - 1);
      const int32_t zero_point = args.row_zero_point != nullptr ? args.row_zero_point[row] : 0;
      acc[r] = _mm512_sub_ps(Simd::zero(), _mm512_mul_ps(Simd::set(static_cast<float>(zero_point)), sums));
    });
    const size_t first = smaller(kBehind, layout.blocks);
    for (size_t b = 0; b < first; ++b) multiply(b, buffer(b));
    for (size_t b = first; b < layout.blocks; ++b) {
      multiply(b, buffer(b));
      add(b - kBehind, buffer(b - kBehind), acc);
    }
    for (size_t b = layout.blocks - first; b < layout.blocks; ++b) add(b, buffer(b), acc);
    finish(acc);
  }

  FB_INLINE void finish(const __m512 (&acc)[kTileRows]) const {
    const __m512 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    const size_t count = smaller(kLanes, args.n - n);
    const __m512 bias = args.bias != nullptr ? Simd::load(args.bias + n, count) : Simd::zero();
    unroll<kTileRows>([&]<size_t r>() FB_LAMBDA {
      if (r >= high) return;
      const __m512 real = _mm512_add_ps(_mm512_mul_ps(acc[r], Simd::set(args.row_scale[m + r])), bias);
      Simd::store(args.out + (m + r) * args.out_stride + n, Simd::min(hi, Simd::max(lo, real)), count);
    });
  }
};

void run(const Args& args, const GemmRange& range) noexcept {
  const size_t count = range.m_end - range.m_begin;
  if (count < kLeastRows || args.a.tap_k * kLanes > kUnpackedBytes) return kGemmS8B4Avx512Vnni.run(args, range);
  const BlockLayout layout(args.a.tap_k, args.block);
  alignas(64) int8_t weights[kUnpackedBytes];
  alignas(64) int32_t buffers[kBuffers * kTileRows * kLanes] = {};
  const size_t tiles = (count + kTileRows - 1) / kTileRows, high = (count + tiles - 1) / tiles;
  const size_t chunk = layout.block % kTileBytes == 0 ? kTileBytes : kLeastBlock;
  configure_blocks(high, chunk, chunk / 4);
  for (size_t n = range.n_begin; n < range.n_end; n += kLanes) {
    const uint8_t* panel = layout.panel(args.packed, n);
    unpack(panel + layout.lines_at(), layout.blocks * layout.lines_of_block(), weights);
    for (size_t i = 0; i < tiles; ++i) {  // the last may begin among the rows of the one before
      const size_t m = range.m_begin + smaller(i * high, count - high);
      Tile{args, layout, panel, weights, n, m, high, chunk}.run(buffers);
    }
  }
  release();
}

}  // namespace

const GemmS8B4Kernel kGemmS8B4Amx = {"gemm_s8b4_16x16_amx", Isa::kAmx, kMr, kNr, &run};

}  // namespace fewbits
