// int8 matrix products for AMX: a tile instruction multiplies 16 rows of 64 bytes with 16 columns of them.
//
// The depth is cut into chunks of equal length, at most 64. Rows of A are tiles where they lie, if that is quick; if not,
// or if they are gathered, they are copied chunk by chunk to a buffer that stays in L2 while all panels of W pass over it.
// The tile unit works beside the vector units: while it multiplies a block, the block before becomes outputs.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/gemm_s8_amx_rows.h"
#include "kernels/gemm_s8_finish_avx512.h"

namespace fewbits {
namespace {

using Args = GemmS8Args;

constexpr size_t kNr = 64;
constexpr size_t kMostRowSums = 480;  // rows whose sums are kept while the panels pass

// What becomes of sums, in the kernel's own terms.
enum class Finish { kBytes, kWholeBytes, kInt32, kFloat };

Finish finish_of(const Args& args) noexcept {
  if (args.output == GemmS8Output::kInt32) return Finish::kInt32;
  if (args.output == GemmS8Output::kFloat) return Finish::kFloat;
  const bool whole = args.lo == INT8_MIN && args.hi == INT8_MAX && args.out_flip == 0;
  return whole ? Finish::kWholeBytes : Finish::kBytes;
}

size_t packed_size(size_t n, size_t taps, size_t tap_k) noexcept {
  return round_up(n, kTileLanes) * Chunks(taps * tap_k).column_bytes();
}

// Four neighbouring inputs of the panel's columns, with stride 1 between columns; columns come in accumulator order.
template <size_t kWidth>
FB_INLINE void pack_group_of_rows(const GemmWeights<int8_t>& w, const int8_t* from, size_t columns, size_t count,
                                  __m512i* to) {
  const __mmask64 present = first_bytes(columns);
  __m512i rows[kGroup];
  unroll<kGroup>([&]<size_t g>() FB_LAMBDA {
    rows[g] = Simd::set(0);
    if (g >= count) return;
    rows[g] = _mm512_maskz_loadu_epi8(present, from + g * w.k_stride);
    rows[g] = _mm512_maskz_mov_epi8(present, _mm512_xor_si512(rows[g], _mm512_set1_epi8(static_cast<char>(w.flip))));
    if constexpr (kWidth == 2) rows[g] = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 4, 2, 4, 3, 4), rows[g]);
    if constexpr (kWidth == 1) {
      const __m512i order = _mm512_setr_epi32(0, 4, 4, 4, 1, 4, 4, 4, 2, 4, 4, 4, 3, 4, 4, 4);
      rows[g] = _mm512_permutexvar_epi32(order, rows[g]);
    }
  });
  const __m512i low01 = _mm512_unpacklo_epi8(rows[0], rows[1]), low23 = _mm512_unpacklo_epi8(rows[2], rows[3]);
  to[0] = _mm512_unpacklo_epi16(low01, low23);
  if constexpr (kWidth >= 2) to[1] = _mm512_unpackhi_epi16(low01, low23);
  if constexpr (kWidth == 4) {
    const __m512i high01 = _mm512_unpackhi_epi8(rows[0], rows[1]), high23 = _mm512_unpackhi_epi8(rows[2], rows[3]);
    to[2] = _mm512_unpacklo_epi16(high01, high23);
    to[3] = _mm512_unpackhi_epi16(high01, high23);
  }
}

// A panel: the sums of its columns' weights, then [chunk][vectors][depth / 4][16 columns][4].
template <size_t kWidth>
void pack_panel(const GemmWeights<int8_t>& w, const Chunks& chunks, size_t n, uint8_t* out) {
  const size_t k = w.taps * w.tap_k, tile = chunks.depth * kTileLanes;
  uint8_t* const tiles = out + kWidth * kTileLanes * ByteWeights::kHeaderBytes;
  if (w.n_stride == 1) {
    __m512i sums[kWidth], group[kWidth];
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA { sums[v] = Simd::set(0); });
    for (size_t i = 0; i < chunks.padded(); i += kGroup) {
      const size_t count = i < k ? smaller(kGroup, k - i) : 0;
      pack_group_of_rows<kWidth>(w, w.data + n + i * w.k_stride, w.n - n, count, group);
      uint8_t* to = tiles + i / chunks.depth * kWidth * tile + i % chunks.depth * kTileLanes;
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA {
        _mm512_storeu_si512(to + v * tile, group[v]);
        sums[v] = _mm512_dpbusd_epi32(sums[v], _mm512_set1_epi8(1), group[v]);
      });
    }
    unroll<kWidth>([&]<size_t v>() FB_LAMBDA { _mm512_storeu_si512(out + v * kTileBytes, sums[v]); });
    return;
  }
  const uint32_t flip = 0x01010101u * w.flip;
  for (size_t i = 0; i < kWidth * kTileLanes; ++i) {
    const size_t column = n + natural_channel(kWidth, i / kTileLanes, i % kTileLanes);
    const int8_t* from = w.data + column * w.n_stride;
    uint8_t* to = tiles + i / kTileLanes * tile + i % kTileLanes * kGroup;
    uint32_t sum = 0;
    for (size_t chunk = 0, at = 0; chunk < chunks.count; ++chunk, to += kWidth * tile) {
      for (size_t r = 0; r < chunks.depth / kGroup; ++r, at += kGroup) {
        uint32_t four = 0;
        if (column < w.n && at + kGroup <= k && w.k_stride == 1) {
          __builtin_memcpy(&four, from + at, kGroup);
          four ^= flip;
        } else if (column < w.n) {
          for (size_t g = 0; g < kGroup && at + g < k; ++g) {
            four |= uint32_t{static_cast<uint8_t>(from[(at + g) * w.k_stride] ^ w.flip)} << 8 * g;
          }
        }
        sum += static_cast<uint32_t>(static_cast<int8_t>(four) + static_cast<int8_t>(four >> 8) +
                                     static_cast<int8_t>(four >> 16) + static_cast<int8_t>(four >> 24));
        __builtin_memcpy(to + r * kTileBytes, &four, kGroup);
      }
    }
    __builtin_memcpy(out + i * sizeof sum, &sum, sizeof sum);
  }
}

void pack(const GemmWeights<int8_t>& w, void* packed) noexcept {
  const Chunks chunks(w.taps * w.tap_k);
  auto* out = static_cast<uint8_t*>(packed);
  for (size_t n = 0; n < w.n;) {
    const size_t vectors = chunks.panel_vectors(w.n - n);
    if (vectors == 4) pack_panel<4>(w, chunks, n, out);
    if (vectors == 2) pack_panel<2>(w, chunks, n, out);
    if (vectors == 1) pack_panel<1>(w, chunks, n, out);
    n += vectors * kTileLanes;
    out += vectors * kTileLanes * chunks.column_bytes();
  }
}

// Weights of the next panel, which are brought to L2 while this one is multiplied: those of a network come from further away.
struct Ahead {
  const int8_t* from = nullptr;
  size_t lines_a_chunk = 0;

  Ahead() = default;
  Ahead(const Product& product, const Panel& panel, size_t vectors, size_t blocks) {
    const size_t columns = vectors * kTileLanes;
    if (panel.n + columns >= product.args.n || blocks == 0 || product.chunks.count == 0) return;
    const size_t lines = columns * product.chunks.column_bytes() / kTileBytes, steps = blocks * product.chunks.count;
    from = panel.weights + columns * product.chunks.padded();
    lines_a_chunk = (lines + steps - 1) / steps;
  }
  void advance(size_t chunks) noexcept { from += chunks * lines_a_chunk * kTileBytes; }
};

// A block of kHigh x kWide tiles of sums on their way to outputs.
template <size_t kHigh, size_t kWide, Finish kFinish>
struct Block {
  static constexpr size_t kLine = kWide * kTileLanes;  // numbers of a row of `sums`

  const Product& product;
  const Panel& panel;
  alignas(64) int32_t term[kLine];
  alignas(64) int32_t sums[2][kHigh * kTileRows * kLine];

  Block(const Product& of, const Panel& columns) : product(of), panel(columns) {
    unroll<kWide>([&]<size_t v>() FB_LAMBDA { Simd::store(term + v * kTileLanes, panel.term[v]); });
  }

  FB_INLINE void begin() const {
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA {
      unroll<kWide>([&]<size_t v>() FB_LAMBDA { load_tile<kSums + t * kWide + v>(term + v * kTileLanes, 0); });
    });
  }

  // `count` chunks of A, a tile's next one chunk_step further, with as many of W. `ahead`: what to bring to L2 meanwhile.
  FB_INLINE void multiply(const int8_t* const (&a)[kHigh], const RowTiles& rows, const int8_t* w, size_t count,
                          const Ahead& ahead) const {
    const size_t tile_of_w = product.chunks.depth * kTileLanes, chunk_step = rows.chunk_step(),
                 row_stride = rows.row_stride();
    const int8_t* next = ahead.from;
    for (size_t c = 0; c < count; ++c, w += kWide * tile_of_w) {
      multiply_block<kHigh, kWide>(
          [&]<int kTile, size_t t>() FB_LAMBDA { load_tile<kTile>(a[t] + c * chunk_step, row_stride); },
          [&]<int kTile, size_t v>() FB_LAMBDA { load_tile<kTile>(w + v * tile_of_w, kTileBytes); },
          []<int kSum, int kA, int kW>() FB_LAMBDA { multiply_s8<kSum, kA, kW>(); });
      for (size_t i = 0; i < ahead.lines_a_chunk; ++i, next += kTileBytes) _mm_prefetch(next, _MM_HINT_T1);
    }
  }

  FB_INLINE void end(size_t to) {
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA {
      unroll<kWide>([&]<size_t v>() FB_LAMBDA {
        store_tile<kSums + t * kWide + v>(sums[to] + t * kTileRows * kLine + v * kTileLanes, kLine * sizeof(int32_t));
      });
    });
  }

  // Outputs from the sums of the tiles from `tile` on.
  void finish(size_t tile, size_t from_sums) const {
    constexpr size_t kRows = 8 / kWide;
    for (size_t t = 0; t < kHigh; ++t) {
      const size_t m = product.first_row(tile + t);
      for (size_t r = 0; r < product.high; r += kRows) {
        constexpr auto kOutput = kFinish == Finish::kInt32   ? GemmS8Output::kInt32
                                 : kFinish == Finish::kFloat ? GemmS8Output::kFloat
                                                             : GemmS8Output::kInt8;
        const PanelRows<kRows, kWide, kOutput, kFinish == Finish::kWholeBytes> rows{product.args, panel, m + r,
                                                                                    smaller(kRows, product.high - r)};
        __m512i acc[kRows][kWide];
        unroll<kRows>([&]<size_t i>() FB_LAMBDA {
          const int32_t* from = sums[from_sums] + (t * kTileRows + rows.row(i) - m) * kLine;
          unroll<kWide>([&]<size_t v>() FB_LAMBDA { acc[i][v] = Simd::load(from + v * kTileLanes); });
        });
        rows.finish(acc);
      }
    }
  }
};

// A block of a product's tiles, copied if they must be.
struct TilesOfA {
  const RowTiles& rows;
  const int8_t* buffer;
  size_t first, end;

  const int8_t* at(size_t tile, size_t piece) const noexcept { return rows.at(tile, piece, buffer, first); }
};

// Tiles from `tile` on under a panel, kHigh at a time; returns the tile it stops at.
template <size_t kHigh, size_t kWide, Finish kFinish>
__attribute__((noinline)) size_t run_tiles(const Product& product, const TilesOfA& tiles, const Panel& panel,
                                           size_t tile) {
  if (tile + kHigh > tiles.end) return tile;
  Block<kHigh, kWide, kFinish> block(product, panel);
  Ahead ahead(product, panel, kWide, (tiles.end - tile) / kHigh);
  // Two blocks lie between a block's products and its outputs: what a tile stored is read when it has arrived.
  size_t count = 0;
  const size_t begin = tile;
  for (; tile + kHigh <= tiles.end; tile += kHigh, ++count) {
    block.begin();
    for (size_t piece = 0; piece < tiles.rows.pieces(); ++piece) {
      const size_t chunks = tiles.rows.chunks_of_piece();
      const int8_t* a[kHigh];
      unroll<kHigh>([&]<size_t t>() FB_LAMBDA { a[t] = tiles.at(tile + t, piece); });
      block.multiply(a, tiles.rows, panel.weights + piece * chunks * kWide * product.chunks.depth * kTileLanes, chunks,
                     ahead);
      ahead.advance(chunks);
    }
    if (count >= 2) block.finish(tile - 2 * kHigh, count % 2);
    block.end(count % 2);
  }
  for (size_t i = count > 2 ? count - 2 : 0; i < count; ++i) block.finish(begin + i * kHigh, i % 2);
  return tile;
}

template <size_t kWide, Finish kFinish>
void run_panel(const Product& product, const TilesOfA& tiles, const Panel& panel) {
  size_t tile = tiles.first;
  if constexpr (kWide == 1) tile = run_tiles<4, kWide, kFinish>(product, tiles, panel, tile);
  if constexpr (kWide == 2) tile = run_tiles<2, kWide, kFinish>(product, tiles, panel, tile);
  run_tiles<1, kWide, kFinish>(product, tiles, panel, tile);
}

// A tile of rows too deep for the buffer: pieces of it are copied for every panel.
template <size_t kWide, Finish kFinish>
__attribute__((noinline)) void run_pieces(const Product& product, const RowTiles& rows, const Panel& panel, size_t tile,
                                          int8_t* buffer) {
  const size_t piece = kStageBytes / (product.high * kTileBytes);
  Block<1, kWide, kFinish> block(product, panel);
  block.begin();
  for (size_t c = 0; c < product.chunks.count; c += piece) {
    const size_t end = smaller(c + piece, product.chunks.count);
    rows.copy_piece(tile, c, end, buffer);
    block.multiply({buffer}, rows, panel.weights + c * kWide * product.chunks.depth * kTileLanes, end - c, {});
  }
  block.end(0);
  block.finish(tile, 0);
}

// Calls body<vectors, output>(panel) for each panel of columns [n, n_end).
template <class Body>
FB_INLINE void for_each_panel(const Product& product, size_t n, size_t n_end, Panel& panel, const Body& body) {
  const Args& args = product.args;
  const auto with_width = [&]<size_t kWide>(const uint8_t* packed) FB_LAMBDA {
    panel.open<kWide>(args, n, packed, 0);
    switch (finish_of(args)) {
      case Finish::kBytes: return body.template operator()<kWide, Finish::kBytes>();
      case Finish::kWholeBytes: return body.template operator()<kWide, Finish::kWholeBytes>();
      case Finish::kInt32: return body.template operator()<kWide, Finish::kInt32>();
      case Finish::kFloat: return body.template operator()<kWide, Finish::kFloat>();
    }
  };
  while (n < n_end) {
    const uint8_t* packed = static_cast<const uint8_t*>(args.packed) + n * product.chunks.column_bytes();
    const size_t vectors = product.chunks.panel_vectors(args.n - n);
    if (vectors == 4) with_width.template operator()<4>(packed);
    if (vectors == 2) with_width.template operator()<2>(packed);
    if (vectors == 1) with_width.template operator()<1>(packed);
    n += vectors * kTileLanes;
  }
}

void run(const Args& args, const GemmRange& range) noexcept {
  if (range.m_begin >= range.m_end) return;
  const Product product(args, range);
  configure_blocks(product.high, product.chunks.depth, product.chunks.depth / kGroup);

  alignas(64) int8_t buffer[kStageBytes];
  uint32_t row_sums[kMostRowSums];
  Panel panel;
  panel.row_sums = row_sums;
  const size_t columns = range.n_end - range.n_begin;
  const size_t panel_columns = product.chunks.panel_vectors(args.n - range.n_begin) * kTileLanes;
  const RowTiles row_tiles(product, (columns + panel_columns - 1) / panel_columns);
  const bool in_pieces = row_tiles.tile_bytes() > kStageBytes;
  // As many tiles as stay in L2, with the outputs that all panels write side by side, unless W is dear to pass again.
  const size_t out_bytes = product.high * columns * (args.output == GemmS8Output::kInt8 ? 1 : sizeof(float));
  const bool small_w = columns * product.chunks.column_bytes() <= kStageBytes;
  const size_t fitting = small_w ? kStageBytes / (row_tiles.tile_bytes() + out_bytes + 1) / 4 * 4 : product.tiles;
  size_t at_once = in_pieces ? 1 : fitting < 4 ? 4 : fitting;
  if (row_tiles.copied() && !in_pieces) at_once = smaller(at_once, kStageBytes / row_tiles.tile_bytes());
  if (args.w_zero_point != 0) at_once = smaller(at_once, kMostRowSums / kTileRows);
  for (size_t first = 0; first < product.tiles; first += at_once) {
    const size_t end = smaller(first + at_once, product.tiles);
    panel.first_row = product.first_row(first);
    for (size_t m = panel.first_row; args.w_zero_point != 0 && m < product.first_row(end - 1) + product.high; ++m) {
      row_sums[m - panel.first_row] = row_sum(args, m);
    }
    for (size_t i = first; row_tiles.copied() && !in_pieces && i < end; ++i) {
      row_tiles.copy(i, buffer + (i - first) * row_tiles.tile_bytes());
    }
    const TilesOfA block{row_tiles, buffer, first, end};
    for_each_panel(product, range.n_begin, range.n_end, panel, [&]<size_t kWide, Finish kFinish>() FB_LAMBDA {
      if (in_pieces) return run_pieces<kWide, kFinish>(product, row_tiles, panel, first, buffer);
      run_panel<kWide, kFinish>(product, block, panel);
    });
  }
  release();
}

}  // namespace

const GemmS8Kernel kGemmS8Amx = {"gemm_s8_16x64_amx", Isa::kAmx, 2 * kTileRows, kNr,
                                 &packed_size,        &pack,     &run,          kLeastRun};

}  // namespace fewbits
