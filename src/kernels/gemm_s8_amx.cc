// int8 matrix products for AMX: a tile instruction multiplies 16 rows of 64 bytes with 16 columns of them.
//
// The depth is cut into chunks of equal length, at most 64. Rows of A are tiles where they lie, if that is quick; if not,
// or if they are gathered, they are copied chunk by chunk to a buffer that stays in L2 while all panels of W pass over it.
// The tile unit works beside the vector units: while it multiplies a block, the block before becomes outputs.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/amx_tiles.h"
#include "kernels/gemm_s8_finish_avx512.h"

namespace fewbits {
namespace {

using Args = GemmS8Args;

constexpr size_t kGroup = 4;  // inputs that are neighbours in a row of a tile of W
constexpr size_t kNr = 64;
constexpr size_t kStageBytes = 256 * 1024;  // of copied rows of A
constexpr size_t kMostRowSums = 480;        // rows whose sums are kept while the panels pass
constexpr size_t kShallow = 8;              // chunks: up to here 64 columns of W stay in L1

// The depth in chunks.
struct Chunks {
  explicit Chunks(size_t k) noexcept : count((k + kTileBytes - 1) / kTileBytes) {
    depth = count == 0 ? kGroup : round_up((k + count - 1) / count, kGroup);
  }
  bool shallow() const noexcept { return count <= kShallow; }
  size_t padded() const noexcept { return count * depth; }
  size_t column_bytes() const noexcept { return ByteWeights::kHeaderBytes + padded(); }
  // Vectors of the next panel: four where many columns stay in L1; few columns and two tiles of rows where they do not.
  size_t panel_vectors(size_t columns_left) const noexcept {
    return columns_left > 48 && shallow() ? 4 : columns_left > 16 ? 2 : 1;
  }

  size_t count, depth;
};

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

// What one call computes: rows in tiles of equal height, the last of which may begin among the rows of the one before.
struct Product {
  const Args& args;
  Chunks chunks;
  size_t m_begin, m_end, high;

  size_t tile_bytes() const noexcept { return chunks.count * high * kTileBytes; }  // of a copied tile
  size_t tiles() const noexcept { return (m_end - m_begin + high - 1) / high; }
  size_t first_row(size_t tile) const noexcept { return smaller(m_begin + tile * high, m_end - high); }

  // Chunks [begin, end) of a tile's rows, as [chunk][row][64]. What lies beyond the depth is not defined: it meets zeros.
  void stage(size_t tile, size_t begin, size_t end, int8_t* to) const noexcept {
    if (args.a.taps == 1 && args.a.offsets == nullptr && end > begin) {
      if (chunks.depth <= 16) return stage_plain<Bytes16>(tile, begin, end, to);
      if (chunks.depth <= 32) return stage_plain<Bytes32>(tile, begin, end, to);
      return stage_plain<Bytes64>(tile, begin, end, to);
    }
    if (args.a.tap_k % chunks.depth == 0 && begin == 0 && end == chunks.count) return stage_taps(tile, to);
    for (size_t r = 0; r < high; ++r, to += kTileBytes) stage_row(first_row(tile) + r, begin, end, to);
  }

 private:
  // Plain rows, chunk by chunk. Vector: 16, 32 or 64 bytes that hold a chunk.
  template <class Vector>
  void stage_plain(size_t tile, size_t begin, size_t end, int8_t* to) const noexcept {
    const GemmRows<int8_t>& a = args.a;
    const auto flip = Vector::set(args.a_flip);
    const __mmask64 whole = first_bytes(chunks.depth), rest = first_bytes(a.tap_k - (chunks.count - 1) * chunks.depth);
    const int8_t* from = a.data + first_row(tile) * a.row_stride + begin * chunks.depth;
    for (size_t c = begin; c < end; ++c, from += chunks.depth, to += high * kTileBytes) {
      const __mmask64 present = c + 1 < chunks.count ? whole : rest;
      for (size_t r = 0; r < high; ++r) {
        Vector::store(to + r * kTileBytes, Vector::flipped(Vector::load(from + r * a.row_stride, present), flip));
      }
    }
  }
  struct Bytes16 {
    static FB_INLINE __m128i set(uint8_t x) { return _mm_set1_epi8(static_cast<char>(x)); }
    static FB_INLINE __m128i load(const int8_t* p, __mmask64 m) {
      return _mm_maskz_loadu_epi8(static_cast<__mmask16>(m), p);
    }
    static FB_INLINE __m128i flipped(__m128i x, __m128i flip) { return _mm_xor_si128(x, flip); }
    static FB_INLINE void store(int8_t* p, __m128i x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), x); }
  };
  struct Bytes32 {
    static FB_INLINE __m256i set(uint8_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
    static FB_INLINE __m256i load(const int8_t* p, __mmask64 m) {
      return _mm256_maskz_loadu_epi8(static_cast<__mmask32>(m), p);
    }
    static FB_INLINE __m256i flipped(__m256i x, __m256i flip) { return _mm256_xor_si256(x, flip); }
    static FB_INLINE void store(int8_t* p, __m256i x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  };
  struct Bytes64 {
    static FB_INLINE __m512i set(uint8_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
    static FB_INLINE __m512i load(const int8_t* p, __mmask64 m) { return _mm512_maskz_loadu_epi8(m, p); }
    static FB_INLINE __m512i flipped(__m512i x, __m512i flip) { return _mm512_xor_si512(x, flip); }
    static FB_INLINE void store(int8_t* p, __m512i x) { _mm512_storeu_si512(p, x); }
  };

  // Gathered rows whose taps are whole chunks.
  void stage_taps(size_t tile, int8_t* to) const noexcept {
    const GemmRows<int8_t>& a = args.a;
    const __m512i flip = Bytes64::set(args.a_flip);
    const __mmask64 whole = first_bytes(chunks.depth);
    for (size_t t = 0; t < a.taps; ++t) {
      const int8_t* rows[kTileRows];
      for (size_t r = 0; r < high; ++r) rows[r] = tap_of(a, first_row(tile) + r, t);
      for (size_t k = 0; k < a.tap_k; k += chunks.depth, to += high * kTileBytes) {
        for (size_t r = 0; r < high; ++r) {
          Bytes64::store(to + r * kTileBytes, Bytes64::flipped(Bytes64::load(rows[r] + k, whole), flip));
        }
      }
    }
  }

  // Any piece of a row.
  void stage_row(size_t m, size_t begin, size_t end, int8_t* to) const noexcept {
    const GemmRows<int8_t>& a = args.a;
    const size_t chunk_step = high * kTileBytes, k_end = smaller(end * chunks.depth, a.taps * a.tap_k);
    const __m512i flip = Bytes64::set(args.a_flip);
    size_t t = begin * chunks.depth / a.tap_k, in_tap = begin * chunks.depth % a.tap_k;
    size_t at = 0;  // in the chunk
    for (size_t k = begin * chunks.depth; k < k_end; ++t, in_tap = 0) {
      const int8_t* from = tap_of(a, m, t) + in_tap;
      for (size_t left = smaller(a.tap_k - in_tap, k_end - k); left > 0;) {
        const size_t count = smaller(left, chunks.depth - at);
        const __mmask64 present = first_bytes(count);
        _mm512_mask_storeu_epi8(to + at, present, Bytes64::flipped(Bytes64::load(from, present), flip));
        from += count, left -= count, k += count, at += count;
        if (at == chunks.depth) at = 0, to += chunk_step;
      }
    }
  }
};

// Rows of A as tiles: where they lie, or as [tile][chunk][row][64] from tile `first` on.
struct TilesOfA {
  const Product& product;
  const int8_t* base;
  bool copied;
  size_t first;

  size_t row_stride() const noexcept { return copied ? kTileBytes : product.args.a.row_stride; }
  size_t chunk_step() const noexcept { return copied ? product.high * kTileBytes : product.chunks.depth; }
  const int8_t* at(size_t tile) const noexcept {
    return copied ? base + (tile - first) * product.tile_bytes() : base + product.first_row(tile) * row_stride();
  }
};

// A block of kHigh x kWide tiles of sums on their way to outputs.
template <size_t kHigh, size_t kWide, GemmS8Output kOutput>
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

  // Chunks of A, a tile's next one chunk_step further, with as many of W.
  FB_INLINE void multiply(const int8_t* const (&a)[kHigh], size_t chunk_step, size_t row_stride, const int8_t* w,
                          size_t count) const {
    const size_t tile_of_w = product.chunks.depth * kTileLanes;
    for (size_t c = 0; c < count; ++c, w += kWide * tile_of_w) {
      multiply_block<kHigh, kWide>(
          [&]<int kTile, size_t t>() FB_LAMBDA { load_tile<kTile>(a[t] + c * chunk_step, row_stride); },
          [&]<int kTile, size_t v>() FB_LAMBDA { load_tile<kTile>(w + v * tile_of_w, kTileBytes); },
          []<int kSum, int kA, int kW>() FB_LAMBDA { multiply_s8<kSum, kA, kW>(); });
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
        const PanelRows<kRows, kWide, kOutput> rows{product.args, panel, m + r, smaller(kRows, product.high - r)};
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

// Tiles from `tile` on under a panel, kHigh at a time; returns the tile it stops at.
template <size_t kHigh, size_t kWide, GemmS8Output kOutput>
__attribute__((noinline)) size_t run_tiles(const TilesOfA& rows, const Panel& panel, size_t tile, size_t tile_end) {
  if (tile + kHigh > tile_end) return tile;
  Block<kHigh, kWide, kOutput> block(rows.product, panel);
  size_t count = 0;
  const size_t begin = tile;
  for (; tile + kHigh <= tile_end; tile += kHigh, ++count) {
    const int8_t* a[kHigh];
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA { a[t] = rows.at(tile + t); });
    block.begin();
    block.multiply(a, rows.chunk_step(), rows.row_stride(), panel.weights, rows.product.chunks.count);
    if (count >= 2) block.finish(tile - 2 * kHigh, count % 2);
    block.end(count % 2);
  }
  for (size_t i = count > 2 ? count - 2 : 0; i < count; ++i) block.finish(begin + i * kHigh, i % 2);
  return tile;
}

template <size_t kWide, GemmS8Output kOutput>
void run_panel(const TilesOfA& rows, const Panel& panel, size_t end) {
  size_t tile = rows.first;
  if constexpr (kWide == 1) tile = run_tiles<4, kWide, kOutput>(rows, panel, tile, end);
  if constexpr (kWide == 2) tile = run_tiles<2, kWide, kOutput>(rows, panel, tile, end);
  run_tiles<1, kWide, kOutput>(rows, panel, tile, end);
}

// A tile of rows too deep for the buffer: pieces of it are copied for every panel.
template <size_t kWide, GemmS8Output kOutput>
__attribute__((noinline)) void run_pieces(const Product& product, const Panel& panel, size_t tile, int8_t* buffer) {
  const size_t chunk_step = product.high * kTileBytes, piece = kStageBytes / chunk_step;
  Block<1, kWide, kOutput> block(product, panel);
  block.begin();
  for (size_t c = 0; c < product.chunks.count; c += piece) {
    const size_t end = smaller(c + piece, product.chunks.count);
    product.stage(tile, c, end, buffer);
    block.multiply({buffer}, chunk_step, kTileBytes, panel.weights + c * kWide * product.chunks.depth * kTileLanes,
                   end - c);
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
    switch (args.output) {
      case GemmS8Output::kInt8: return body.template operator()<kWide, GemmS8Output::kInt8>();
      case GemmS8Output::kInt32: return body.template operator()<kWide, GemmS8Output::kInt32>();
      case GemmS8Output::kFloat: return body.template operator()<kWide, GemmS8Output::kFloat>();
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

// Whether rows are best read as tiles where they lie: those that do not split cache lines, or are read once.
bool lie_in_tiles(const Product& product, const GemmRange& range) {
  const GemmRows<int8_t>& a = product.args.a;
  if (a.offsets != nullptr || product.args.a_flip != 0 || product.chunks.padded() != a.tap_k) return false;
  const bool one_panel =
      range.n_end - range.n_begin <= product.chunks.panel_vectors(product.args.n - range.n_begin) * kTileLanes;
  const bool on_lines = a.row_stride % kTileBytes == 0 || kTileBytes % a.row_stride == 0;
  return (on_lines && a.row_stride <= 512) || (one_panel && a.row_stride <= kTileBytes);
}

void configure_for(const Product& product) {
  TileShapes shapes;
  for (size_t i = 0; i < 8; ++i) {
    if (i < kRowsOfA) {
      shapes.set(i, product.high, kTileBytes);
    } else if (i < kWeights) {
      shapes.set(i, product.high, product.chunks.depth);
    } else {
      shapes.set(i, product.chunks.depth / kGroup, kTileBytes);
    }
  }
  configure(shapes);
}

void run(const Args& args, const GemmRange& range) noexcept {
  if (range.m_begin >= range.m_end) return;
  const size_t rows = range.m_end - range.m_begin, tiles = (rows + kTileRows - 1) / kTileRows;
  const Product product{args, Chunks(args.a.taps * args.a.tap_k), range.m_begin, range.m_end,
                        (rows + tiles - 1) / tiles};
  configure_for(product);

  alignas(64) int8_t buffer[kStageBytes];
  uint32_t row_sums[kMostRowSums];
  Panel panel;
  panel.row_sums = row_sums;
  const bool direct = lie_in_tiles(product, range);
  const bool in_pieces = !direct && product.tile_bytes() > kStageBytes;
  size_t at_once = direct ? product.tiles() : in_pieces ? 1 : kStageBytes / product.tile_bytes();
  if (args.w_zero_point != 0) at_once = smaller(at_once, kMostRowSums / kTileRows);
  for (size_t first = 0; first < product.tiles(); first += at_once) {
    const size_t end = smaller(first + at_once, product.tiles());
    panel.first_row = product.first_row(first);
    for (size_t m = panel.first_row; args.w_zero_point != 0 && m < product.first_row(end - 1) + product.high; ++m) {
      row_sums[m - panel.first_row] = row_sum(args, m);
    }
    const TilesOfA tiles_of_a{product, direct ? args.a.data : buffer, !direct, first};
    for (size_t i = first; !direct && !in_pieces && i < end; ++i) {
      product.stage(i, 0, product.chunks.count, buffer + (i - first) * product.tile_bytes());
    }
    for_each_panel(product, range.n_begin, range.n_end, panel, [&]<size_t kWide, GemmS8Output kOutput>() FB_LAMBDA {
      if (in_pieces) return run_pieces<kWide, kOutput>(product, panel, first, buffer);
      run_panel<kWide, kOutput>(tiles_of_a, panel, end);
    });
  }
  release();
}

}  // namespace

const GemmS8Kernel kGemmS8Amx = {"gemm_s8_16x64_amx", Isa::kAmx, 2 * kTileRows, kNr, &packed_size, &pack, &run};

}  // namespace fewbits
