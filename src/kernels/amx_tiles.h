// The tile registers of AMX, for its ISA files. A thread calls configure() before it uses them and release() after: their
// shapes are one state of the thread, which other libraries in the process change too.
#pragma once

#include "kernels/simd.h"

namespace fewbits {
namespace {

inline constexpr size_t kTileRows = 16;   // the most
inline constexpr size_t kTileBytes = 64;  // the most of a row
inline constexpr size_t kTileLanes = 16;  // float32 or int32 numbers of a row

// The shapes of the eight registers, as ldtilecfg reads them.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(size_t tile, size_t its_rows, size_t its_row_bytes) noexcept {
    rows[tile] = static_cast<uint8_t>(its_rows);
    row_bytes[tile] = static_cast<uint16_t>(its_row_bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

FB_INLINE void configure(const TileShapes& shapes) { asm volatile("ldtilecfg %0" : : "m"(shapes)); }
FB_INLINE void release() { asm volatile("tilerelease" : : : "memory"); }

// A product of tiles in the order of blocks that all kernels use: sums in 0 to 3, A in 4 and 5, W in 6 and 7.
inline constexpr int kSums = 0, kRowsOfA = 4, kWeights = 6;

// Shapes for blocks of it: tiles of `high` rows, A's of a_bytes, W's of w_rows rows.
FB_INLINE void configure_blocks(size_t high, size_t a_bytes, size_t w_rows) {
  TileShapes shapes;
  for (size_t i = 0; i < 8; ++i) {
    if (i < kRowsOfA) {
      shapes.set(i, high, kTileBytes);
    } else if (i < kWeights) {
      shapes.set(i, high, a_bytes);
    } else {
      shapes.set(i, w_rows, kTileBytes);
    }
  }
  configure(shapes);
}

template <int kTile>
FB_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// stride: bytes between two rows in memory.
template <int kTile>
FB_INLINE void load_tile(const void* p, size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
FB_INLINE void store_tile(void* p, size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
// sums += a * w, of signed bytes: row r and column c take the products of row r of a and, four by four, of column c of w.
template <int kSum, int kA, int kW>
FB_INLINE void multiply_s8() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kW));
}

// The same of bfloat16, two by two, summed in float32.
template <int kSum, int kA, int kW>
FB_INLINE void multiply_bf16() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kW));
}

// Calls product<sum, a, w>() for a block of kHigh x kWide tiles, whose A and W it loads, with load_a<tile, row of tiles>() and
// load_w<tile, column of tiles>(); 1 x 1 to 1 x 4, 2 x 2, 2 x 1 and 4 x 1.
template <size_t kHigh, size_t kWide, class LoadA, class LoadW, class Product>
FB_INLINE void multiply_block(const LoadA& load_a, const LoadW& load_w, const Product& product) {
  if constexpr (kHigh <= 2) {
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA { load_a.template operator()<kRowsOfA + t, t>(); });
    unroll<kWide>([&]<size_t v>() FB_LAMBDA {
      load_w.template operator()<kWeights + v % 2, v>();
      unroll<kHigh>([&]<size_t t>() FB_LAMBDA {
        product.template operator()<kSums + t * kWide + v, kRowsOfA + t, kWeights + v % 2>();
      });
    });
  } else {
    static_assert(kWide == 1);
    load_w.template operator()<kWeights, 0>();
    unroll<kHigh>([&]<size_t t>() FB_LAMBDA {
      load_a.template operator()<kRowsOfA + t % 2, t>();
      product.template operator()<kSums + t, kRowsOfA + t % 2, kWeights>();
    });
  }
}

}  // namespace
}  // namespace fewbits
