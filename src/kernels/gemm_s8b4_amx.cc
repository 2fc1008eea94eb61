// int8 rows by int4 weights in blocks, for AMX.
//
// The weights of some panels become signed bytes in a buffer that stays in L2, then all tiles of rows pass over it. A block's
// products leave the tile unit as integers, in groups of blocks; while the next group is multiplied, of the same tile or of the
// next, they are added to 16 rows of float sums in registers.
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
constexpr size_t kUnpackedBytes = 256 * 1024;  // 16 a depth and panel
constexpr size_t kGroup = 2;                   // blocks that are multiplied together, a tile of sums each
constexpr size_t kSumsOfTile = kTileRows * kLanes;

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

// What one call computes, with its shapes of tiles.
struct Product {
  Product(const Args& of, size_t rows) noexcept
      : args(of),
        layout(of.a.tap_k, of.block),
        tiles((rows + kTileRows - 1) / kTileRows),
        high((rows + tiles - 1) / tiles),
        chunk(of.block % kTileBytes == 0 ? kTileBytes : kLeastBlock),
        groups((layout.blocks + kGroup - 1) / kGroup) {}

  const Args& args;
  BlockLayout layout;
  size_t tiles, high;  // of rows
  size_t chunk;        // inputs of a tile, of A and of W
  size_t groups;       // of blocks; the last may be smaller
};

// Rows [m, m + high) under the panel of columns from n on.
struct Tile {
  const Product* product;
  const int8_t* weights;  // of the panel, unpacked
  size_t n, m;

  const uint8_t* panel() const noexcept { return product->layout.panel(product->args.packed, n); }
  size_t count_of(size_t group) const noexcept { return smaller(kGroup, product->layout.blocks - group * kGroup); }

  FB_INLINE void multiply(size_t group, int32_t* sums) const {
    if (count_of(group) == 1) return multiply_blocks<1>(group, sums);
    multiply_blocks<kGroup>(group, sums);
  }

  FB_INLINE void begin(__m512 (&acc)[kTileRows]) const {
    const __m512 sums = _mm512_loadu_ps(panel());
    const int32_t* zero_points = product->args.row_zero_point;
    unroll<kTileRows>([&]<size_t r>() FB_LAMBDA {
      const int32_t zero_point = zero_points != nullptr ? zero_points[m + smaller(r, product->high - 1)] : 0;
      acc[r] = _mm512_sub_ps(Simd::zero(), _mm512_mul_ps(Simd::set(static_cast<float>(zero_point)), sums));
    });
  }

  FB_INLINE void add(size_t group, const int32_t* sums, __m512 (&acc)[kTileRows]) const {
    const uint8_t* scales = panel() + BlockLayout::kScalesAt + group * kGroup * BlockLayout::kScaleBytes;
    for (size_t i = 0; i < count_of(group); ++i, sums += kSumsOfTile, scales += BlockLayout::kScaleBytes) {
      const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales)));
      unroll<kTileRows>([&]<size_t r>() FB_LAMBDA {
        acc[r] = Simd::fma(scale, _mm512_cvtepi32_ps(Simd::load(sums + r * kLanes)), acc[r]);
      });
    }
  }

  FB_INLINE void finish(const __m512 (&acc)[kTileRows]) const {
    const Args& args = product->args;
    const __m512 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    const size_t count = smaller(kLanes, args.n - n);
    const __m512 bias = args.bias != nullptr ? Simd::load(args.bias + n, count) : Simd::zero();
    unroll<kTileRows>([&]<size_t r>() FB_LAMBDA {
      if (r >= product->high) return;
      const __m512 real = _mm512_add_ps(_mm512_mul_ps(acc[r], Simd::set(args.row_scale[m + r])), bias);
      Simd::store(args.out + (m + r) * args.out_stride + n, Simd::min(hi, Simd::max(lo, real)), count);
    });
  }

 private:
  template <size_t kCount>
  FB_INLINE void multiply_blocks(size_t group, int32_t* sums) const {
    const size_t block = product->layout.block, stride = product->args.a.row_stride, first = group * kGroup * block;
    const int8_t* a = product->args.a.data + m * stride + first;
    const int8_t* w = weights + first * kLanes;
    unroll<kCount>([&]<size_t i>() FB_LAMBDA { zero_tile<kSums + i>(); });
    for (size_t k = 0; k < block; k += product->chunk) {
      unroll<kCount>([&]<size_t i>() FB_LAMBDA {
        load_tile<kRowsOfA + i % 2>(a + k + i * block, stride);
        load_tile<kWeights + i % 2>(w + (k + i * block) * kLanes, kTileBytes);
        multiply_s8<kSums + i, kRowsOfA + i % 2, kWeights + i % 2>();
      });
    }
    unroll<kCount>([&]<size_t i>() FB_LAMBDA { store_tile<kSums + i>(sums + i * kSumsOfTile, kTileBytes); });
  }
};

// The panels of columns [begin, end), whose weights are unpacked, under all tiles of rows. A tile's last group of products is
// added when the next tile's first is on its way.
void run_panels(const Product& product, const GemmRange& range, size_t begin, size_t end, const int8_t* weights) {
  alignas(64) int32_t sums[2][kGroup * kSumsOfTile] = {};
  __m512 acc[kTileRows];
  unroll<kTileRows>([&]<size_t r>() FB_LAMBDA { acc[r] = Simd::zero(); });
  Tile before = {};
  size_t flip = 0;
  for (size_t i = 0; i < product.tiles; ++i) {  // the last may begin among the rows of the one before
    const size_t m = smaller(range.m_begin + i * product.high, range.m_end - product.high);
    for (size_t n = begin; n < end; n += kLanes) {
      const Tile tile{&product, weights + (n - begin) * product.args.a.tap_k, n, m};
      for (size_t group = 0; group < product.groups; ++group, flip ^= 1) {
        tile.multiply(group, sums[flip]);
        if (group > 0) {
          tile.add(group - 1, sums[flip ^ 1], acc);
          continue;
        }
        if (before.product != nullptr) {
          before.add(product.groups - 1, sums[flip ^ 1], acc);
          before.finish(acc);
        }
        tile.begin(acc);
      }
      before = tile;
    }
  }
  before.add(product.groups - 1, sums[flip ^ 1], acc);
  before.finish(acc);
}

void run(const Args& args, const GemmRange& range) noexcept {
  const size_t rows = range.m_end - range.m_begin, panel_bytes = args.a.tap_k * kLanes;
  if (rows < kLeastRows || panel_bytes > kUnpackedBytes) return kGemmS8B4Avx512Vnni.run(args, range);
  const Product product(args, rows);
  alignas(64) int8_t weights[kUnpackedBytes];
  configure_blocks(product.high, product.chunk, product.chunk / 4);
  const size_t columns = kUnpackedBytes / panel_bytes * kLanes;
  for (size_t begin = range.n_begin; begin < range.n_end; begin += columns) {
    const size_t end = smaller(begin + columns, range.n_end);
    for (size_t n = begin; n < end; n += kLanes) {
      const uint8_t* lines = product.layout.panel(args.packed, n) + product.layout.lines_at();
      unpack(lines, args.a.tap_k / BlockLayout::kLineInputs, weights + (n - begin) / kLanes * panel_bytes);
    }
    run_panels(product, range, begin, end, weights);
  }
  release();
}

}  // namespace

const GemmS8B4Kernel kGemmS8B4Amx = {"gemm_s8b4_16x16_amx", Isa::kAmx, kMr, kNr, &run};

}  // namespace fewbits
