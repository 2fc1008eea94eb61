// Rows of A as tiles of AMX, for int8 products: where they lie if that is quick, or else copied.
#pragma once

#include "kernels/amx_tiles.h"
#include "kernels/gemm_bytes.h"
#include "kernels/vnni_order.h"

namespace fewbits {
namespace {

inline constexpr size_t kGroup = 4;                // inputs that are neighbours in a row of a tile of W
inline constexpr size_t kStageBytes = 256 * 1024;  // of copied rows, which stay in L2 while all panels pass over them
inline constexpr size_t kShallow = 8;              // chunks: up to here 64 columns of W stay in L1

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

inline constexpr size_t kLeastRun = 12;  // tiles of fewer rows take their time, too

// What one call computes: runs of rows in tiles of equal height, the last of which may begin among the rows of the one before.
struct Product {
  Product(const GemmS8Args& of, const GemmRange& range) noexcept
      : args(of), chunks(of.a.taps * of.a.tap_k), m_begin(range.m_begin), run(range.m_end - range.m_begin) {
    const size_t rows = run, its_run = args.a.run;
    in_place = its_run >= kLeastRun && m_begin % its_run == 0 && rows % its_run == 0 && args.a_flip == 0 &&
               args.a.tap_k % kTileBytes == 0;
    if (in_place) run = its_run;
    tiles_of_run = (run + kTileRows - 1) / kTileRows;
    if (!in_place && !chunks.shallow() && tiles_of_run > 1)
      tiles_of_run = round_up(tiles_of_run, 2);  // multiplied in pairs
    high = (run + tiles_of_run - 1) / tiles_of_run;
    tiles_of_run = (run + high - 1) / high;
    tiles = rows / run * tiles_of_run;
  }
  size_t first_row(size_t tile) const noexcept {
    return m_begin + tile / tiles_of_run * run + smaller(tile % tiles_of_run * high, run - high);
  }

  const GemmS8Args& args;
  Chunks chunks;
  size_t m_begin, run;
  bool in_place;  // the runs are those of A, whose rows are tiles where they lie
  size_t tiles_of_run, high, tiles;
};

enum class Lie {
  kInPlace,  // plain rows as they are
  kRuns,     // gathered rows as they are, tap by tap
  kLines,    // copied row by row, the taps of a row side by side: [tile][row][line]
  kChunks,   // copied chunk by chunk: [tile][chunk][row][64]
};

// How the tiles of a product's rows lie. What copies hold beyond the depth is not defined: it meets zeros of W.
class RowTiles {
 public:
  // panels: how often each row is read.
  RowTiles(const Product& product, size_t panels)
      : product_(product), args_(product.args), lie_(best(product, panels)) {
    const Chunks& chunks = product.chunks;
    row_stride_ = lie_ == Lie::kInPlace ? args_.a.row_stride : lie_ == Lie::kRuns ? args_.a.run_step : kTileBytes;
    chunk_step_ = lie_ == Lie::kChunks ? product.high * kTileBytes : chunks.depth;
    // A line more than the depth, which taps are written into, so that rows do not fall into the same cache sets.
    if (lie_ == Lie::kLines) row_stride_ = round_up(chunks.padded(), kTileBytes) + kTileBytes;
    if (copied()) tile_bytes_ = product.high * (lie_ == Lie::kLines ? row_stride_ : chunks.count * kTileBytes);
  }

  bool copied() const noexcept { return lie_ == Lie::kLines || lie_ == Lie::kChunks; }
  // Pieces of the depth of which each has its own place, and the chunks of one.
  size_t pieces() const noexcept { return lie_ == Lie::kRuns ? args_.a.taps : 1; }
  size_t chunks_of_piece() const noexcept { return product_.chunks.count / pieces(); }
  size_t tile_bytes() const noexcept { return tile_bytes_; }  // of a copy
  size_t row_stride() const noexcept { return row_stride_; }  // bytes, as chunk_step
  size_t chunk_step() const noexcept { return chunk_step_; }

  // Where the first chunk of a tile's piece is; copies lie in `buffer` from tile `first` on.
  const int8_t* at(size_t tile, size_t piece, const int8_t* buffer, size_t first) const noexcept {
    if (lie_ == Lie::kRuns) return args_.a.data + args_.a.offsets[product_.first_row(tile) * args_.a.taps + piece];
    return copied() ? buffer + (tile - first) * tile_bytes_ : args_.a.data + product_.first_row(tile) * row_stride_;
  }

  void copy(size_t tile, int8_t* to) const noexcept {
    const size_t depth = product_.chunks.depth;
    if (lie_ == Lie::kLines) {
      if (args_.a.tap_k <= 16) return copy_lines<Bytes16>(tile, to);
      if (args_.a.tap_k <= 32) return copy_lines<Bytes32>(tile, to);
      return copy_lines<Bytes64>(tile, to);
    }
    if (args_.a.offsets == nullptr) {
      if (depth <= 16) return copy_plain<Bytes16>(tile, to);
      if (depth <= 32) return copy_plain<Bytes32>(tile, to);
      return copy_plain<Bytes64>(tile, to);
    }
    if (args_.a.tap_k % depth == 0) return copy_taps(tile, to);
    copy_piece(tile, 0, product_.chunks.count, to);
  }

  // Chunks [begin, end) alone, as kChunks has them, of rows of any kind.
  void copy_piece(size_t tile, size_t begin, size_t end, int8_t* to) const noexcept {
    for (size_t r = 0; r < product_.high; ++r, to += kTileBytes) {
      copy_piece_of_row(product_.first_row(tile) + r, begin, end, to);
    }
  }

 private:
  static Lie best(const Product& product, size_t panels) noexcept {
    const GemmRows<int8_t>& a = product.args.a;
    if (product.chunks.count == 0) return Lie::kInPlace;  // there is nothing to copy
    if (product.in_place) return Lie::kRuns;
    if (a.offsets != nullptr) {  // lines too long for the buffer are taken in pieces, which are chunks
      const bool lines = a.taps > 1 && a.tap_k < kTileBytes && product.chunks.padded() <= kStageBytes / (2 * kTileRows);
      return lines ? Lie::kLines : Lie::kChunks;
    }
    if (product.args.a_flip != 0 || product.chunks.padded() != a.tap_k) return Lie::kChunks;
    // In place where no row splits a cache line; or few do, and once.
    const bool on_lines = a.row_stride % kTileBytes == 0 || kTileBytes % a.row_stride == 0;
    const bool in_place = (on_lines && a.row_stride <= 512) || (panels == 1 && a.row_stride <= kTileBytes);
    return in_place ? Lie::kInPlace : Lie::kChunks;
  }

  const int8_t* tap(size_t tile, size_t r, size_t t) const noexcept {
    return tap_of(args_.a, product_.first_row(tile) + r, t);
  }

  // Taps of few elements. Vector: as many bytes as hold one; the next tap overwrites what is too much.
  template <class Vector>
  void copy_lines(size_t tile, int8_t* to) const noexcept {
    const GemmRows<int8_t>& a = args_.a;
    const auto flip = Vector::set(args_.a_flip);
    const __mmask64 present = first_bytes(a.tap_k);
    const int32_t* offset = a.offsets + product_.first_row(tile) * a.taps;
    for (size_t r = 0; r < product_.high; ++r, to += row_stride_) {
      int8_t* out = to;
      for (size_t t = 0; t < a.taps; ++t, ++offset, out += a.tap_k) {
        const int8_t* in = *offset < 0 ? a.padding : a.data + *offset;
        Vector::store(out, Vector::flipped(Vector::load(in, present), flip));
      }
    }
  }

  // Plain rows. Vector: as many bytes as hold a chunk.
  template <class Vector>
  void copy_plain(size_t tile, int8_t* to) const noexcept {
    const GemmRows<int8_t>& a = args_.a;
    const Chunks& chunks = product_.chunks;
    const auto flip = Vector::set(args_.a_flip);
    const __mmask64 whole = first_bytes(chunks.depth), rest = first_bytes(a.tap_k - (chunks.count - 1) * chunks.depth);
    const int8_t* from = a.data + product_.first_row(tile) * a.row_stride;
    for (size_t c = 0; c < chunks.count; ++c, from += chunks.depth, to += chunk_step_) {
      const __mmask64 present = c + 1 < chunks.count ? whole : rest;
      for (size_t r = 0; r < product_.high; ++r) {
        Vector::store(to + r * kTileBytes, Vector::flipped(Vector::load(from + r * a.row_stride, present), flip));
      }
    }
  }

  // Gathered rows whose taps are whole chunks.
  void copy_taps(size_t tile, int8_t* to) const noexcept {
    const GemmRows<int8_t>& a = args_.a;
    const __m512i flip = Bytes64::set(args_.a_flip);
    const __mmask64 whole = first_bytes(product_.chunks.depth);
    for (size_t t = 0; t < a.taps; ++t) {
      const int8_t* rows[kTileRows];
      for (size_t r = 0; r < product_.high; ++r) rows[r] = tap(tile, r, t);
      for (size_t k = 0; k < a.tap_k; k += product_.chunks.depth, to += chunk_step_) {
        for (size_t r = 0; r < product_.high; ++r) {
          Bytes64::store(to + r * kTileBytes, Bytes64::flipped(Bytes64::load(rows[r] + k, whole), flip));
        }
      }
    }
  }

  void copy_piece_of_row(size_t m, size_t begin, size_t end, int8_t* to) const noexcept {
    const GemmRows<int8_t>& a = args_.a;
    const size_t depth = product_.chunks.depth, k_end = smaller(end * depth, a.taps * a.tap_k);
    const __m512i flip = Bytes64::set(args_.a_flip);
    size_t t = begin * depth / a.tap_k, in_tap = begin * depth % a.tap_k;
    size_t at = 0;  // in the chunk
    for (size_t k = begin * depth; k < k_end; ++t, in_tap = 0) {
      const int8_t* from = tap_of(a, m, t) + in_tap;
      for (size_t left = smaller(a.tap_k - in_tap, k_end - k); left > 0;) {
        const size_t count = smaller(left, depth - at);
        const __mmask64 present = first_bytes(count);
        _mm512_mask_storeu_epi8(to + at, present, Bytes64::flipped(Bytes64::load(from, present), flip));
        from += count, left -= count, k += count, at += count;
        if (at == depth) at = 0, to += product_.high * kTileBytes;
      }
    }
  }

  const Product& product_;
  const GemmS8Args& args_;
  Lie lie_;
  size_t row_stride_, chunk_step_, tile_bytes_ = 0;
};

}  // namespace
}  // namespace fewbits
