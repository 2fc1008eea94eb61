// The loops of a blocked matrix product, for the ISA files: a tile of mr rows of A is staged into a small buffer, and
// all panels of W that fit the cache pass over it. What happens to a tile's numbers is the Core's affair.
//
// Packed W is a row of panels of nr columns, the last one as narrow as whole vectors allow. A panel holds, per column,
// a header of Core::kHeaderBytes, then [k / kGroup][columns][kGroup] weights; k is each tap's tap_k rounded up to
// kGroup.
//
// A Core has:
//   Args; Weight, Packed, Staged and Sum (elements); kMr, kVectors (of a panel), kGroup, kHeaderBytes, kMaxDepth
//   stage(args, in, out, count)                       a run of A's elements of one tap, as the tile's loop wants them
//   pack_header(weights, n, columns, width, header)   for the `columns` from n; the header is `width` wide
//   pack_one(weights, weight)
//   Acc<rows, vectors>: begin(sums, nr, first), multiply<stride>(a, b, depth), store(sums, nr, first) for each part of the depth;
//                      first: sums holds nothing yet
//   finish(tile, sums, nr)                            bias, zero points, scaling and output, once a tile
#pragma once

#include "kernels/gemm.h"
#include "kernels/simd.h"

namespace fewbits {
namespace {

// row_tap() of gemm.h, in this ISA's own copy.
template <class T>
FB_INLINE const T* tap_of(const GemmRows<T>& a, size_t m, size_t t) {
  if (a.offsets == nullptr) return a.data + m * a.row_stride;
  const int32_t offset = a.offsets[m * a.taps + t];
  return offset < 0 ? a.padding : a.data + offset;
}

template <class Core>
struct Gemm {
  using Args = typename Core::Args;
  using Staged = typename Core::Staged;
  using Packed = typename Core::Packed;
  using Sum = typename Core::Sum;
  static constexpr size_t kMr = Core::kMr;
  static constexpr size_t kVectors = Core::kVectors;
  static constexpr size_t kLanes = Simd::kLanes;
  static constexpr size_t kNr = kLanes * kVectors;
  static constexpr size_t kGroup = Core::kGroup;

  // Half of a 32 KiB L1 for staged rows, the other half for panels passing by. Rows lie a cache line more than the
  // depth apart, or all of them would fall into the same cache sets.
  static constexpr size_t kLine = 64 / sizeof(Staged);
  static constexpr size_t kDepth = smaller(Core::kMaxDepth, 16384 / sizeof(Staged) / kMr / kLine * kLine);
  static constexpr size_t kStride = round_up(kDepth, kLine) + kLine;
  static constexpr size_t kPanelCache = 256 * 1024;  // bytes of panels that stay in L2 while all rows pass

  struct Tile {
    const Args* args;
    size_t m, rows;
    size_t n, columns;  // the columns that exist; the panel may be wider
    const uint8_t* panel;
    size_t depth;
    bool staged;  // all of the depth is in `stage`
    Staged* stage;
    Sum* sums;  // [kMr][kNr]
  };

  static size_t padded_depth(size_t taps, size_t tap_k) { return taps * round_up(tap_k, kGroup); }
  static size_t column_bytes(size_t depth) { return Core::kHeaderBytes + depth * sizeof(Packed); }

  static size_t packed_size(size_t n, size_t taps, size_t tap_k) noexcept {
    return round_up(n, kLanes) * column_bytes(padded_depth(taps, tap_k));
  }

  static void pack(const GemmWeights<typename Core::Weight>& w, void* packed) noexcept {
    auto* out = static_cast<uint8_t*>(packed);
    for (size_t n = 0; n < w.n; n += kNr) {
      const size_t columns = smaller(kNr, w.n - n);
      const size_t width = round_up(columns, kLanes);
      Core::pack_header(w, n, columns, width, out);
      out += width * Core::kHeaderBytes;
      for (size_t t = 0; t < w.taps; ++t) {
        for (size_t c = 0; c < w.tap_k; c += kGroup, out += width * kGroup * sizeof(Packed)) {
          pack_group(w, n, columns, width, t * w.tap_k + c, smaller(kGroup, w.tap_k - c),
                     reinterpret_cast<Packed*>(out));
        }
      }
    }
  }

  static void run(const Args& args, const GemmRange& range) noexcept {
    alignas(64) Staged stage_buffer[kMr * kStride];
    alignas(64) Sum sums[kMr * kNr];
    const size_t depth = padded_depth(args.a.taps, args.a.tap_k);
    const size_t panel_bytes = kNr * column_bytes(depth);
    const size_t block = kNr * (kPanelCache > panel_bytes ? kPanelCache / panel_bytes : 1);
    for (size_t n_block = range.n_begin; n_block < range.n_end; n_block += block) {
      const size_t n_end = smaller(n_block + block, range.n_end);
      for (size_t m = range.m_begin; m < range.m_end; m += kMr) {
        Tile tile{&args, m, smaller(kMr, range.m_end - m), 0, 0, nullptr, depth, depth <= kDepth, stage_buffer, sums};
        if (tile.staged) stage(tile, 0, depth);
        for (tile.n = n_block; tile.n < n_end; tile.n += kNr) {
          tile.columns = smaller(kNr, args.n - tile.n);
          tile.panel = static_cast<const uint8_t*>(args.packed) + tile.n * column_bytes(depth);
          const size_t vectors = (tile.columns + kLanes - 1) / kLanes;
          kTiles.run[(tile.rows - 1) * kVectors + vectors - 1](tile);
          Core::finish(tile, sums, kNr);
        }
      }
    }
  }

 private:
  static FB_INLINE void pack_group(const GemmWeights<typename Core::Weight>& w, size_t n, size_t columns, size_t width,
                                   size_t k, size_t count, Packed* out) {
    for (size_t i = 0; i < width; ++i) {
      for (size_t g = 0; g < kGroup; ++g) {
        const bool inside = i < columns && g < count;
        out[i * kGroup + g] =
            inside ? Core::pack_one(w, w.data[(n + i) * w.n_stride + (k + g) * w.k_stride]) : Packed{};
      }
    }
  }

  // Elements [k, k + count) of the tile's rows, tap by tap, the end of each tap filled up with zeros. k is a whole
  // group.
  static void stage(const Tile& tile, size_t k, size_t count) noexcept {
    if (count == 0) return;
    const auto& a = tile.args->a;
    const size_t tap_depth = round_up(a.tap_k, kGroup);
    for (size_t r = 0; r < tile.rows; ++r) {
      Staged* out = tile.stage + r * kStride;
      Staged* const end = out + count;
      size_t begin = k % tap_depth;
      for (size_t t = k / tap_depth; out < end; ++t, begin = 0) {
        const size_t length = smaller(tap_depth - begin, static_cast<size_t>(end - out));
        const size_t present = smaller(length, a.tap_k - begin);
        Core::stage(*tile.args, tap_of(a, tile.m + r, t) + begin, out, present);
        for (size_t i = present; i < length; ++i) out[i] = Staged{};
        out += length;
      }
    }
  }

  template <size_t kRows, size_t kWidth>
  static void run_tile(const Tile& tile) noexcept {
    const auto* b = reinterpret_cast<const Packed*>(tile.panel + kWidth * kLanes * Core::kHeaderBytes);
    size_t k = 0;
    do {
      const size_t count = smaller(kDepth, tile.depth - k);
      if (!tile.staged) stage(tile, k, count);
      // Made here, not before the loop: what lives across a call does not stay in registers.
      typename Core::template Acc<kRows, kWidth> acc;
      acc.begin(tile.sums, kNr, k == 0);
      acc.template multiply<kStride>(tile.stage, b, count);
      acc.store(tile.sums, kNr, k == 0);
      b += count * kWidth * kLanes;
      k += kDepth;
    } while (k < tile.depth);
  }

  struct Tiles {
    void (*run[kMr * kVectors])(const Tile&) noexcept;
  };
  template <size_t... kIndex>
  static constexpr Tiles make_tiles(std::index_sequence<kIndex...>) {
    return {{&run_tile<kIndex / kVectors + 1, kIndex % kVectors + 1>...}};
  }
  static constexpr Tiles kTiles = make_tiles(std::make_index_sequence<kMr * kVectors>{});
};

// What both Accs of floats and of bytes are: rows by vectors of sums in registers.
template <class Dot, size_t kRows, size_t kWidth>
struct DotAcc {
  static constexpr size_t kLanes = Simd::kLanes;
  typename Dot::Vector sum[kRows][kWidth];

  FB_INLINE void clear() {
    unroll<kRows>([&]<size_t m>()
                      FB_LAMBDA { unroll<kWidth>([&]<size_t v>() FB_LAMBDA { sum[m][v] = Dot::zero(); }); });
  }

  template <class Sum>
  FB_INLINE void begin(const Sum* sums, size_t nr, bool first) {
    if (first) return clear();
    unroll<kRows>([&]<size_t m>() FB_LAMBDA {
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA { sum[m][v] = Simd::load(sums + m * nr + v * kLanes); });
    });
  }

  template <size_t kStride>
  FB_INLINE void multiply(const typename Dot::Staged* a, const typename Dot::Packed* b, size_t depth) {
    constexpr size_t kGroup = Dot::kGroup;
    for (const auto* const end = a + depth; a < end; a += kGroup, b += kWidth * kLanes * kGroup) {
      typename Dot::Vector w[kWidth];
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA { w[v] = Dot::load(b + v * kLanes * kGroup); });
      unroll<kRows>([&]<size_t m>() FB_LAMBDA {
        const typename Dot::Vector x = Dot::broadcast(a + m * kStride);
        unroll<kWidth>([&]<size_t v>() FB_LAMBDA { sum[m][v] = Dot::dot(sum[m][v], x, w[v]); });
      });
    }
  }

  template <class Sum>
  FB_INLINE void store(Sum* sums, size_t nr, bool) {
    unroll<kRows>([&]<size_t m>() FB_LAMBDA {
      unroll<kWidth>([&]<size_t v>() FB_LAMBDA { Simd::store(sums + m * nr + v * kLanes, sum[m][v]); });
    });
  }
};

// The first kLanes of a row of per-channel numbers that goes on for `count`.
template <class T>
FB_INLINE auto load_columns(const T* p, size_t count) {
  return count >= Simd::kLanes ? Simd::load(p) : Simd::load(p, count);
}

}  // namespace
}  // namespace fewbits
