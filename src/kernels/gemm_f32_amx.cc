// Float matrix products for AMX, which multiplies bfloat16: a float is the sum of three of them, high, middle and low, and a
// product of floats six products of those. What is left out, middle * low and less, is below 2^-25 of a product; sums are
// float32. Infinities and NaNs do not split: rows that hold any are multiplied once more, in float32.
//
// The depth is cut into chunks of equal length, at most 32, and those into pieces whose rows of A, split, stay in L2 while all
// panels of W pass over them. Sums wait in the output between two pieces.
#include "kernels/gemm_kernels.h"
#include "kernels/simd_avx512.h"
// after the ISA's vectors:
#include "kernels/amx_tiles.h"
#include "kernels/gemm_tiles.h"

namespace fewbits {
namespace {

using Args = GemmF32Args;

constexpr size_t kGroup = 2;                // inputs that are neighbours in a row of a tile of W
constexpr size_t kChunk = 32;               // the most inputs of a tile
constexpr size_t kPanelVectors = 2;         // of all panels but the last, which may have one
constexpr size_t kMostChunks = 16;          // of a piece
constexpr size_t kStageBytes = 256 * 1024;  // of split rows of A
constexpr size_t kParts = 3;                // of a float

// The depth in chunks; W has three tiles for each and 16 columns, one for each part.
struct Chunks {
  explicit Chunks(size_t k) noexcept : count((k + kChunk - 1) / kChunk) {
    depth = count == 0 ? kGroup : round_up((k + count - 1) / count, kGroup);
    const size_t pieces = (count + kMostChunks - 1) / kMostChunks;
    piece = pieces == 0 ? 1 : (count + pieces - 1) / pieces;
  }
  size_t tile_of_w() const noexcept { return depth * kTileLanes * sizeof(uint16_t); }  // bytes
  size_t vector_bytes() const noexcept { return count * kParts * tile_of_w(); }        // of 16 columns

  size_t count, depth, piece;
};

FB_INLINE size_t panel_vectors(size_t columns_left) { return columns_left > kTileLanes ? kPanelVectors : 1; }

// Packed W begins with a line whose first word says whether all of it is finite (0).
constexpr size_t kHeaderBytes = 64;

size_t packed_size(size_t n, size_t taps, size_t tap_k) noexcept {
  return kHeaderBytes + round_up(n, kTileLanes) / kTileLanes * Chunks(taps * tap_k).vector_bytes();
}

// 32 floats as bfloat16, to nearest even, and the same back.
FB_INLINE __m512i to_bf16(__m512 first, __m512 second) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
}
FB_INLINE __m512 from_bf16(__m256i half) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

FB_INLINE float widened(const uint8_t* bf16) {
  uint16_t bits;
  __builtin_memcpy(&bits, bf16, sizeof bits);
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(bits << 16)));
}

struct Split {
  __m512i part[kParts];
  uint32_t special;  // infinities, NaNs, and what bfloat16 rounds to infinity
};
FB_INLINE Split split(__m512 first, __m512 second) {
  constexpr int kNotFinite = 0x99;  // NaNs and infinities
  Split parts;
  unroll<kParts>([&]<size_t i>() FB_LAMBDA {
    parts.part[i] = to_bf16(first, second);
    const __m512 first_part = from_bf16(_mm512_castsi512_si256(parts.part[i]));
    const __m512 second_part = from_bf16(_mm512_extracti64x4_epi64(parts.part[i], 1));
    if constexpr (i == 0) {
      const uint32_t special = _mm512_fpclass_ps_mask(second_part, kNotFinite);
      parts.special = _mm512_fpclass_ps_mask(first_part, kNotFinite) | special << 16;
    }
    first = _mm512_sub_ps(first, first_part);
    second = _mm512_sub_ps(second, second_part);
  });
  return parts;
}

// A panel: [chunk][vectors][part][depth / 2][16 columns][2].
struct Packer {
  const GemmWeights<float>& w;
  Chunks chunks;
  size_t k, n, vectors;
  uint8_t* out;
  bool special = false;

  // Infinities and NaNs are their own high parts; numbers that bfloat16 rounds to infinity are cut instead.
  Split split_of(__m512 first, __m512 second) noexcept {
    Split parts = split(first, second);
    if (parts.special == 0) [[likely]]
      return parts;
    special = true;
    alignas(64) float values[kChunk];
    alignas(64) uint16_t part[kParts][kChunk];
    _mm512_store_ps(values, first);
    _mm512_store_ps(values + 16, second);
    unroll<kParts>([&]<size_t p>() FB_LAMBDA { _mm512_store_si512(part[p], parts.part[p]); });
    for (size_t i = 0; i < kChunk; ++i) {
      if ((parts.special >> i & 1) == 0) continue;
      part[1][i] = part[2][i] = 0;
      if (__builtin_isfinite(values[i])) part[0][i] = values[i] > 0 ? 0x7f7f : 0xff7f;
    }
    unroll<kParts>([&]<size_t p>() FB_LAMBDA { parts.part[p] = _mm512_load_si512(part[p]); });
    return parts;
  }

  uint8_t* tile(size_t chunk, size_t vector) const noexcept {
    return out + (chunk * vectors + vector) * kParts * chunks.tile_of_w();
  }

  // Columns whose inputs are neighbours: a chunk of a column becomes words of a tile.
  void columns_in_rows() noexcept {
    for (size_t i = 0; i < vectors * kTileLanes; ++i) {
      const bool exists = n + i < w.n;
      const float* from = w.data + (exists ? n + i : 0) * w.n_stride;
      for (size_t c = 0; c < chunks.count; ++c) {
        const size_t at = c * chunks.depth, count = exists && at < k ? smaller(chunks.depth, k - at) : 0;
        const Split parts = split_of(load(from + at * w.k_stride, count),
                                     load(from + (at + 16) * w.k_stride, count > 16 ? count - 16 : 0));
        uint8_t* to = tile(c, i / kTileLanes) + i % kTileLanes * sizeof(uint32_t);
        unroll<kParts>([&]<size_t p>() FB_LAMBDA {
          alignas(64) uint32_t words[kTileLanes];
          _mm512_store_si512(words, parts.part[p]);
          for (size_t r = 0; r < chunks.depth / kGroup; ++r) {
            __builtin_memcpy(to + p * chunks.tile_of_w() + r * kTileBytes, &words[r], sizeof(uint32_t));
          }
        });
      }
    }
  }

  // Inputs whose columns are neighbours: two rows interleave to a row of a tile.
  void columns_side_by_side() noexcept {
    const __m512i even_and_odd = interleaving();
    for (size_t v = 0; v < vectors; ++v) {
      const size_t first = n + v * kTileLanes, columns = first < w.n ? smaller(kTileLanes, w.n - first) : 0;
      for (size_t c = 0; c < chunks.count; ++c) {
        uint8_t* to = tile(c, v);
        for (size_t r = 0; r < chunks.depth / kGroup; ++r, to += kTileBytes) {
          const size_t at = c * chunks.depth + r * kGroup;
          const float* from = w.data + first + at * w.k_stride;
          const __m512 even = Simd::load(from, at < k ? columns : 0);
          const Split parts = split_of(even, Simd::load(from + w.k_stride, at + 1 < k ? columns : 0));
          unroll<kParts>([&]<size_t p>() FB_LAMBDA {
            _mm512_storeu_si512(to + p * chunks.tile_of_w(), _mm512_permutexvar_epi16(even_and_odd, parts.part[p]));
          });
        }
      }
    }
  }

 private:
  FB_INLINE __m512 load(const float* p, size_t count) const noexcept {
    if (w.k_stride == 1) return Simd::load(p, smaller(count, kTileLanes));
    alignas(64) float values[kTileLanes] = {};
    for (size_t i = 0; i < smaller(count, kTileLanes); ++i) values[i] = p[i * w.k_stride];
    return _mm512_load_ps(values);
  }
  // Words 0, 16, 1, 17 and so on.
  static __m512i interleaving() noexcept {
    alignas(64) uint16_t order[32];
    for (uint16_t i = 0; i < 16; ++i) order[2 * i] = i, order[2 * i + 1] = static_cast<uint16_t>(16 + i);
    return _mm512_load_si512(order);
  }
};

void pack(const GemmWeights<float>& w, void* packed) noexcept {
  const size_t k = w.taps * w.tap_k;
  const Chunks chunks(k);
  auto* out = static_cast<uint8_t*>(packed) + kHeaderBytes;
  uint32_t special = 0;
  for (size_t n = 0; n < w.n;) {
    const size_t vectors = panel_vectors(w.n - n);
    Packer packer{w, chunks, k, n, vectors, out};
    if (w.n_stride == 1) {
      packer.columns_side_by_side();
    } else {
      packer.columns_in_rows();
    }
    special |= packer.special;
    n += vectors * kTileLanes;
    out += vectors * chunks.vector_bytes();
  }
  __builtin_memcpy(packed, &special, sizeof special);
}

// What one call computes: rows in tiles of equal height, of which the last may lack some.
struct Product {
  const Args& args;
  Chunks chunks;
  size_t m_begin, m_end, high;

  size_t depth() const noexcept { return args.a.taps * args.a.tap_k; }
  size_t tiles() const noexcept { return (m_end - m_begin + high - 1) / high; }
  size_t first_row(size_t tile) const noexcept { return m_begin + tile * high; }
  size_t rows(size_t tile) const noexcept { return smaller(high, m_end - first_row(tile)); }
  size_t part_bytes() const noexcept { return high * kTileBytes; }                     // of a tile of A
  size_t tile_bytes() const noexcept { return chunks.piece * kParts * part_bytes(); }  // of a piece of it
  float* out(size_t m, size_t n) const noexcept { return args.out + m * args.out_stride + n; }

  // Chunks [begin, end) of a tile's rows, as [chunk][part][row][64 bytes]; whether all of them are finite. Rows that the
  // tile lacks are not defined, and their products go nowhere.
  bool stage(size_t tile, size_t begin, size_t end, uint8_t* to) const noexcept {
    uint32_t special = 0;
    for (size_t r = 0; r < rows(tile); ++r, to += kTileBytes) special |= stage_row(first_row(tile) + r, begin, end, to);
    return special == 0;
  }

 private:
  FB_INLINE uint32_t put(const float* from, size_t count, uint8_t* to) const noexcept {
    const Split parts = count >= kChunk ? split(Simd::load(from), Simd::load(from + 16))
                                        : split(Simd::load(from, smaller(count, 16)),
                                                Simd::load(from + 16, count > 16 ? count - 16 : 0));
    unroll<kParts>([&]<size_t p>() FB_LAMBDA { _mm512_storeu_si512(to + p * part_bytes(), parts.part[p]); });
    return parts.special;
  }

  uint32_t stage_row(size_t m, size_t begin, size_t end, uint8_t* to) const noexcept {
    const GemmRows<float>& a = args.a;
    if (depth() == 0) return 0;
    const size_t k_end = smaller(end * chunks.depth, depth()), step = kParts * part_bytes();
    uint32_t special = 0;
    size_t t = begin * chunks.depth / a.tap_k, in_tap = begin * chunks.depth % a.tap_k;
    for (size_t k = begin * chunks.depth; k < k_end;) {
      const size_t count = smaller(chunks.depth, k_end - k);
      const float* from = tap_of(a, m, t) + in_tap;
      alignas(64) float line[kChunk];
      if (in_tap + count > a.tap_k) {  // a chunk of several taps
        size_t have = 0;
        while (have < count) {
          const size_t some = smaller(count - have, a.tap_k - in_tap);
          for (size_t i = 0; i < some; i += 16) {
            Simd::store(line + have + i, Simd::load(from + i, smaller(some - i, 16)), smaller(some - i, 16));
          }
          have += some, in_tap += some;
          if (in_tap == a.tap_k) {
            in_tap = 0;
            if (++t < a.taps) from = tap_of(a, m, t);
          } else {
            from += some;
          }
        }
        special |= put(line, count, to);
      } else {
        special |= put(from, count, to);
        in_tap += count;
        if (in_tap == a.tap_k) in_tap = 0, ++t;
      }
      k += count, to += step;
    }
    return special;
  }
};

// Columns from n on of which W has a panel.
struct Panel {
  size_t n, columns;  // the columns that exist; the panel may be wider
  const uint8_t* weights;
};

// A block of kHigh x kWide tiles of sums.
template <size_t kHigh, size_t kWide>
struct Block {
  static constexpr size_t kLine = kWide * kTileLanes;  // numbers of a row of `sums`

  const Product& product;
  const Panel& panel;
  alignas(64) float sums[kHigh * kTileRows * kLine], ragged[kTileRows * kHigh * kLine];

  Block(const Product& of, const Panel& columns) : product(of), panel(columns) {}
  bool whole() const noexcept { return panel.columns == kLine; }

  // From zero, or from what a piece before left in the output.
  FB_INLINE void begin(size_t tile, bool first_piece) {
    if (first_piece) {
      unroll<kHigh * kWide>([&]<size_t i>() FB_LAMBDA { zero_tile<kSums + i>(); });
      return;
    }
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA {
      const float* out = product.out(product.first_row(tile + t), panel.n);
      size_t stride = product.args.out_stride;
      if (!whole() || product.rows(tile + t) < product.high) {
        float* to = ragged + t * kTileRows * kLine;
        for (size_t r = 0; r < product.rows(tile + t); ++r) {
          unroll<kWide>([&]<size_t v>() FB_LAMBDA {
            constexpr size_t kBegin = v * kTileLanes;
            const size_t count = panel.columns > kBegin ? smaller(panel.columns - kBegin, kTileLanes) : 0;
            Simd::store(to + r * kLine + kBegin, Simd::load(out + r * stride + kBegin, count));
          });
        }
        out = to, stride = kLine;
      }
      unroll<kWide>([&]<size_t v>()
                        FB_LAMBDA { load_tile<kSums + t * kWide + v>(out + v * kTileLanes, stride * sizeof(float)); });
    });
  }

  // `count` chunks of A, tile t at a[t], with as many of W.
  FB_INLINE void multiply(const uint8_t* const (&a)[kHigh], const uint8_t* w, size_t count) const {
    const size_t part_of_a = product.part_bytes(), part_of_w = product.chunks.tile_of_w();
    for (size_t c = 0; c < count; ++c, w += kWide * kParts * part_of_w) {
      const size_t at = c * kParts * part_of_a;
      // The products of two parts. The registers still hold the part of A, or of W, of the products before if it is the same.
      const auto add_products = [&]<size_t pa, size_t pw, bool kSameA, bool kSameW>() FB_LAMBDA {
        multiply_block<kHigh, kWide>(
            [&]<int kTile, size_t t>() FB_LAMBDA {
              if constexpr (!kSameA || kHigh > 2) load_tile<kTile>(a[t] + at + pa * part_of_a, kTileBytes);
            },
            [&]<int kTile, size_t v>() FB_LAMBDA {
              if constexpr (!kSameW) load_tile<kTile>(w + (v * kParts + pw) * part_of_w, kTileBytes);
            },
            []<int kSum, int kA, int kW>() FB_LAMBDA { multiply_bf16<kSum, kA, kW>(); });
      };
      add_products.template operator()<0, 2, false, false>();
      add_products.template operator()<0, 1, true, false>();
      add_products.template operator()<1, 1, false, true>();
      add_products.template operator()<1, 0, true, false>();
      add_products.template operator()<2, 0, false, true>();
      add_products.template operator()<0, 0, false, true>();
    }
  }

  FB_INLINE void end() {
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA {
      unroll<kWide>([&]<size_t v>() FB_LAMBDA {
        store_tile<kSums + t * kWide + v>(sums + t * kTileRows * kLine + v * kTileLanes, kLine * sizeof(float));
      });
    });
  }

  // The sums of the tiles from `tile` on go to the output, with bias and limits after the last piece.
  FB_INLINE void finish(size_t tile, bool last_piece) const {
    const Args& args = product.args;
    const __m512 lo = Simd::set(args.lo), hi = Simd::set(args.hi);
    unroll<kWide>([&]<size_t v>() FB_LAMBDA {
      constexpr size_t kBegin = v * kTileLanes;
      if (panel.columns <= kBegin) return;
      const size_t count = smaller(panel.columns - kBegin, kTileLanes);
      const __m512 bias =
          last_piece && args.bias != nullptr ? load_columns(args.bias + panel.n + kBegin, count) : Simd::zero();
      for (size_t t = 0; t < kHigh; ++t) {
        const float* from = sums + t * kTileRows * kLine + kBegin;
        float* out = product.out(product.first_row(tile + t), panel.n + kBegin);
        for (size_t r = 0; r < product.rows(tile + t); ++r, from += kLine, out += args.out_stride) {
          __m512 x = Simd::load(from);
          if (last_piece) x = Simd::min(hi, Simd::max(lo, Simd::add(x, bias)));
          if (count == kTileLanes) {
            Simd::store(out, x);
          } else {
            Simd::store(out, x, count);
          }
        }
      }
    });
  }
};

// Chunks [chunk, chunk_end) of tiles [first, end), split, in a buffer.
struct Piece {
  const uint8_t* buffer;
  size_t first, end;
  size_t chunk, chunk_end;
};

// Tiles from `tile` on under a panel, kHigh at a time; returns the tile it stops at.
template <size_t kHigh, size_t kWide>
__attribute__((noinline)) size_t run_tiles(const Product& product, const Piece& piece, const Panel& panel,
                                           size_t tile) {
  if (tile + kHigh > piece.end) return tile;
  const bool first_piece = piece.chunk == 0, last_piece = piece.chunk_end == product.chunks.count;
  const uint8_t* w = panel.weights + piece.chunk * kWide * kParts * product.chunks.tile_of_w();
  Block<kHigh, kWide> block(product, panel);
  const size_t begin = tile;
  size_t count = 0;
  for (; tile + kHigh <= piece.end; tile += kHigh, ++count) {
    const uint8_t* a[kHigh];
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA { a[t] = piece.buffer + (tile + t - piece.first) * product.tile_bytes(); });
    block.begin(tile, first_piece);
    block.multiply(a, w, piece.chunk_end - piece.chunk);
    if (count > 0) block.finish(tile - kHigh, last_piece);
    block.end();
  }
  block.finish(begin + (count - 1) * kHigh, last_piece);
  return tile;
}

template <size_t kWide>
void run_panel(const Product& product, const Piece& piece, const Panel& panel) {
  size_t tile = piece.first;
  if constexpr (kWide == 1) tile = run_tiles<4, kWide>(product, piece, panel, tile);
  tile = run_tiles<2, kWide>(product, piece, panel, tile);
  run_tiles<1, kWide>(product, piece, panel, tile);
}

// Calls body(panel, vectors) for each panel of columns [n, n_end).
template <class Body>
FB_INLINE void for_each_panel(const Product& product, size_t n, size_t n_end, const Body& body) {
  while (n < n_end) {
    const size_t vectors = panel_vectors(product.args.n - n);
    const auto* packed = static_cast<const uint8_t*>(product.args.packed) + kHeaderBytes +
                         n / kTileLanes * product.chunks.vector_bytes();
    body(Panel{n, smaller(product.args.n - n, vectors * kTileLanes), packed}, vectors);
    n += vectors * kTileLanes;
  }
}

// A tile's outputs once more, in float32, where its rows hold what does not split.
__attribute__((noinline)) void multiply_special(const Product& product, size_t tile, const GemmRange& range) {
  const Args& args = product.args;
  const Chunks& chunks = product.chunks;
  for_each_panel(product, range.n_begin, range.n_end, [&](const Panel& panel, size_t vectors) {
    for (size_t m = product.first_row(tile); m < product.first_row(tile) + product.rows(tile); ++m) {
      for (size_t i = 0; i < panel.columns; ++i) {
        float sum = 0;
        for (size_t k = 0; k < product.depth(); ++k) {
          const size_t c = k / chunks.depth, r = k % chunks.depth;
          const uint8_t* high = panel.weights + (c * vectors + i / kTileLanes) * kParts * chunks.tile_of_w() +
                                r / kGroup * kTileBytes + (i % kTileLanes * kGroup + r % kGroup) * sizeof(uint16_t);
          const float rest = widened(high + chunks.tile_of_w()) + widened(high + 2 * chunks.tile_of_w());
          const float weight = widened(high) + rest;
          sum += tap_of(args.a, m, k / args.a.tap_k)[k % args.a.tap_k] * weight;
        }
        sum += args.bias != nullptr ? args.bias[panel.n + i] : 0.0f;
        sum = sum < args.lo ? args.lo : sum;
        *product.out(m, panel.n + i) = sum > args.hi ? args.hi : sum;
      }
    }
  });
}

bool weights_are_special(const Args& args) {
  uint32_t special;
  __builtin_memcpy(&special, args.packed, sizeof special);
  return special != 0;
}

void run(const Args& args, const GemmRange& range) noexcept {
  if (range.m_begin >= range.m_end) return;
  const size_t rows = range.m_end - range.m_begin;
  size_t tiles = (rows + kTileRows - 1) / kTileRows;
  if (tiles > 1) tiles = round_up(tiles, 2);  // they are multiplied in pairs
  const Product product{args, Chunks(args.a.taps * args.a.tap_k), range.m_begin, range.m_end,
                        (rows + tiles - 1) / tiles};
  configure_blocks(product.high, product.chunks.depth * sizeof(uint16_t), product.chunks.depth / kGroup);
  alignas(64) uint8_t buffer[kStageBytes];
  const size_t out_bytes = product.high * (range.n_end - range.n_begin) * sizeof(float);
  const size_t fitting = 2 * kStageBytes / (product.tile_bytes() + out_bytes) / 2 * 2;
  const size_t at_once = smaller(fitting < 4 ? 4 : fitting, kStageBytes / product.tile_bytes() / 2 * 2);
  for (size_t first = 0; first < product.tiles(); first += at_once) {
    const size_t end = smaller(first + at_once, product.tiles());
    uint64_t special = weights_are_special(args) ? ~uint64_t{0} : 0;  // by tile of the block
    Piece piece{buffer, first, end, 0, 0};
    do {
      piece.chunk_end = smaller(piece.chunk + product.chunks.piece, product.chunks.count);
      for (size_t i = first; i < end; ++i) {
        const bool finite = product.stage(i, piece.chunk, piece.chunk_end, buffer + (i - first) * product.tile_bytes());
        if (!finite) special |= uint64_t{1} << (i - first) % 64;
      }
      for_each_panel(product, range.n_begin, range.n_end, [&](const Panel& panel, size_t vectors) FB_LAMBDA {
        if (vectors == 2) run_panel<2>(product, piece, panel);
        if (vectors == 1) run_panel<1>(product, piece, panel);
      });
      piece.chunk = piece.chunk_end;
    } while (piece.chunk < product.chunks.count);
    for (size_t i = first; special != 0 && i < end; ++i) {
      if (special >> (i - first) % 64 & 1) multiply_special(product, i, range);
    }
  }
  release();
}

}  // namespace

const GemmF32Kernel kGemmF32Amx = {"gemm_f32_16x32_amx", Isa::kAmx, 2 * kTileRows, kPanelVectors* kTileLanes,
                                   &packed_size,         &pack,     &run};

}  // namespace fewbits
